//! Locks of object keys: one exclusive invocation at a time, the others in order.
//!
//! - Owns: the lock row and the queue behind it, where state edits have positions too.
//! - Invariant: the holder is the only exclusive invocation of its key that is neither queued nor
//!   completed. The head of the queue is kept in the lock row, so that taking the next one never
//!   walks over rows that were deleted before.

use crate::attempt;
use crate::keys;
use crate::message::id_bytes;
use crate::record::{LockRecord, Status, encode};
use crate::state_edit;
use crate::tx::{EngineError, Invocation, Tx};

/// Takes the lock, or queues behind it. Returns true when the lock is held.
pub fn acquire(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<bool, EngineError> {
    let key = keys::lock(invocation.instance());
    let Some(mut lock) = tx.read::<LockRecord>(&key)? else {
        let lock = LockRecord { holder: id_bytes(invocation.id), ..LockRecord::default() };
        tx.create(key, encode(&lock));
        return Ok(true);
    };
    invocation.record.set_status(Status::Queued);
    invocation.record.queue_position = lock.tail;
    invocation.record.queued_at = Some(tx.now());
    tx.create(keys::queue(invocation.instance(), lock.tail), id_bytes(invocation.id));
    lock.tail += 1;
    tx.write(key, encode(&lock));
    Ok(false)
}

/// Gives the lock of a completed holder to the next in the queue and starts it.
pub fn release(tx: &mut Tx<'_>, holder: &Invocation) -> Result<(), EngineError> {
    let instance = holder.instance();
    let key = keys::lock(instance);
    let Some(mut lock) = tx.read::<LockRecord>(&key)? else { return Ok(()) };
    if lock.holder != holder.id.as_bytes().as_slice() {
        return Ok(());
    }
    let start = keys::queue(instance, lock.head);
    let end = keys::queue(instance, lock.tail);
    let first = tx.scan(&start, &end, 1)?.pop();
    if lock.edits > 0 {
        let position = first.as_ref().and_then(|(row, _)| row.last_chunk().copied());
        let position = position.map_or(lock.tail, u64::from_be_bytes);
        state_edit::apply_before(tx, instance, &mut lock, position)?;
    }
    let Some((row, id)) = first else {
        tx.delete(key);
        return Ok(());
    };
    let found = match keys::parse_id(&id) {
        Some(id) => tx.load(id)?,
        None => None,
    };
    let Some(mut next) = found else {
        return Err(EngineError::corrupt(&row, "the queued invocation does not exist"));
    };
    tx.delete(row);
    lock.head = next.record.queue_position + 1;
    lock.holder = id;
    tx.write(key, encode(&lock));
    attempt::start(tx, &mut next)
}

/// Removes a queued invocation from the queue.
pub fn leave_queue(tx: &mut Tx<'_>, invocation: &Invocation) {
    tx.delete(keys::queue(invocation.instance(), invocation.record.queue_position));
}
