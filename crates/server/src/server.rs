//! One server: listeners, registry, partitions and invoker, started and stopped together.
//!
//! - Owns: the order of start and stop.
//! - Invariant: the ingress answers only after every partition has been taken over; on stop, what
//!   was accepted is durable before the store is let go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use reveille_engine::identity::SecretKey;
use reveille_store::{Batch, Commit, Lease, PartitionId, Store, StoreError};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::admin::{self, Admin, AdminAccess, Queries};
use crate::config::ServerConfig;
use crate::ingress::{Ingress, IngressAccess};
use crate::invoker::{Invoker, InvokerOptions, OpenAttempts, Outbound};
use crate::limits;
use crate::listener::{self, Bounds, Listener};
use crate::metrics::Metrics;
use crate::partition::committer::Committer;
use crate::partition::effects::Outputs;
use crate::partition::handle::Mail;
use crate::partition::{self, Driver, DriverParts, OpenError, Partitions};
use crate::registry::{Registry, RegistryConfig, RegistryError};
use crate::security::{Security, SecurityError};
use crate::tls::server::ServerTls;
use crate::traces::{ExportError, Exporting, Tracer};

/// A running server. Dropping it without [`Server::stop`] cuts off open requests; nothing is lost.
pub struct Server {
    /// Where callers connect.
    pub ingress_address: SocketAddr,
    /// Where operators connect.
    pub admin_address: SocketAddr,
    /// `http` or `https` of the ingress and of the admin API.
    pub schemes: (&'static str, &'static str),
    partitions: Partitions,
    registry: Registry,
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
    threads: Vec<JoinHandle<()>>,
    exporting: Option<Exporting>,
    /// Behind everything that is used to stop in good order.
    _halt: Halt,
    failures: mpsc::UnboundedReceiver<String>,
}

/// Ends the threads of the partitions when it is dropped, so that they let go of the store. They hold
/// each other's mailboxes and would never end by themselves.
struct Halt(Partitions);

impl Drop for Halt {
    fn drop(&mut self) {
        for partition in 0..self.0.count() {
            let stop = Mail::Stop(oneshot::channel().0);
            match self.0.mailbox_of(partition).try_send(stop) {
                // A partition that is gone has stopped already.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(_)) => {
                    warn!(partition, "too busy to be stopped, it goes on until the process ends");
                }
            }
        }
    }
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
        let (lease, secret_key) = open_meta(store.as_ref())?;
        let registry_config = RegistryConfig {
            defaults: config.defaults.clone(),
            protocol_version_max: config.protocol_version_max,
        };
        let outbound = security.outbound;
        let shared = Arc::clone(&store);
        let registry = Registry::open(shared, lease, registry_config, outbound.clone())?;
        let (failed, failures) = mpsc::unbounded_channel();
        let metrics = Metrics::new(store.partition_count());
        let (tracer, exporting) = Tracer::start(&config.tracing, &outbound.tls, &metrics.traces)?;
        let (at, observed) = (Arc::clone(&store), (metrics, tracer));
        let Started { partitions, attempts, threads, halt } =
            start_partitions(&config, &outbound, at, &registry, &secret_key, &failed, observed)?;
        let queries = Queries::new(Arc::clone(&store), attempts, &config);
        let (stop, stopping) = watch::channel(false);
        let mut listeners = JoinSet::new();
        let ingress = Ingress {
            partitions: partitions.clone(),
            schema: registry.schema(),
            request_size_limit: config.request_size_limit,
            access: ingress_access(&config),
        };
        let (tls, bounds) = (security.ingress_tls, Bounds::ingress());
        let listener = Listener { socket: ingress_listener, tls, bounds };
        listeners.spawn(listener::serve(listener, ingress, stopped(stopping.clone())));
        let admin = Admin {
            registry: registry.clone(),
            partitions: partitions.clone(),
            store,
            ingress_endpoint: format!("{}://{ingress_address}/", schemes.0),
            queries,
        };
        let (tls, bounds) = (security.admin_tls, Bounds::admin());
        let listener = Listener { socket: admin_listener, tls, bounds };
        let access = AdminAccess {
            tokens: config.security.admin.tokens.clone(),
            loopback: admin_address.ip().is_loopback(),
        };
        listeners.spawn(admin::serve(listener, admin, access, stopped(stopping)));
        Ok(Server {
            ingress_address,
            admin_address,
            schemes,
            partitions,
            registry,
            stop,
            listeners,
            threads,
            exporting,
            _halt: halt,
            failures,
        })
    }

    /// Waits until only a restart of the process can help, and returns why: a write failed in a way
    /// that leaves it unknown what is on disk. What was acknowledged is safe.
    pub async fn failed(&mut self) -> String {
        match self.failures.recv().await {
            Some(why) => why,
            // Every partition has ended without a failure, so there is nothing to wait for.
            None => std::future::pending().await,
        }
    }

    /// A handle to the partitions, for embedding.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The registered deployments, for embedding.
    pub fn registry(&self) -> &Registry {
        &self.registry
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
        self.partitions.stop().await;
        drop(self.partitions);
        for thread in self.threads {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                error!("a thread ended with a panic");
            }
        }
        if let Some(exporting) = self.exporting {
            exporting.stop().await;
        }
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

/// Takes over the meta partition and makes or reads the key of awakeable secrets.
fn open_meta(store: &dyn Store) -> Result<(Lease, SecretKey), StartError> {
    const KEY: &[u8] = b"secret-key";
    let mut lease = store.acquire(PartitionId::META)?;
    if let Some(stored) = store.get(PartitionId::META, KEY)? {
        let bytes = stored.as_ref().try_into().map_err(|_| StoreError::Corrupt {
            path: "meta/secret-key".into(),
            detail: "the key of awakeable secrets does not have 32 bytes".to_owned(),
        })?;
        return Ok((lease, SecretKey(bytes)));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(std::io::Error::from)?;
    let mut batch = Batch::default();
    batch.put(Bytes::from_static(KEY), Bytes::copy_from_slice(&secret));
    let (partition, epoch, seq) = (lease.partition, lease.epoch, lease.last_seq + 1);
    for result in store.commit(&[Commit { partition, epoch, seq, batch: &batch }]) {
        result?;
    }
    lease.last_seq = seq;
    Ok((lease, SecretKey(secret)))
}

/// What runs once the partitions have been taken over.
struct Started {
    partitions: Partitions,
    attempts: Arc<OpenAttempts>,
    threads: Vec<JoinHandle<()>>,
    halt: Halt,
}

fn start_partitions(
    config: &ServerConfig,
    outbound: &Outbound,
    store: Arc<dyn Store>,
    registry: &Registry,
    secret_key: &SecretKey,
    failed: &mpsc::UnboundedSender<String>,
    (metrics, tracer): (Metrics, Tracer),
) -> Result<Started, StartError> {
    let count = store.partition_count();
    let (senders, mailboxes): (Vec<_>, Vec<_>) =
        (0..count).map(|_| mpsc::channel(limits::MAILBOX_LEN)).unzip();
    let partitions = Partitions::observed(senders, metrics, tracer);
    let halt = Halt(partitions.clone());
    let options = InvokerOptions {
        message_size_limit: config.message_size_limit,
        outbound: outbound.clone(),
    };
    let invoker = Invoker::new(Handle::current(), partitions.clone(), options);
    let commits = Arc::clone(&partitions.metrics().commits);
    let (committer, committer_thread) = Committer::start(Arc::clone(&store), commits)?;
    let attempts_max = (config.concurrent_attempts_max / usize::from(count)).max(1);
    let mut threads = Vec::new();
    for (partition, mailbox) in (0..count).zip(mailboxes) {
        let outputs = Outputs::new(partition, partitions.clone(), invoker.clone(), attempts_max);
        let driver = Driver::open(DriverParts {
            partition,
            partitions: count,
            store: Arc::clone(&store),
            committer: committer.clone(),
            schema: registry.schema(),
            secret_key: secret_key.clone(),
            mailbox,
            outputs,
            failed: failed.clone(),
        });
        let driver = driver.map_err(|source| StartError::Partition { partition, source })?;
        threads.push(partition::spawn(driver, partition)?);
    }
    threads.push(committer_thread);
    Ok(Started { partitions, attempts: invoker.open_attempts(), threads, halt })
}
