//! Everything of a server but its listeners: registry, partitions and invoker, started and stopped
//! together. A [`crate::server::Server`] puts listeners in front; a process that embeds it need not.
//!
//! - Owns: the order in which parts are taken over and let go.
//! - Invariant: a core that has started has taken over every partition; on stop, what was accepted is
//!   durable before the store is let go.

use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use reveille_engine::identity::SecretKey;
use reveille_store::{Batch, Commit, Lease, PartitionId, Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::admin::{Admin, Queries};
use crate::config::ServerConfig;
use crate::ingress::{Ingress, IngressAccess, Intake};
use crate::invoker::{Invoker, InvokerOptions, OpenAttempts, Outbound};
use crate::kafka::Statuses;
#[cfg(feature = "kafka")]
use crate::kafka::supervisor::Readers;
use crate::limits;
use crate::metrics::Metrics;
use crate::partition::committer::Committer;
use crate::partition::effects::Outputs;
use crate::partition::handle::Mail;
use crate::partition::{self, Driver, DriverParts, Partitions};
use crate::registry::{Registry, RegistryConfig};
use crate::server::StartError;
use crate::traces::{Exporting, Tracer};

/// The running parts. Dropping it without [`Core::stop`] cuts off attempts; nothing is lost.
pub struct Core {
    partitions: Partitions,
    registry: Registry,
    store: Arc<dyn Store>,
    queries: Queries,
    request_size_limit: usize,
    intake: Intake,
    threads: Vec<JoinHandle<()>>,
    exporting: Option<Exporting>,
    statuses: Statuses,
    #[cfg(feature = "kafka")]
    readers: Readers,
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

impl Core {
    /// Takes over registry and partitions of a store. Must be called within a multi-thread runtime;
    /// blocks on the store for as long as recovery takes.
    pub fn start(
        config: &ServerConfig,
        store: Arc<dyn Store>,
        outbound: &Outbound,
    ) -> Result<Core, StartError> {
        let (lease, secret_key) = open_meta(store.as_ref())?;
        let registry_config = RegistryConfig {
            defaults: config.defaults.clone(),
            protocol_version_max: config.protocol_version_max,
            kafka_clusters: config.kafka_clusters.clone(),
        };
        let shared = Arc::clone(&store);
        let registry = Registry::open(shared, lease, registry_config, outbound.clone())?;
        let (failed, failures) = mpsc::unbounded_channel();
        let metrics = Metrics::new(store.partition_count());
        let (tracer, exporting) = Tracer::start(&config.tracing, &outbound.tls, &metrics.traces)?;
        let (at, observed) = (Arc::clone(&store), (metrics, tracer));
        let Started { partitions, attempts, threads, halt } =
            start_partitions(config, outbound, at, &registry, &secret_key, &failed, observed)?;
        let statuses = Statuses::new(Arc::clone(&partitions.metrics().kafka));
        #[cfg(feature = "kafka")]
        let readers = {
            let (registry, partitions) = (registry.clone(), partitions.clone());
            let (store, statuses) = (Arc::clone(&store), statuses.clone());
            Readers::start(registry, partitions, store, statuses, config.request_size_limit)
        };
        Ok(Core {
            partitions,
            registry,
            statuses,
            #[cfg(feature = "kafka")]
            readers,
            queries: Queries::new(Arc::clone(&store), attempts, config),
            store,
            request_size_limit: config.request_size_limit,
            intake: Intake::new(config.concurrent_requests_max),
            threads,
            exporting,
            _halt: halt,
            failures,
        })
    }

    /// Makes an ingress, for a listener or for callers within the process.
    pub fn ingress(&self, access: IngressAccess) -> Ingress {
        Ingress {
            partitions: self.partitions.clone(),
            schema: self.registry.schema(),
            request_size_limit: self.request_size_limit,
            intake: self.intake.clone(),
            access,
        }
    }

    /// Makes an admin API. `ingress_endpoint` is where callers connect, as a URI with a slash at the
    /// end.
    pub fn admin(&self, ingress_endpoint: String) -> Admin {
        Admin {
            registry: self.registry.clone(),
            partitions: self.partitions.clone(),
            store: Arc::clone(&self.store),
            ingress_endpoint,
            queries: self.queries.clone(),
            statuses: self.statuses.clone(),
        }
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

    /// A handle to the partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The registered deployments.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Stops: makes everything durable that was accepted, and lets go of the store.
    pub async fn stop(self) {
        #[cfg(feature = "kafka")]
        self.readers.stop().await;
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
