//! The engine in the process of its handlers.
//!
//! The same core, store and journal as in a [`crate::server::Server`]: a directory may be opened by the
//! one today and by the other tomorrow. Calls from within the process, and those to its handlers, take no
//! socket; others are served if asked for ([`Listen`]).
//!
//! - Owns: the registration of the deployments within the process, and taking over what others began.
//! - Invariant: once it has started, every local deployment is registered, and new work goes there.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use reveille_protocol::id::DeploymentId;
use reveille_store::Store;

use crate::{
    admin::LocalAdmin,
    config::ServerConfig,
    core::Core,
    ingress::{Ingress, IngressAccess},
    invoker::LocalDeployments,
    registry::{DeploymentUri, RegisterDeployment, RegistryError, UpdateDeployment},
    security::Security,
    server::{Listeners, StartError, bind, scheme},
};

/// Which sockets are opened. The default opens none. Addresses, TLS and tokens are those of the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// The ingress, for callers outside of the process.
    pub ingress: bool,
    /// The admin API.
    pub admin: bool,
}

/// A running engine. Dropping it without [`Embedded::stop`] cuts off attempts; nothing is lost.
pub struct Embedded {
    /// Where callers outside of the process connect, if they may.
    pub ingress_address: Option<SocketAddr>,
    /// Where operators connect, if they may.
    pub admin_address: Option<SocketAddr>,
    ingress: Ingress,
    /// Where callers connect, as a URI; empty if nowhere.
    endpoint: String,
    core: Core,
    listeners: Listeners,
}

impl Embedded {
    /// Takes over a store, registers every local deployment, and starts to serve. Must be called within a
    /// multi-thread runtime; blocks on the store for as long as recovery takes.
    pub async fn start(
        config: ServerConfig,
        listen: Listen,
        store: Arc<dyn Store>,
        local: LocalDeployments,
    ) -> Result<Embedded, StartError> {
        for name in local.names() {
            DeploymentUri::local(name).map_err(RegistryError::LocalName)?;
        }
        let mut security = Security::open(&config)?;
        security.outbound.local = local.clone();
        let ingress_socket = match listen.ingress {
            true => Some(bind(config.ingress_address).await?),
            false => None,
        };
        let admin_socket = match listen.admin {
            true => Some(bind(config.admin_address).await?),
            false => None,
        };
        let address = |socket: &tokio::net::TcpListener| socket.local_addr();
        let ingress_address = ingress_socket.as_ref().map(address).transpose()?;
        let admin_address = admin_socket.as_ref().map(address).transpose()?;
        let core = Core::start(&config, store, &security.outbound)?;
        if let Err(error) = register(&core, &local).await {
            // Its threads hold the store, which the next start wants.
            core.stop().await;
            return Err(error.into());
        }
        let mut listeners = Listeners::new();
        let endpoint = ingress_address.map_or_else(String::new, |address| {
            format!("{}://{address}/", scheme(&security.ingress_tls))
        });
        if let Some(socket) = ingress_socket {
            listeners.ingress(&core, &config, socket, security.ingress_tls);
        }
        if let Some(socket) = admin_socket {
            listeners.admin(&core, &config, socket, security.admin_tls, endpoint.clone());
        }
        let ingress = core.ingress(IngressAccess::default());
        Ok(Embedded { ingress_address, admin_address, ingress, endpoint, core, listeners })
    }

    /// The ingress, for calls from within the process: no token is asked for. Clones share it, and they
    /// answer 503 once the engine has stopped.
    pub fn ingress(&self) -> &Ingress {
        &self.ingress
    }

    /// Answers a request as the ingress would over HTTP.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.ingress.call(request).await
    }

    /// The admin API, for operations from within the process: no token is asked for.
    pub fn admin(&self) -> LocalAdmin {
        LocalAdmin::new(self.core.admin(self.endpoint.clone()))
    }

    /// The core, for what operators do.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Lets the deployment of this name in this process continue what has started on `others`. It must
    /// serve all their services and handlers. Their code is not asked for any more.
    pub async fn take_over(&self, name: &str, other: DeploymentId) -> Result<(), RegistryError> {
        // Each deployment has an address of its own; what stands behind the name tells them apart.
        let name = format!("{name}.{:x}", other.0);
        let uri = DeploymentUri::local(&name).map_err(RegistryError::LocalName)?;
        let change = UpdateDeployment { uri: Some(uri), ..UpdateDeployment::default() };
        self.core.registry().update(other, change).await.map(|_view| ())
    }

    /// Does [`Embedded::take_over`] for every other deployment that serves one of the services of the
    /// deployment of this name.
    pub async fn take_over_all(&self, name: &str) -> Result<(), RegistryError> {
        let uri = DeploymentUri::local(name).map_err(RegistryError::LocalName)?;
        for other in self.core.registry().relatives(&uri) {
            self.take_over(name, other).await?;
        }
        Ok(())
    }

    /// Waits until only a restart of the process can help, and returns why.
    pub async fn failed(&mut self) -> String {
        self.core.failed().await
    }

    /// Stops: refuses new work, lets open requests finish for a moment, makes everything durable.
    pub async fn stop(self) {
        self.listeners.stop().await;
        self.core.stop().await;
    }
}

/// Registers what the process serves. A deployment that is as it was stays as it is.
async fn register(core: &Core, local: &LocalDeployments) -> Result<(), RegistryError> {
    for name in local.names() {
        let uri = DeploymentUri::local(name).map_err(RegistryError::LocalName)?;
        let request =
            RegisterDeployment { force: true, unless_same: true, ..RegisterDeployment::new(uri) };
        core.registry().register(request).await?;
    }
    Ok(())
}
