//! Clients of Kafka: how they are set, and what they say.

use std::ops::Deref;
use std::sync::Arc;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use reveille_protocol::id::SubscriptionId;
use tokio::sync::mpsc;

use crate::limits;
use crate::metrics::KafkaMetrics;
use crate::registry::kafka::Properties;

/// A client that reads a topic.
pub(super) type Consumer = StreamConsumer<Listening>;

/// A client that is closed by a thread of its own when it is dropped: closing asks brokers, which may
/// not be there, and nobody should have to wait for that.
pub(super) struct Open {
    consumer: Option<Consumer>,
    closed: Option<mpsc::Sender<()>>,
}

impl Open {
    /// Takes charge of a client. `closed` is dropped once it is closed.
    pub(super) fn new(consumer: Consumer, closed: mpsc::Sender<()>) -> Open {
        Open { consumer: Some(consumer), closed: Some(closed) }
    }
}

impl Deref for Open {
    type Target = Consumer;

    fn deref(&self) -> &Consumer {
        self.consumer.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (consumer, closed) = (self.consumer.take(), self.closed.take());
        let close = move || {
            drop(consumer);
            drop(closed);
        };
        if let Err(error) = std::thread::Builder::new().name("kafka-close".into()).spawn(close) {
            tracing::warn!(%error, "no thread to close a Kafka client, it was closed at once");
        }
    }
}

/// Our own options are not for the client.
const OURS: &str = "reveille.";

/// Where a new subscription begins.
pub(super) const BEGINNING: &str = "auto.offset.reset";

/// Hears what a client says beside records.
pub(super) struct Listening {
    /// For whom.
    pub(super) id: SubscriptionId,
    /// Where lag is shown.
    pub(super) metrics: Arc<KafkaMetrics>,
}

impl ClientContext for Listening {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, "Kafka client: {message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::debug!(facility, "Kafka client: {message}");
            }
            RDKafkaLogLevel::Debug => tracing::trace!(facility, "Kafka client: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What matters comes with the records as well; this also tells of each connection.
        tracing::debug!(%error, "Kafka client: {reason}");
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lag: i64 = partitions.map(|partition| partition.consumer_lag.max(0)).sum();
        self.metrics.show_lag(self.id, u64::try_from(lag).unwrap_or(0));
    }
}

impl ConsumerContext for Listening {}

/// Refuses properties that no client can be made of; later ones win.
pub(super) fn check(properties: &[&Properties]) -> Result<(), String> {
    config(properties).create_native_config().map(drop).map_err(|error| explain(&error))
}

/// Makes a client.
pub(super) fn create(properties: &[&Properties], context: Listening) -> Result<Consumer, String> {
    let created: KafkaResult<Consumer> = config(properties).create_with_context(context);
    created.map_err(|error| explain(&error))
}

fn config(properties: &[&Properties]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("queued.max.messages.kbytes", limits::KAFKA_FETCH_AHEAD_KB.to_string());
    config.set("statistics.interval.ms", "15000");
    for (name, value) in properties.iter().flat_map(|properties| &properties.0) {
        if !name.starts_with(OURS) && name != BEGINNING {
            config.set(name, value);
        }
    }
    // Where a subscription begins is stored in its group before it reads, see `start`. Whatever else
    // the group does not know, such as a partition that was added, is read from its beginning.
    config.set(BEGINNING, "earliest");
    // What is stored for the next commit are the offsets of records that are durable here.
    config.set("enable.auto.commit", "true");
    config.set("enable.auto.offset.store", "false");
    config
}

/// The text of an error, without values: they may be secret.
fn explain(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, description, name, value) => {
            let description = description.replace(&format!("\"{value}\""), "\"…\"");
            format!("the property '{name}' is refused: {description}")
        }
        KafkaError::ClientCreation(text) => format!("no client can be made of this: {text}"),
        error => error.to_string(),
    }
}
