//! The engine in the process of its handlers.
//!
//! ```no_run
//! # use reveille::{Context, Embedded, HandlerResult};
//! # struct Approval;
//! # #[reveille::service]
//! # impl Approval {
//! #     async fn ask(&self, _ctx: &Context) -> HandlerResult<()> { Ok(()) }
//! # }
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Embedded::open("data").bind(Approval).start().await?;
//! // ... and when the process is to end:
//! engine.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The directory is that of the server: `reveille serve --data-dir data` continues what was started here,
//! once the deployment has the address of a process with the handlers (`reveille deployments update`), and
//! [`EmbeddedBuilder::take_over`] continues here what was started there.
//!
//! - Owns: the builder, the way from the engine to the handlers (no connection).
//! - Does not own: the engine (crate `reveille-server`), the handlers' side ([`Endpoint`]).
//! - Invariant: once it has started, new work goes to these handlers; what was started before goes on.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use reveille_server::{
    config::ServerConfig,
    embedded::{Embedded as Engine, Listen},
    invoker::{LocalDeployment, LocalDeployments, LocalRequest, LocalResponse},
    registry::RegistryError,
    server::StartError,
};
use reveille_store::{
    Store, StoreError,
    embedded::{EmbeddedOptions, EmbeddedStore},
    memory::MemoryStore,
};
use tokio::sync::watch;

use crate::{Definition, Endpoint, EndpointBuilder, EndpointError, Service};

/// What the deployment is called when nobody says it.
const DEPLOYMENT_NAME: &str = "embedded";

/// A running engine with its handlers. Several may run in one process, each with a directory of its own.
///
/// Dropping it without [`Embedded::stop`] is like a crash: attempts are cut off, and nothing is lost.
pub struct Embedded {
    engine: Engine,
}

/// Builds an [`Embedded`].
pub struct EmbeddedBuilder {
    /// `None` keeps everything in memory.
    path: Option<PathBuf>,
    name: String,
    partitions: u16,
    endpoint: EndpointBuilder,
    listen: Listen,
    config: ServerConfig,
    takes_over: bool,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The services cannot be served. The program must be mended.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The directory cannot be opened: another process has it, or it is damaged.
    #[error("the data directory cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// The engine refused to start; the text says what to do.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What others had started cannot go on here: a service or handler is missing.
    #[error("what was started on another deployment cannot go on here: {0}")]
    TakeOver(#[source] RegistryError),
}

impl Embedded {
    /// Begins with an engine whose data is in this directory, which is created if it is missing.
    pub fn open(path: impl Into<PathBuf>) -> EmbeddedBuilder {
        EmbeddedBuilder::new(Some(path.into()))
    }

    /// Begins with an engine that forgets everything when it ends, for tests.
    pub fn in_memory() -> EmbeddedBuilder {
        EmbeddedBuilder::new(None)
    }

    /// Where callers outside of the process connect; `None` unless asked for.
    pub fn ingress_address(&self) -> Option<SocketAddr> {
        self.engine.ingress_address
    }

    /// Where operators connect; `None` unless asked for.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.engine.admin_address
    }

    /// Answers a request as the ingress would over HTTP, without a socket. Paths and bodies are those of
    /// the server's HTTP API; no token is asked for.
    ///
    /// Once the engine has stopped the answer is 503.
    pub async fn request(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.engine.call(request).await
    }

    /// Returns a client that takes no socket: for typed requests from within the process.
    ///
    /// Once the engine has stopped its requests are refused with status 503.
    #[cfg(feature = "client")]
    pub fn client(&self) -> crate::client::Client {
        crate::client::Client::new(InProcess(self.engine.ingress().clone()))
    }

    /// Returns a client of the admin API that takes no socket. Callers of handlers want
    /// [`Self::client`].
    ///
    /// Once the engine has stopped its requests are refused with status 503.
    #[cfg(feature = "client")]
    pub fn admin(&self) -> crate::client::Admin {
        crate::client::Admin::new(Operator(self.engine.admin()))
    }

    /// Waits until only a restart of the process can help, and returns why: a write failed in a way that
    /// leaves it unknown what is on disk. What was acknowledged is safe.
    pub async fn failed(&mut self) -> String {
        self.engine.failed().await
    }

    /// Stops: open requests have a moment to end, what was accepted is durable. Handlers that wait go on
    /// when the directory is opened again.
    pub async fn stop(self) {
        self.engine.stop().await;
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("ingress_address", &self.engine.ingress_address)
            .field("admin_address", &self.engine.admin_address)
            .finish_non_exhaustive()
    }
}

impl EmbeddedBuilder {
    fn new(path: Option<PathBuf>) -> EmbeddedBuilder {
        EmbeddedBuilder {
            path,
            name: DEPLOYMENT_NAME.to_owned(),
            partitions: 1,
            endpoint: Endpoint::builder(),
            listen: Listen::default(),
            config: ServerConfig::default(),
            takes_over: false,
        }
    }

    /// Adds the handlers of a type that has one of the attribute macros.
    pub fn bind(self, service: impl Service) -> Self {
        self.endpoint(|endpoint| endpoint.bind(service))
    }

    /// As [`Self::bind`], with options that are known only at run time.
    pub fn bind_with(
        self,
        service: impl Service,
        change: impl FnOnce(Definition) -> Definition,
    ) -> Self {
        self.endpoint(|endpoint| endpoint.bind_with(service, change))
    }

    /// Changes how handlers are served.
    pub fn endpoint(mut self, change: impl FnOnce(EndpointBuilder) -> EndpointBuilder) -> Self {
        self.endpoint = change(self.endpoint);
        self
    }

    /// Serves callers outside of the process at this address; port 0 is any that is free.
    pub fn ingress(mut self, address: SocketAddr) -> Self {
        self.config.ingress_address = address;
        self.listen.ingress = true;
        self
    }

    /// Serves operators at this address: the admin API, to which `reveille` commands connect.
    pub fn admin(mut self, address: SocketAddr) -> Self {
        self.config.admin_address = address;
        self.listen.admin = true;
        self
    }

    /// Changes any setting of the engine: limits, defaults of options, tokens, TLS, traces.
    pub fn settings(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets the number of partitions of a directory that is created, 1 by default; one keeps one core
    /// busy. A directory that exists keeps its number.
    pub fn partitions(mut self, count: u16) -> Self {
        self.partitions = count.max(1);
        self
    }

    /// Names these handlers, for directories that several programs open in turn: lower-case letters,
    /// digits and `-`. It must be the same at the next start.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Continues here what was started on any other deployment of the same services, by a server or under
    /// another name. Those handlers are not asked any more.
    ///
    /// Fails to start when a service or handler of theirs is missing here.
    pub fn take_over(mut self) -> Self {
        self.takes_over = true;
        self
    }

    /// Opens the directory and starts. Returns when every handler can be called.
    ///
    /// Must be called within a multi-thread runtime of tokio, on which handlers run. The engine has one
    /// thread for each partition and one that writes, whatever the number of handlers that wait.
    ///
    /// # Errors
    ///
    /// When services are invalid, when the directory cannot be opened, or when an address cannot be bound.
    pub async fn start(self) -> Result<Embedded, EmbeddedError> {
        let endpoint = self.endpoint.build()?;
        let partitions = self.partitions;
        let store: Arc<dyn Store> = match self.path {
            None => Arc::new(MemoryStore::new(partitions)),
            Some(path) => {
                let options =
                    EmbeddedOptions { partitions_new: partitions, ..EmbeddedOptions::default() };
                let opening =
                    tokio::task::spawn_blocking(move || EmbeddedStore::open(&path, options));
                Arc::new(opening.await.map_err(|_| StoreError::Poisoned)??)
            }
        };
        let deployment: Arc<dyn LocalDeployment> =
            Arc::new(Linked { endpoint, stop: watch::Sender::new(false) });
        let local = BTreeMap::from([(self.name.clone(), deployment)]);
        let local = LocalDeployments::new(local);
        let engine = Engine::start(self.config, self.listen, store, local).await?;
        if self.takes_over
            && let Err(error) = engine.take_over_all(&self.name).await
        {
            // Its threads hold the directory, which whoever tries again needs.
            engine.stop().await;
            return Err(EmbeddedError::TakeOver(error));
        }
        Ok(Embedded { engine })
    }
}

/// An endpoint without a connection.
struct Linked {
    endpoint: Endpoint,
    /// Never told: attempts end with the engine, which gives up their responses.
    stop: watch::Sender<bool>,
}

impl LocalDeployment for Linked {
    fn call(&self, request: Request<LocalRequest>) -> Response<LocalResponse> {
        let response = self.endpoint.respond(request, self.stop.subscribe(), false);
        response.map(|body| LocalResponse::new(body.map_err(Into::into)))
    }
}

/// The ingress as a transport.
#[cfg(feature = "client")]
struct InProcess(reveille_server::ingress::Ingress);

#[cfg(feature = "client")]
impl crate::client::Transport for InProcess {
    fn exchange(&self, request: Request<Bytes>) -> crate::client::Exchange<'_> {
        Box::pin(async move { Ok(self.0.call(request).await) })
    }
}

/// The admin API as a transport.
#[cfg(feature = "client")]
struct Operator(reveille_server::admin::LocalAdmin);

#[cfg(feature = "client")]
impl crate::client::Transport for Operator {
    fn exchange(&self, request: Request<Bytes>) -> crate::client::Exchange<'_> {
        Box::pin(async move { Ok(self.0.call(request).await?) })
    }
}
