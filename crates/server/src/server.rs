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
use crate::partition::OpenError;
use crate::registry::RegistryError;
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
    listeners: Listeners,
}

/// The listeners in front of a core.
pub(crate) struct Listeners {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
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
        let ingress_endpoint = format!("{}://{ingress_address}/", schemes.0);
        let mut listeners = Listeners::new();
        listeners.ingress(&core, &config, ingress_listener, security.ingress_tls);
        listeners.admin(&core, &config, admin_listener, security.admin_tls, ingress_endpoint);
        Ok(Server { ingress_address, admin_address, schemes, core, listeners })
    }

    /// Waits until only a restart of the process can help, and returns why: a write failed in a way
    /// that leaves it unknown what is on disk. What was acknowledged is safe.
    pub async fn failed(&mut self) -> String {
        self.core.failed().await
    }

    /// What runs behind the listeners.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Stops: refuses new work, lets open requests finish for a moment, makes everything durable.
    pub async fn stop(self) {
        info!("stopping");
        self.listeners.stop().await;
        self.core.stop().await;
    }
}

impl Listeners {
    /// No listeners yet.
    pub(crate) fn new() -> Listeners {
        Listeners { stop: watch::channel(false).0, tasks: JoinSet::new() }
    }

    /// Starts to serve the ingress on a socket.
    pub(crate) fn ingress(
        &mut self,
        core: &Core,
        config: &ServerConfig,
        socket: TcpListener,
        tls: Option<ServerTls>,
    ) {
        let ingress = core.ingress(IngressAccess {
            tokens: config.security.ingress.tokens.clone(),
            waits_without_token: config.security.waits_without_token,
        });
        let bounds = Bounds { streams: config.streams_per_connection, ..Bounds::ingress() };
        let listener = Listener { socket, tls, bounds };
        self.tasks.spawn(listener::serve(listener, ingress, stopped(self.stop.subscribe())));
    }

    /// Starts to serve the admin API on a socket. `ingress_endpoint` is where callers connect, as a URI
    /// with a slash at the end.
    pub(crate) fn admin(
        &mut self,
        core: &Core,
        config: &ServerConfig,
        socket: TcpListener,
        tls: Option<ServerTls>,
        ingress_endpoint: String,
    ) {
        let loopback = socket.local_addr().is_ok_and(|address| address.ip().is_loopback());
        let access = AdminAccess { tokens: config.security.admin.tokens.clone(), loopback };
        let listener = Listener { socket, tls, bounds: Bounds::admin() };
        let admin = core.admin(ingress_endpoint);
        self.tasks.spawn(admin::serve(listener, admin, access, stopped(self.stop.subscribe())));
    }

    /// Refuses new requests and lets open ones finish for a moment.
    pub(crate) async fn stop(mut self) {
        // The receivers are gone only when all listeners have ended already.
        let _listening = self.stop.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::STOP_TIMEOUT, ended).await.is_err() {
            info!("some requests were still open and are cut off; what they started goes on");
        }
        self.tasks.abort_all();
    }
}

pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Bind { address, source })
}

pub(crate) fn scheme(tls: &Option<ServerTls>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the server was dropped, which stops the listeners as well.
    let _changed = stopping.wait_for(|stop| *stop).await;
}
