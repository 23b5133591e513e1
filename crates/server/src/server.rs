//! One server: listeners in front of a [`Core`], started and stopped together.
//!
//! - Owns: the order of start and stop.
//! - Invariant: the ingress answers only after every partition has been taken over; on stop, what
//!   was accepted is durable before the store is let go.

use std::net::SocketAddr;
use std::sync::Arc;

use reveille_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::admin::{self, AdminAccess};
use crate::config::ServerConfig;
use crate::core::Core;
use crate::ingress::IngressAccess;
use crate::limits;
use crate::listener::{self, Bounds, Listener};
use crate::partition::{OpenError, Partitions};
use crate::registry::{Registry, RegistryError};
use crate::security::{Security, SecurityError};
use crate::tls::server::ServerTls;
use crate::traces::ExportError;

/// A running server. Dropping it without [`Server::stop`] cuts off open requests; nothing is lost.
pub struct Server {
    /// Where callers connect.
    pub ingress_address: SocketAddr,
    /// Where operators connect.
    pub admin_address: SocketAddr,
    /// `http` or `https` of the ingress and of the admin API.
    pub schemes: (&'static str, &'static str),
    core: Core,
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound. Choose another one, or stop whoever has it.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// A partition cannot be taken over.
    #[error("partition {partition} cannot be opened: {source}")]
    Partition {
        /// The partition.
        partition: u16,
        /// The cause.
        source: OpenError,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A security setting cannot be honoured. Mend it, or the file it names.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// Traces cannot be exported as the settings say. Mend the setting.
    #[error(transparent)]
    Tracing(#[from] ExportError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl Server {
    /// Binds the listeners, takes over registry and partitions, and starts to serve. Must be called
    /// within a multi-thread runtime; blocks on the store for as long as recovery takes.
    pub async fn start(config: ServerConfig, store: Arc<dyn Store>) -> Result<Server, StartError> {
        let security = Security::open(&config)?;
        security.announce(&config);
        let schemes = (scheme(&security.ingress_tls), scheme(&security.admin_tls));
        let ingress_listener = bind(config.ingress_address).await?;
        let admin_listener = bind(config.admin_address).await?;
        let ingress_address = ingress_listener.local_addr()?;
        let admin_address = admin_listener.local_addr()?;
        let core = Core::start(&config, store, &security.outbound)?;
        let (stop, stopping) = watch::channel(false);
        let mut listeners = JoinSet::new();
        let ingress = core.ingress(ingress_access(&config));
        let (tls, bounds) = (security.ingress_tls, Bounds::ingress());
        let listener = Listener { socket: ingress_listener, tls, bounds };
        listeners.spawn(listener::serve(listener, ingress, stopped(stopping.clone())));
        let admin = core.admin(format!("{}://{ingress_address}/", schemes.0));
        let (tls, bounds) = (security.admin_tls, Bounds::admin());
        let listener = Listener { socket: admin_listener, tls, bounds };
        let access = AdminAccess {
            tokens: config.security.admin.tokens.clone(),
            loopback: admin_address.ip().is_loopback(),
        };
        listeners.spawn(admin::serve(listener, admin, access, stopped(stopping)));
        Ok(Server { ingress_address, admin_address, schemes, core, stop, listeners })
    }

    /// Waits until only a restart of the process can help, and returns why: a write failed in a way
    /// that leaves it unknown what is on disk. What was acknowledged is safe.
    pub async fn failed(&mut self) -> String {
        self.core.failed().await
    }

    /// A handle to the partitions, for embedding.
    pub fn partitions(&self) -> &Partitions {
        self.core.partitions()
    }

    /// The registered deployments, for embedding.
    pub fn registry(&self) -> &Registry {
        self.core.registry()
    }

    /// Stops: refuses new work, lets open requests finish for a moment, makes everything durable.
    pub async fn stop(mut self) {
        info!("stopping");
        // The receivers are gone only when both listeners have ended already.
        let _listening = self.stop.send(true);
        let listeners = async { while self.listeners.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::STOP_TIMEOUT, listeners).await.is_err() {
            info!("some requests were still open and are cut off; what they started goes on");
        }
        self.listeners.abort_all();
        self.core.stop().await;
    }
}

fn ingress_access(config: &ServerConfig) -> IngressAccess {
    IngressAccess {
        tokens: config.security.ingress.tokens.clone(),
        waits_without_token: config.security.waits_without_token,
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Bind { address, source })
}

fn scheme(tls: &Option<ServerTls>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the server was dropped, which stops the listeners as well.
    let _changed = stopping.wait_for(|stop| *stop).await;
}
