//! The stored form of clusters and subscriptions, as one row.
//!
//! | key | value |
//! |---|---|
//! | `kafka` | version byte ‖ JSON of [`Record`]; absent until the first change |

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_protocol::id::SubscriptionId;
use reveille_store::{Batch, PartitionId, Store};
use serde::{Deserialize, Serialize};

use super::{Cluster, Kafka, KafkaError, Properties, Subscription};
use crate::registry::RegistryError;

const KEY: &[u8] = b"kafka";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    clusters: Vec<ClusterRecord>,
    subscriptions: Vec<SubscriptionRecord>,
    /// Ids of those that are gone, while a partition may still know what they took.
    removed: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ClusterRecord {
    name: String,
    properties: Properties,
    created_at_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct SubscriptionRecord {
    id: String,
    cluster: String,
    topic: String,
    service: String,
    handler: String,
    options: Properties,
    anchored: bool,
}

/// Reads the row.
pub(super) fn load(store: &dyn Store, partition: PartitionId) -> Result<Kafka, RegistryError> {
    let Some(value) = store.get(partition, KEY)? else { return Ok(Kafka::default()) };
    decode(&value).map_err(|detail| KafkaError::Damaged(detail).into())
}

fn decode(value: &[u8]) -> Result<Kafka, String> {
    let json = match value.split_first() {
        Some((&VERSION, json)) => json,
        Some((found, _)) => {
            return Err(format!("version {found} is not supported, only {VERSION}"));
        }
        None => return Err("it is empty".to_owned()),
    };
    let record: Record = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let parse =
        |text: &str| text.parse::<SubscriptionId>().map_err(|error| format!("{text}: {error}"));
    let mut kafka = Kafka::default();
    for cluster in record.clusters {
        let ClusterRecord { name, properties, created_at_ms } = cluster;
        kafka.clusters.insert(name, Cluster { properties, created_at_ms, configured: false });
    }
    for stored in record.subscriptions {
        let SubscriptionRecord { id, cluster, topic, service, handler, options, anchored } = stored;
        let subscription = Subscription { cluster, topic, service, handler, options, anchored };
        kafka.subscriptions.insert(parse(&id)?, subscription);
    }
    kafka.removed = record.removed.iter().map(|id| parse(id)).collect::<Result<_, _>>()?;
    Ok(kafka)
}

/// Makes the batch that brings it from memory to the store. What is configured is not stored.
pub(super) fn batch(kafka: &Kafka) -> Result<Batch, RegistryError> {
    let stored: BTreeMap<_, _> = kafka.clusters.iter().filter(|(_, c)| !c.configured).collect();
    let record = Record {
        clusters: stored
            .into_iter()
            .map(|(name, cluster)| ClusterRecord {
                name: name.clone(),
                properties: cluster.properties.clone(),
                created_at_ms: cluster.created_at_ms,
            })
            .collect(),
        subscriptions: kafka
            .subscriptions
            .iter()
            .map(|(id, subscription)| SubscriptionRecord {
                id: id.to_string(),
                cluster: subscription.cluster.clone(),
                topic: subscription.topic.clone(),
                service: subscription.service.clone(),
                handler: subscription.handler.clone(),
                options: subscription.options.clone(),
                anchored: subscription.anchored,
            })
            .collect(),
        removed: kafka.removed.iter().map(SubscriptionId::to_string).collect(),
    };
    let mut value = vec![VERSION];
    serde_json::to_writer(&mut value, &record)
        .map_err(|error| KafkaError::Damaged(error.to_string()))?;
    let mut batch = Batch::default();
    batch.put(Bytes::from_static(KEY), Bytes::from(value));
    Ok(batch)
}
