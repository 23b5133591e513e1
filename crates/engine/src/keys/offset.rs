//! Keys of the offsets taken from topics.

use bytes::{BufMut, Bytes, BytesMut};
use reveille_protocol::id::SubscriptionId;

use super::{prefix_range, tag};
use crate::subscription::Position;

const PREFIX_LEN: usize = 1 + 16;

/// Key of the highest offset taken from a partition of a topic.
pub fn offset(subscription: SubscriptionId, partition: u32, topic: &str) -> Bytes {
    let mut key = prefix(subscription, 4 + topic.len());
    key.put_u32(partition);
    key.put_slice(topic.as_bytes());
    key.freeze()
}

/// Reads such a row; `None` if it is not one.
pub fn parse_offset(key: &[u8], value: &[u8]) -> Option<Position> {
    let (tag, rest) = key.split_first()?;
    let (subscription, rest) = rest.split_first_chunk::<16>()?;
    let (partition, topic) = rest.split_first_chunk::<4>()?;
    (*tag == tag::OFFSET).then_some(())?;
    Some(Position {
        subscription: SubscriptionId(u128::from_be_bytes(*subscription)),
        partition: u32::from_be_bytes(*partition),
        topic: std::str::from_utf8(topic).ok()?.to_owned(),
        offset: u64::from_be_bytes(value.try_into().ok()?),
        previous: None,
    })
}

/// Range of all such rows of a subscription.
pub fn of_subscription_range(subscription: SubscriptionId) -> (Bytes, Bytes) {
    prefix_range(prefix(subscription, 0))
}

fn prefix(subscription: SubscriptionId, more: usize) -> BytesMut {
    let mut key = BytesMut::with_capacity(PREFIX_LEN + more);
    key.put_u8(tag::OFFSET);
    key.put_u128(subscription.0);
    key
}
