//! The reader of one subscription: a client, and a lane per partition of the topic.
//!
//! - Owns: the life of the client; it is made anew after whatever it cannot recover from.
//! - Invariant: a client that begins reads no record before it is known where it begins (`start`).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use reveille_engine::keys;
use reveille_engine::schema::Schema;
use reveille_protocol::id::SubscriptionId;
use reveille_store::{PartitionId, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::client::{self, BEGINNING, Listening, Open};
use super::lane::{Lane, Queue, Shared};
use super::record::{Record, Route};
use super::{Statuses, start};
use crate::limits;
use crate::partition::Partitions;
use crate::registry::Registry;
use crate::registry::kafka::{Properties, Subscription};

/// What every reader works with.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) registry: Registry,
    pub(super) partitions: Partitions,
    pub(super) store: Arc<dyn Store>,
    pub(super) schema: watch::Receiver<Arc<Schema>>,
    pub(super) statuses: Statuses,
    /// Largest body in bytes.
    pub(super) body_bytes_max: usize,
    /// Held by every client until it is closed.
    pub(super) closed: mpsc::Sender<()>,
}

/// Reads for a subscription until `stopping` says so. `properties` are those of the cluster, if it is
/// there.
pub(super) async fn run(
    around: Around,
    id: SubscriptionId,
    subscription: Subscription,
    properties: Option<Properties>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut subscription = subscription;
    let mut delay = limits::KAFKA_RETRY_DELAY;
    loop {
        let session = session(&around, id, &mut subscription, properties.as_ref(), &mut delay);
        let ended = tokio::select! {
            ended = session => ended,
            () = stopped(&mut stopping) => break,
        };
        let Err(problem) = ended else { continue };
        if around.statuses.show(id, None, &problem) {
            warn!(subscription = %id, source = subscription.source(), "nothing is read: {problem}");
        }
        let pause = tokio::time::sleep(delay);
        delay = (delay * 2).min(limits::KAFKA_RETRY_DELAY_MAX);
        tokio::select! {
            () = pause => {}
            () = stopped(&mut stopping) => break,
        }
    }
    around.statuses.clear_all(id);
    around.partitions.metrics().kafka.forget_lag(id);
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone.
    let _stopped = stopping.wait_for(|stop| *stop).await;
}

/// Reads with one client until that has to be made anew (`Ok`), or something is wrong.
async fn session(
    around: &Around,
    id: SubscriptionId,
    subscription: &mut Subscription,
    properties: Option<&Properties>,
    delay: &mut Duration,
) -> Result<(), String> {
    let cluster = &subscription.cluster;
    let properties = properties.ok_or_else(|| {
        format!(
            "there is no Kafka cluster '{cluster}' any more: create it, or remove this subscription"
        )
    })?;
    let listening = Listening { id, metrics: Arc::clone(&around.partitions.metrics().kafka) };
    let consumer = client::create(&[properties, &subscription.options], listening)?;
    let consumer = Open::new(consumer, around.closed.clone());
    let store = Arc::clone(&around.store);
    let asked = subscription.clone();
    let begins = asked.options.get(BEGINNING).or_else(|| properties.get(BEGINNING));
    let begins = begins.unwrap_or("latest").to_owned();
    let prepared = tokio::task::spawn_blocking(move || {
        let taken = taken(store.as_ref(), id, &asked.topic);
        let prepared = taken.and_then(|taken| start::prepare(&consumer, &asked, &begins, &taken));
        (consumer, prepared)
    });
    let (consumer, prepared) = prepared.await.map_err(|error| error.to_string())?;
    prepared?;
    if !subscription.anchored {
        around.registry.anchored(id).await.map_err(|error| error.to_string())?;
        subscription.anchored = true;
    }
    consumer.subscribe(&[&subscription.topic]).map_err(|error| error.to_string())?;
    // What was wrong is over: the brokers have answered, and lanes begin anew.
    around.statuses.clear_all(id);
    *delay = limits::KAFKA_RETRY_DELAY;
    let (topic, body_bytes_max) = (subscription.topic.as_str(), around.body_bytes_max);
    info!(subscription = %id, topic, "reads a topic");
    let route = Route { id, subscription: Arc::new(subscription.clone()), body_bytes_max };
    let shared = Arc::new(Shared {
        route,
        partitions: around.partitions.clone(),
        schema: around.schema.clone(),
        consumer,
        statuses: around.statuses.clone(),
    });
    read(&shared, delay).await
}

/// Hands records to lanes.
async fn read(shared: &Arc<Shared>, delay: &mut Duration) -> Result<(), String> {
    let (id, statuses) = (shared.route.id, &shared.statuses);
    let tracer = shared.partitions.tracer().clone();
    let mut lanes = JoinSet::new();
    // The queue of each lane, and the highest offset that it was given.
    let mut queues: BTreeMap<i32, (Arc<Queue>, i64)> = BTreeMap::new();
    let mut healthy = false;
    loop {
        let message = match shared.consumer.recv().await {
            Ok(message) => message,
            Err(error) => {
                let problem = format!("the brokers do not give records: {error}");
                if is_final(&error) {
                    return Err(problem);
                }
                healthy = false;
                if statuses.show(id, None, &problem) {
                    warn!(subscription = %id, "{problem}");
                }
                continue;
            }
        };
        if !healthy {
            (healthy, *delay) = (true, limits::KAFKA_RETRY_DELAY);
            statuses.clear(id, None);
        }
        let record = Record::read(&message, &shared.route, &tracer);
        let queue: &Queue = match queues.entry(message.partition()) {
            Entry::Vacant(vacant) => {
                let queue = Arc::new(Queue::default());
                lanes.spawn(
                    Lane::new(Arc::clone(shared), Arc::clone(&queue), record.partition).run(),
                );
                &vacant.insert((queue, message.offset())).0
            }
            Entry::Occupied(occupied) => {
                let (queue, highest) = occupied.into_mut();
                if message.offset() <= *highest {
                    // The group was rebalanced, or the topic is another one: a new start finds out.
                    let (partition, offset) = (message.partition(), message.offset());
                    info!(subscription = %id, partition, offset, "the topic goes on before its end");
                    return Ok(());
                }
                *highest = message.offset();
                queue
            }
        };
        queue.push(record, shared);
    }
}

/// True when the client does not recover by itself.
fn is_final(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumptionFatal(_)
            | KafkaError::MessageConsumption(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::PollExceeded
            )
    )
}

/// The highest offset that was taken of each partition of a topic. Blocks on the store.
fn taken(store: &dyn Store, id: SubscriptionId, topic: &str) -> Result<BTreeMap<u32, u64>, String> {
    let mut taken = BTreeMap::new();
    let (start, end) = keys::of_subscription_range(id);
    for partition in (0..store.partition_count()).map(PartitionId) {
        let mut from = start.clone();
        loop {
            let rows = store.scan(partition, &from, &end, limits::KAFKA_OFFSETS_PER_SCAN);
            let rows = rows.map_err(|error| error.to_string())?;
            for (key, value) in &rows {
                let at = keys::parse_offset(key, value);
                let at = at.ok_or_else(|| format!("an offset in {partition:?} is damaged"))?;
                if at.topic == topic {
                    let highest = taken.entry(at.partition).or_insert(at.offset);
                    *highest = at.offset.max(*highest);
                }
            }
            match rows.last() {
                Some((key, _)) if rows.len() == limits::KAFKA_OFFSETS_PER_SCAN => {
                    from = [key.as_ref(), &[0]].concat().into();
                }
                _ => break,
            }
        }
    }
    Ok(taken)
}
