//! Where a subscription begins to read, and whether its topic is still the one it knows.
//!
//! - Owns: the offsets that are stored in a consumer group before anything is read.
//! - Invariant: what is in a topic when a subscription has begun is never passed over, whatever the
//!   group forgets later: only a subscription that has never begun may begin at the end.

use std::collections::BTreeMap;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{BEGINNING, Consumer};
use crate::limits;
use crate::registry::kafka::Subscription;

/// Checks the topic against what was taken of it (the highest offset of each partition), and stores
/// where to begin, as `auto.offset.reset` says. Blocks while it asks brokers. The error says what to do.
pub(super) fn prepare(
    consumer: &Consumer,
    subscription: &Subscription,
    beginning: &str,
    taken: &BTreeMap<u32, u64>,
) -> Result<(), String> {
    let topic = &subscription.topic;
    let Some(partitions) = partitions(consumer, topic)? else {
        if !taken.is_empty() {
            return Err(format!(
                "there is no topic '{topic}' any more, though records of it were taken: once there is \
                 one again, it is looked at whether it is the same"
            ));
        }
        // Whatever will be in it comes later than the subscription, so all of it is read.
        return Ok(());
    };
    for (partition, offset) in taken {
        let Ok(number) = i32::try_from(*partition) else { continue };
        if !partitions.contains(&number) {
            continue;
        }
        let (_, end) = watermarks(consumer, topic, number)?;
        if u64::try_from(end).unwrap_or(0) <= *offset {
            return Err(format!(
                "partition {partition} of topic '{topic}' ends at offset {end}, but offset {offset} \
                 was taken already: the topic was deleted and created anew. Remove this subscription \
                 and create another one, which begins at its beginning with 'auto.offset.reset' = \
                 'earliest'"
            ));
        }
    }
    match beginning {
        _ if subscription.anchored => Ok(()),
        "earliest" | "smallest" | "beginning" => Ok(()),
        "latest" | "largest" | "end" => anchor(consumer, topic, &partitions),
        other => Err(format!("'{BEGINNING}' is '{other}': use earliest or latest")),
    }
}

/// The partitions of a topic; `None` when there is no such topic.
fn partitions(consumer: &Consumer, topic: &str) -> Result<Option<Vec<i32>>, String> {
    let metadata = consumer.fetch_metadata(Some(topic), limits::KAFKA_ASK_TIMEOUT);
    let metadata = metadata.map_err(|error| format!("no broker answers: {error}"))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let error = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from);
    match (found, error) {
        (None, _) | (_, Some(RDKafkaErrorCode::UnknownTopicOrPartition)) => Ok(None),
        (Some(_), Some(error)) => Err(format!("topic '{topic}' cannot be read: {error}")),
        (Some(found), None) => {
            Ok(Some(found.partitions().iter().map(|partition| partition.id()).collect()))
        }
    }
}

/// Stores the end of each partition for which the group has no offset.
fn anchor(consumer: &Consumer, topic: &str, partitions: &[i32]) -> Result<(), String> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let committed = consumer.committed_offsets(list, limits::KAFKA_ASK_TIMEOUT);
    let committed = committed.map_err(|error| format!("the group cannot be read: {error}"))?;
    let mut ends = TopicPartitionList::new();
    for known in committed.elements() {
        known.error().map_err(|error| format!("the group cannot be read: {error}"))?;
        if matches!(known.offset(), Offset::Offset(_)) {
            continue;
        }
        let (_, end) = watermarks(consumer, topic, known.partition())?;
        let added = ends.add_partition_offset(topic, known.partition(), Offset::Offset(end));
        added.map_err(|error| error.to_string())?;
    }
    if ends.count() == 0 {
        return Ok(());
    }
    match consumer.commit(&ends, CommitMode::Sync) {
        // Other members of the group read already, and they say where it is.
        Ok(())
        | Err(KafkaError::ConsumerCommit(
            RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration,
        )) => Ok(()),
        Err(error) => Err(format!("the beginning cannot be stored in the group: {error}")),
    }
}

fn watermarks(consumer: &Consumer, topic: &str, partition: i32) -> Result<(i64, i64), String> {
    let marks = consumer.fetch_watermarks(topic, partition, limits::KAFKA_ASK_TIMEOUT);
    marks.map_err(|error| {
        format!("partition {partition} of topic '{topic}' does not answer: {error}")
    })
}
