//! The key table: every kind of row a partition keeps, with its key layout.
//!
//! | tag | table | key after the tag | value |
//! |---|---|---|---|
//! | `i` | invocation | id | [`crate::record::InvocationRecord`] |
//! | `j` | journal | id, index u32 | [`crate::record::JournalEntry`] |
//! | `v` | journal event | id, number u32 | [`crate::event::StoredEvent`] |
//! | `c` | pending completion | id, completion id u32 | [`crate::record::Pending`] |
//! | `d` | decision over an awakeable | id, signal index u32 | [`crate::record::Decision`] |
//! | `a` | attached caller | id, caller id, created at u64, completion id u32 | empty |
//! | `l` | lock of an object key | instance | [`crate::record::LockRecord`] |
//! | `q` | queue behind a lock | instance, position u64 | id |
//! | `e` | state edit that waits | instance, position u64 | [`crate::state_edit::StoredStateEdit`] |
//! | `s` | state | instance, state key | value, verbatim |
//! | `p` | durable promise | instance, name | [`crate::record::PromiseRecord`] |
//! | `r` | waiter of a promise | instance, name, caller | empty |
//! | `t` | timer | due u64, kind u8, id, number u32 | empty |
//! | `w` | wait | since u64, id, kind u8, ordinal u32 | [`crate::record::StoredWait`] with its target |
//! | `f` | in flight | id | empty |
//! | `o` | outbox | receiving partition u16, sequence number u64 | [`crate::message::Message`] |
//! | `x` | last outbox sequence number | receiving partition u16 | u64 |
//! | `n` | last inbound sequence number | sending partition u16 | u64 |
//! | `u` | level of a scope or limit key | one to three names | [`crate::level::LevelRecord`] |
//! | `k` | highest offset taken from a topic | subscription u128, topic partition u32, topic | u64 |
//! | `y` | queue for units | three names, never ran u8, position u64 | id |
//!
//! Numbers are big-endian, so byte order is number order. *Instance* is service and key, each with
//! a u16 length in front, so that no two instances share a prefix. That of a scope has the u16
//! 0xFFFF, which is the length of no service, and its scope in front of both. *Names* are scope and
//! levels of the limit key ([`crate::level`]), each with a byte 0 behind it.
//! - Does not own: values ([`crate::record`]); the partition prefix (crate `store`).

mod offset;
mod range;

use bytes::{BufMut, Bytes, BytesMut};
use reveille_protocol::id::InvocationId;

use crate::command::{Caller, Millis};

pub use offset::{of_subscription_range, offset, parse_offset};
pub use range::{of_instance_range, of_invocation, of_scoped_range, of_service_range, table};

use range::prefix_range;

/// Table tags: the first byte of every key.
pub mod tag {
    #![allow(missing_docs, reason = "the table in the module header documents each tag")]
    pub const INVOCATION: u8 = b'i';
    pub const JOURNAL: u8 = b'j';
    pub const EVENT: u8 = b'v';
    pub const PENDING: u8 = b'c';
    pub const DECISION: u8 = b'd';
    pub const ATTACHED: u8 = b'a';
    pub const LOCK: u8 = b'l';
    pub const QUEUE: u8 = b'q';
    pub const STATE_EDIT: u8 = b'e';
    pub const STATE: u8 = b's';
    pub const PROMISE: u8 = b'p';
    pub const PROMISE_WAITER: u8 = b'r';
    pub const TIMER: u8 = b't';
    pub const WAIT: u8 = b'w';
    pub const IN_FLIGHT: u8 = b'f';
    pub const OUTBOX: u8 = b'o';
    pub const OUTBOX_SEQ: u8 = b'x';
    pub const INBOUND_SEQ: u8 = b'n';
    pub const LEVEL: u8 = b'u';
    pub const OFFSET: u8 = b'k';
    pub const LIMITED: u8 = b'y';
}

/// Longest object or workflow key, state key or promise name, in bytes: keys of rows are bounded.
pub const NAME_BYTES_MAX: usize = 16 * 1024;

/// Scope, service and key of an object or workflow.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// Its scope, if it has one.
    pub scope: Option<&'a str>,
    /// Service name.
    pub service: &'a str,
    /// Object or workflow key.
    pub key: &'a str,
}

/// What a timer does when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerKind {
    /// Starts a scheduled invocation.
    Start = 1,
    /// Completes a sleep; the number is its completion id.
    Sleep = 2,
    /// Forgets a completed invocation.
    Purge = 3,
    /// Forgets the journal of a completed invocation.
    PurgeJournal = 4,
}

/// A timer row, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// When it is due.
    pub due: Millis,
    /// What it does.
    pub kind: TimerKind,
    /// For which invocation.
    pub id: InvocationId,
    /// Completion id of a sleep, else 0.
    pub number: u32,
}

/// Key of an invocation record.
pub fn invocation(id: InvocationId) -> Bytes {
    of_id(tag::INVOCATION, id, 0).freeze()
}

/// Key of a journal entry.
pub fn journal(id: InvocationId, index: u32) -> Bytes {
    numbered(tag::JOURNAL, id, index)
}

/// Key of a journal event.
pub fn event(id: InvocationId, number: u32) -> Bytes {
    numbered(tag::EVENT, id, number)
}

/// Key of a pending completion.
pub fn pending(id: InvocationId, completion_id: u32) -> Bytes {
    numbered(tag::PENDING, id, completion_id)
}

/// Key of the decision over an awakeable.
pub fn decision(id: InvocationId, index: u32) -> Bytes {
    numbered(tag::DECISION, id, index)
}

/// Key of an attached caller.
pub fn attached(id: InvocationId, caller: &Caller) -> Bytes {
    let mut key = of_id(tag::ATTACHED, id, CALLER_LEN);
    put_caller(&mut key, caller);
    key.freeze()
}

/// Key of a lock.
pub fn lock(instance: Instance<'_>) -> Bytes {
    of_instance(tag::LOCK, instance, 0).freeze()
}

/// Key of a position in the queue behind a lock.
pub fn queue(instance: Instance<'_>, position: u64) -> Bytes {
    positioned(tag::QUEUE, instance, position)
}

/// Key of a state edit that waits for its turn.
pub fn state_edit(instance: Instance<'_>, position: u64) -> Bytes {
    positioned(tag::STATE_EDIT, instance, position)
}

/// Key of a state value.
pub fn state(instance: Instance<'_>, state_key: &[u8]) -> Bytes {
    let mut key = of_instance(tag::STATE, instance, state_key.len());
    key.put_slice(state_key);
    key.freeze()
}

/// Key of a durable promise.
pub fn promise(instance: Instance<'_>, name: &str) -> Bytes {
    let mut key = of_instance(tag::PROMISE, instance, name.len());
    key.put_slice(name.as_bytes());
    key.freeze()
}

/// Key of a waiter of a promise.
pub fn promise_waiter(instance: Instance<'_>, name: &str, caller: &Caller) -> Bytes {
    let mut key = of_instance(tag::PROMISE_WAITER, instance, name.len() + 2 + CALLER_LEN);
    put_name(&mut key, name);
    put_caller(&mut key, caller);
    key.freeze()
}

/// Key of a timer.
pub fn timer(timer: Timer) -> Bytes {
    let mut key = BytesMut::with_capacity(1 + 8 + 1 + 24 + 4);
    key.put_u8(tag::TIMER);
    key.put_u64(timer.due);
    key.put_u8(timer.kind as u8);
    key.put_slice(timer.id.as_bytes());
    key.put_u32(timer.number);
    key.freeze()
}

/// Decodes the key of a timer; `None` if it is not one.
pub fn parse_timer(key: &[u8]) -> Option<Timer> {
    if key.len() != 38 || key[0] != tag::TIMER {
        return None;
    }
    let kind = match key[9] {
        1 => TimerKind::Start,
        2 => TimerKind::Sleep,
        3 => TimerKind::Purge,
        4 => TimerKind::PurgeJournal,
        _ => return None,
    };
    let due = u64::from_be_bytes(key[1..9].try_into().ok()?);
    let number = u32::from_be_bytes(key[34..38].try_into().ok()?);
    Some(Timer { due, kind, id: parse_id(&key[10..34])?, number })
}

/// Key of a wait.
pub fn wait(since: Millis, id: InvocationId, kind: u8, ordinal: u32) -> Bytes {
    let mut key = BytesMut::with_capacity(1 + 8 + 24 + 1 + 4);
    key.put_u8(tag::WAIT);
    key.put_u64(since);
    key.put_slice(id.as_bytes());
    key.put_u8(kind);
    key.put_u32(ordinal);
    key.freeze()
}

/// Range of the waits that began at `since` or later.
pub fn wait_range(since: Millis) -> (Bytes, Bytes) {
    let mut start = BytesMut::with_capacity(9);
    start.put_u8(tag::WAIT);
    start.put_u64(since);
    (start.freeze(), Bytes::from_static(&[tag::WAIT + 1]))
}

/// Key of the mark that an invocation has an attempt or a back-off going.
pub fn in_flight(id: InvocationId) -> Bytes {
    of_id(tag::IN_FLIGHT, id, 0).freeze()
}

/// Key of an outbox message.
pub fn outbox(to: u16, seq: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(11);
    key.put_u8(tag::OUTBOX);
    key.put_u16(to);
    key.put_u64(seq);
    key.freeze()
}

/// Decodes the key of an outbox message: receiving partition and sequence number.
pub fn parse_outbox(key: &[u8]) -> Option<(u16, u64)> {
    if key.len() != 11 || key[0] != tag::OUTBOX {
        return None;
    }
    let to = u16::from_be_bytes(key[1..3].try_into().ok()?);
    Some((to, u64::from_be_bytes(key[3..11].try_into().ok()?)))
}

/// Key of the last sequence number of the outbox to a partition.
pub fn outbox_seq(to: u16) -> Bytes {
    partition(tag::OUTBOX_SEQ, to)
}

/// Key of the last sequence number taken from a partition.
pub fn inbound_seq(from: u16) -> Bytes {
    partition(tag::INBOUND_SEQ, from)
}

/// Key of a level, named from the scope down.
pub fn level(names: &[&str]) -> Bytes {
    of_names(tag::LEVEL, names, 0).freeze()
}

/// Decodes the key of a level.
pub fn parse_level(key: &[u8]) -> Option<Vec<&str>> {
    let (tag, rest) = key.split_first()?;
    let names = std::str::from_utf8(rest.strip_suffix(b"\0")?).ok()?;
    (*tag == tag::LEVEL).then(|| names.split('\0').collect())
}

/// Key of a place in the queue for units. A level that the invocation does not have is empty.
pub fn limited(names: [&str; 3], woken: bool, position: u64) -> Bytes {
    let mut key = of_names(tag::LIMITED, &names, 9);
    key.put_u8(u8::from(!woken));
    key.put_u64(position);
    key.freeze()
}

/// Decodes the names of a place in the queue for units.
pub fn parse_limited(key: &[u8]) -> Option<[&str; 3]> {
    let names = key.strip_prefix(&[tag::LIMITED])?;
    let names = std::str::from_utf8(names.get(..names.len().checked_sub(9)?)?).ok()?;
    let mut names = names.strip_suffix('\0')?.split('\0');
    Some([names.next()?, names.next()?, names.next()?])
}

/// Range of the places in the queue for units below a level, or all those of a leaf.
pub fn limited_range(names: &[&str]) -> (Bytes, Bytes) {
    prefix_range(of_names(tag::LIMITED, names, 0))
}

/// Range of all waiters of a promise.
pub fn promise_waiters(instance: Instance<'_>, name: &str) -> (Bytes, Bytes) {
    let mut prefix = of_instance(tag::PROMISE_WAITER, instance, name.len() + 2);
    put_name(&mut prefix, name);
    prefix_range(prefix)
}

/// Length of the part in front of the state key or promise name.
pub fn instance_prefix_len(instance: Instance<'_>) -> usize {
    let scope = instance.scope.map_or(0, |scope| 2 + 2 + scope.len());
    1 + scope + 2 + instance.service.len() + 2 + instance.key.len()
}

/// Decodes the caller at the end of an attached-caller or promise-waiter key.
pub fn parse_caller(key: &[u8]) -> Option<Caller> {
    let tail = key.get(key.len().checked_sub(CALLER_LEN)?..)?;
    Some(Caller {
        id: parse_id(&tail[..24])?,
        created_at: u64::from_be_bytes(tail[24..32].try_into().ok()?),
        completion_id: u32::from_be_bytes(tail[32..36].try_into().ok()?),
    })
}

/// Decodes an id at the start of `bytes`.
pub fn parse_id(bytes: &[u8]) -> Option<InvocationId> {
    Some(InvocationId::from_bytes(bytes.get(..24)?.try_into().ok()?))
}

const CALLER_LEN: usize = 24 + 8 + 4;

fn put_caller(key: &mut BytesMut, caller: &Caller) {
    key.put_slice(caller.id.as_bytes());
    key.put_u64(caller.created_at);
    key.put_u32(caller.completion_id);
}

fn put_name(key: &mut BytesMut, name: &str) {
    // Names are bounded by NAME_BYTES_MAX before they get here.
    key.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
    key.put_slice(name.as_bytes());
}

fn of_id(tag: u8, id: InvocationId, more: usize) -> BytesMut {
    let mut key = BytesMut::with_capacity(25 + more);
    key.put_u8(tag);
    key.put_slice(id.as_bytes());
    key
}

fn numbered(tag: u8, id: InvocationId, number: u32) -> Bytes {
    let mut key = of_id(tag, id, 4);
    key.put_u32(number);
    key.freeze()
}

fn of_instance(tag: u8, instance: Instance<'_>, more: usize) -> BytesMut {
    let mut key = BytesMut::with_capacity(instance_prefix_len(instance) + more);
    key.put_u8(tag);
    if let Some(scope) = instance.scope {
        key.put_u16(u16::MAX);
        put_name(&mut key, scope);
    }
    put_name(&mut key, instance.service);
    put_name(&mut key, instance.key);
    key
}

fn positioned(tag: u8, instance: Instance<'_>, position: u64) -> Bytes {
    let mut key = of_instance(tag, instance, 8);
    key.put_u64(position);
    key.freeze()
}

fn of_names(tag: u8, names: &[&str], more: usize) -> BytesMut {
    let len: usize = names.iter().map(|name| name.len() + 1).sum();
    let mut key = BytesMut::with_capacity(1 + len + more);
    key.put_u8(tag);
    for name in names {
        key.put_slice(name.as_bytes());
        key.put_u8(0);
    }
    key
}

fn partition(tag: u8, partition: u16) -> Bytes {
    let [high, low] = partition.to_be_bytes();
    Bytes::copy_from_slice(&[tag, high, low])
}
