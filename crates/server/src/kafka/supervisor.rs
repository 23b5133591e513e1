//! Who reads: one reader for each subscription that is set up, and nothing left of those that are not.
//!
//! - Invariant: what was taken for a removed subscription is forgotten only after its reader has
//!   ended, and the registry forgets that it was there only after every partition has.

use std::collections::BTreeMap;
use std::sync::Arc;

use reveille_engine::command::Command;
use reveille_engine::effect::Reply;
use reveille_protocol::id::SubscriptionId;
use reveille_store::Store;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::Statuses;
use super::consumer::{self, Around};
use crate::limits;
use crate::partition::Partitions;
use crate::registry::Registry;
use crate::registry::kafka::{Kafka, Properties, Subscription};

/// Reads every topic that is subscribed to; dropping it lets all readers go.
pub(crate) struct Readers {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// Ends when every client is closed.
    closed: mpsc::Receiver<()>,
}

impl Readers {
    /// Starts to read.
    pub(crate) fn start(
        registry: Registry,
        partitions: Partitions,
        store: Arc<dyn Store>,
        statuses: Statuses,
        body_bytes_max: usize,
    ) -> Readers {
        let (stop, stopping) = watch::channel(false);
        let schema = registry.schema();
        let (open, closed) = mpsc::channel(1);
        let around =
            Around { registry, partitions, store, schema, statuses, body_bytes_max, closed: open };
        Readers { stop, task: tokio::spawn(supervise(around, stopping)), closed }
    }

    /// Stops to read, and lets the groups know what was taken.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = async {
            if self.task.await.is_err() {
                warn!("who looks after the readers of topics ended with a panic");
            }
            // Nothing is ever sent: this waits until all clients are closed.
            while self.closed.recv().await.is_some() {}
        };
        if tokio::time::timeout(limits::STOP_TIMEOUT, ended).await.is_err() {
            warn!("a Kafka client takes long to close and is left behind; nothing is lost");
        }
    }
}

/// A reader that runs.
struct Reader {
    /// What it was started for.
    of: (Subscription, Option<Properties>),
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Reader {
    async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            warn!("a reader of a topic ended with a panic");
        }
    }
}

async fn supervise(around: Around, mut stopping: watch::Receiver<bool>) {
    let mut kafka = around.registry.kafka();
    let mut readers: BTreeMap<SubscriptionId, Reader> = BTreeMap::new();
    loop {
        let now = Arc::clone(&kafka.borrow_and_update());
        let gone: Vec<_> =
            readers.keys().filter(|id| !runs(&now, **id, &readers)).copied().collect();
        for id in gone {
            if let Some(reader) = readers.remove(&id) {
                reader.stop().await;
            }
        }
        for (id, subscription) in &now.subscriptions {
            readers.entry(*id).or_insert_with(|| start(&around, *id, subscription, &now));
        }
        for id in &now.removed {
            forget(&around, *id).await;
        }
        tokio::select! {
            changed = kafka.changed() => if changed.is_err() { break },
            stop = stopping.wait_for(|stop| *stop) => {
                // An error means that the server was dropped, which stops the readers as well.
                let _stopped = stop.is_ok();
                break;
            }
        }
    }
    for (_, reader) in readers {
        reader.stop().await;
    }
}

/// True when a reader does what is set up.
fn runs(kafka: &Kafka, id: SubscriptionId, readers: &BTreeMap<SubscriptionId, Reader>) -> bool {
    let Some(subscription) = kafka.subscriptions.get(&id) else { return false };
    readers
        .get(&id)
        .is_some_and(|reader| reader.of == of(kafka, subscription) && !reader.task.is_finished())
}

fn of(kafka: &Kafka, subscription: &Subscription) -> (Subscription, Option<Properties>) {
    let cluster = kafka.clusters.get(&subscription.cluster);
    // Where it began is not a reason to begin again.
    let subscription = Subscription { anchored: false, ..subscription.clone() };
    (subscription, cluster.map(|cluster| cluster.properties.clone()))
}

fn start(
    around: &Around,
    id: SubscriptionId,
    subscription: &Subscription,
    kafka: &Kafka,
) -> Reader {
    let of = of(kafka, subscription);
    let (stop, stopping) = watch::channel(false);
    let subscription = subscription.clone();
    let task = consumer::run(around.clone(), id, subscription, of.1.clone(), stopping);
    Reader { of, stop, task: tokio::spawn(task) }
}

/// Has every partition forget what was taken for a removed subscription. What cannot be done now is
/// done after the next change or start.
async fn forget(around: &Around, subscription: SubscriptionId) {
    for partition in 0..around.partitions.count() {
        let command = move |request| Command::ForgetSubscription { request, subscription };
        match around.partitions.ask_partition(partition, command).await {
            Ok(Reply::Done) => {}
            Ok(_) => return warn!(%subscription, partition, "was not forgotten"),
            Err(refused) => {
                return warn!(%subscription, partition, "is forgotten later: {refused}");
            }
        }
    }
    match around.registry.forgotten(subscription).await {
        Ok(()) => info!(%subscription, "is removed"),
        Err(error) => warn!(%subscription, "is forgotten later: {error}"),
    }
}
