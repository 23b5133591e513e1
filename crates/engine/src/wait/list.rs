//! The wait table: what suspended invocations wait for, oldest first.
//!
//! - Owns: the rows of the wait table, and the list in the record from which they follow.
//! - Invariant: the rows of an invocation are those of its list while it is suspended, else none.

use bytes::Bytes;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;

use super::WaitKind;
use crate::await_tree::Leaf;
use crate::keys;
use crate::record::{self, Pending, StoredWait};
use crate::tx::{EngineError, Invocation, Tx};

/// Waits that are listed for one invocation; a handler that awaits more still wakes on each.
pub const WAITS_LISTED_MAX: usize = 256;

/// Lists what a suspended invocation waits for. A wait keeps its age over attempts.
pub fn list(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    leaves: &[Leaf],
) -> Result<(), EngineError> {
    remember(tx, invocation, leaves)?;
    let record = &invocation.record;
    for (key, wait) in rows(invocation) {
        let row = wait.row_of(record);
        tx.create(key, record::encode(&row));
    }
    Ok(())
}

/// Takes what an invocation waits for into its record, without rows.
pub fn remember(
    tx: &Tx<'_>,
    invocation: &mut Invocation,
    leaves: &[Leaf],
) -> Result<(), EngineError> {
    let old = std::mem::take(&mut invocation.record.waits);
    for leaf in leaves.iter().take(WAITS_LISTED_MAX) {
        let Some((kind, index, name)) = describe(tx, invocation, leaf)? else { continue };
        invocation.record.awaited_answer |= kind == WaitKind::Awakeable;
        let kind = kind as u32;
        let same =
            |wait: &&StoredWait| wait.kind == kind && wait.index == index && wait.name == name;
        if invocation.record.waits.iter().any(|wait| same(&wait)) {
            continue;
        }
        let known = old.iter().find(same);
        let ordinal = u32::try_from(invocation.record.waits.len()).unwrap_or(u32::MAX);
        invocation.record.waits.push(StoredWait {
            ordinal,
            kind,
            index,
            name,
            since: known.map_or(tx.now(), |wait| wait.since),
            attempt: known.map_or(invocation.record.attempt, |wait| wait.attempt),
            ..StoredWait::default()
        });
    }
    Ok(())
}

/// Removes the rows of an invocation that goes on.
pub fn unlist(tx: &mut Tx<'_>, invocation: &Invocation) {
    for (key, _) in rows(invocation) {
        tx.delete(key);
    }
}

/// Takes what has been answered off the list of an invocation that goes on. The rest stays, for its
/// age.
pub fn forget(invocation: &mut Invocation, leaf: &Leaf) {
    invocation.record.waits.retain(|wait| !is_of(wait, leaf));
}

/// Takes what has been answered off the list of an invocation that stays suspended, its row included.
/// Costs that one row, however many are left.
pub fn take_off(tx: &mut Tx<'_>, invocation: &mut Invocation, leaf: &Leaf) {
    for wait in invocation.record.waits.iter().filter(|wait| is_of(wait, leaf)) {
        tx.delete(row_key(invocation.id, wait));
    }
    forget(invocation, leaf);
}

fn rows(invocation: &Invocation) -> impl Iterator<Item = (Bytes, &StoredWait)> {
    invocation.record.waits.iter().map(|wait| (row_key(invocation.id, wait), wait))
}

fn row_key(id: InvocationId, wait: &StoredWait) -> Bytes {
    keys::wait(wait.since, id, u8::try_from(wait.kind).unwrap_or(0), wait.ordinal)
}

fn is_of(wait: &StoredWait, leaf: &Leaf) -> bool {
    match (WaitKind::from_number(wait.kind), leaf) {
        (Some(WaitKind::Signal), Leaf::Named(name)) => wait.name.as_ref() == Some(name),
        (Some(WaitKind::Signal), _) | (_, Leaf::Named(_)) => false,
        (Some(WaitKind::Awakeable), Leaf::Signal(index)) => wait.index == *index,
        (Some(WaitKind::Awakeable), _) | (_, Leaf::Signal(_)) => false,
        (_, Leaf::Completion(id)) => wait.index == *id,
    }
}

type Described = (WaitKind, u32, Option<String>);

fn describe(
    tx: &Tx<'_>,
    invocation: &Invocation,
    leaf: &Leaf,
) -> Result<Option<Described>, EngineError> {
    let id = match leaf {
        Leaf::Named(name) => return Ok(Some((WaitKind::Signal, 0, Some(name.clone())))),
        Leaf::Signal(index) => return Ok(Some((WaitKind::Awakeable, *index, None))),
        Leaf::Completion(id) => *id,
    };
    let pending: Option<Pending> = tx.read(&keys::pending(invocation.id, id))?;
    Ok(pending.map(|pending| match MessageType(u16::try_from(pending.command).unwrap_or(0)) {
        MessageType::SLEEP_COMMAND => (WaitKind::Timer, id, None),
        MessageType::GET_PROMISE_COMMAND => (WaitKind::Promise, id, Some(pending.name)),
        _ => (WaitKind::Call, id, None),
    }))
}
