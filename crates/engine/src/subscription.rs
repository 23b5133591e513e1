//! Records of topics that become invocations, each exactly once.
//!
//! A partition keeps the highest offset that it took of each partition of a topic. The step that
//! creates an invocation writes the offset of its record, so that both are durable or none is;
//! whatever a broker or another reader thinks was read is a hint. Offsets are taken in rising order;
//! of the gaps that are left the records live in other partitions, or were skipped on purpose.
//!
//! - Owns: which record was taken, and the id that it gives to its invocation.
//! - Does not own: where records come from, what a record that fits no handler leads to (server).
//! - Invariant: a record below the highest taken offset is never taken later. This is why a sender
//!   says what it sent before: when that was not taken, nothing behind it is.

use reveille_protocol::id::SubscriptionId;

use crate::command::{Invoke, RequestId};
use crate::effect::{Effect, Reply, Taken};
use crate::invoke;
use crate::keys;
use crate::tx::{EngineError, Tx};

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The subscription that reads it.
    pub subscription: SubscriptionId,
    /// The topic.
    pub topic: String,
    /// Partition of the topic.
    pub partition: u32,
    /// Offset in there.
    pub offset: u64,
    /// Offset of the record that was sent to this partition of ours just before, while it may still
    /// be under way; `None` when nothing is.
    pub previous: Option<u64>,
}

/// Takes a record, unless it was taken before.
pub fn on_record(
    tx: &mut Tx<'_>,
    request: RequestId,
    invoke: Invoke,
    at: &Position,
) -> Result<(), EngineError> {
    let key = keys::offset(at.subscription, at.partition, &at.topic);
    let taken = match tx.get(&key)? {
        None => None,
        Some(value) => {
            let before = keys::parse_offset(&key, &value);
            let before = before.ok_or_else(|| EngineError::corrupt(&key, "not an offset"))?;
            Some(before.offset)
        }
    };
    let id = invoke.id;
    let reply = if taken >= Some(at.offset) {
        Reply::Taken { id, taken: Taken::Before }
    } else if taken < at.previous {
        Reply::TakenTooEarly { taken }
    } else if invoke::existing(tx, &invoke)?.is_some() {
        Reply::Taken { id, taken: Taken::Joined }
    } else if invoke::create(tx, invoke)?.is_some() {
        Reply::Taken { id, taken: Taken::Created }
    } else {
        Reply::Unavailable(invoke::REMOVED.to_owned())
    };
    if matches!(reply, Reply::Taken { taken: Taken::Created | Taken::Joined, .. }) {
        tx.write(key, at.offset.to_be_bytes().to_vec().into());
    }
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// Forgets what was taken for a subscription.
pub fn on_forget(
    tx: &mut Tx<'_>,
    request: RequestId,
    subscription: SubscriptionId,
) -> Result<(), EngineError> {
    tx.delete_range(&keys::of_subscription_range(subscription))?;
    tx.emit(Effect::Reply(request, Reply::Done));
    Ok(())
}
