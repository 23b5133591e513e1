//! Units: how many invocations of a scope or limit key run at the same time, and who is next.
//!
//! An invocation with a scope holds one unit of each of its levels ([`crate::level`]) while it is
//! running or backing off. When a level is full it is `Limited`: it queues, durably, until it fits
//! at every level. An invocation without a scope never gets here.
//!
//! Levels form a tree: scopes, first and second levels of limit keys. The next one is found from the
//! node down: its children take turns in the order of their names, the one behind the last served
//! first, full ones are passed over, and in a leaf the woken come before those that never ran, else
//! the oldest is first.
//! - Owns: the rows of the tables `u` and `y`.
//! - Does not own: limits ([`crate::rules`]), attempts ([`crate::attempt`]).
//! - Invariant: counters follow from the records alone, whatever the rules: a rule may appear, change
//!   or go at any time and nothing has to be counted again. Nobody queues who would fit, but between
//!   a change of the rules and the [`crate::command::Command::Admit`] that follows it.

use bytes::Bytes;

use crate::attempt;
use crate::effect::Effect;
use crate::keys::{self, tag};
use crate::level::{LevelRecord, Levels};
use crate::message::id_bytes;
use crate::record::{Status, decode, encode};
use crate::rules::Rules;
use crate::tx::{EngineError, Invocation, Tx};

/// Invocations that one step admits at most: each replays its journal.
pub const ADMISSIONS_PER_STEP: usize = 4;

/// Takes a unit of each level, or queues for them. Returns true when the invocation may run.
pub fn acquire(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<bool, EngineError> {
    let Some(levels) = Levels::of(&invocation.record) else { return Ok(true) };
    let [scope, ..] = levels.names();
    let mut full = false;
    for level in levels.iter() {
        full |= is_full(tx, level)?;
    }
    // What became free in this step goes to those who have waited: the newcomer takes its turn.
    let root = keys::level(&[scope]);
    let contended = tx.admits_within(&root);
    if contended {
        tx.admit_below(root);
    }
    if !full && !contended {
        for level in levels.iter() {
            change(tx, level, |record| record.usage += 1)?;
        }
        return Ok(true);
    }
    let mut position = 0;
    for level in levels.iter() {
        change(tx, level, |record| {
            record.waiting += 1;
            if level.len() == 1 {
                position = record.tail;
                record.tail += 1;
            }
        })?;
    }
    let row = keys::limited(levels.names(), invocation.record.attempt > 0, position);
    tx.create(row, id_bytes(invocation.id));
    invocation.record.set_status(Status::Limited);
    invocation.record.limited_position = position;
    invocation.record.modified_at = tx.now();
    Ok(false)
}

/// Gives the units of an invocation back that stops running.
pub fn release(tx: &mut Tx<'_>, invocation: &Invocation) -> Result<(), EngineError> {
    let Some(levels) = Levels::of(&invocation.record) else { return Ok(()) };
    let mut bottleneck = None;
    for level in levels.iter() {
        if bottleneck.is_none() && is_full(tx, level)? {
            bottleneck = Some(level);
        }
        change(tx, level, |record| record.usage = record.usage.saturating_sub(1))?;
    }
    // Whoever waits is kept back by a full level. If none of ours was full, nobody waits for us.
    if let Some(level) = bottleneck
        && read(tx, level)?.waiting > 0
    {
        tx.admit_below(keys::level(level));
    }
    Ok(())
}

/// Takes an invocation out of the queue.
pub fn leave(tx: &mut Tx<'_>, invocation: &Invocation) -> Result<(), EngineError> {
    let record = &invocation.record;
    let Some(levels) = Levels::of(record) else { return Ok(()) };
    tx.delete(keys::limited(levels.names(), record.attempt > 0, record.limited_position));
    for level in levels.iter() {
        change(tx, level, |record| record.waiting = record.waiting.saturating_sub(1))?;
    }
    Ok(())
}

/// Admits below the first scope at or behind `from` (a key of the table of the queues) that has
/// somebody queued, and asks to be called again for the next one.
pub fn on_admit(tx: &mut Tx<'_>, from: &Bytes) -> Result<(), EngineError> {
    let (start, end) = keys::table(tag::LIMITED);
    let Some((row, _)) = tx.scan(from.max(&start), &end, 1)?.pop() else { return Ok(()) };
    let [scope, ..] = names_of(&row)?;
    for _ in 0..ADMISSIONS_PER_STEP {
        if !admit_one(tx, &[scope])? {
            tx.emit(Effect::AdmitLater(keys::limited_range(&[scope]).1));
            return Ok(());
        }
    }
    tx.emit(Effect::AdmitLater(keys::limited_range(&[scope]).0));
    Ok(())
}

/// Admits those for whom this step has made room, as many as a step may.
pub fn admit_released(tx: &mut Tx<'_>, admitted: &mut usize) -> Result<bool, EngineError> {
    let Some(level) = tx.next_admission() else { return Ok(false) };
    let names = level_names(&level)?;
    if *admitted == ADMISSIONS_PER_STEP {
        tx.emit(Effect::AdmitLater(keys::limited_range(&names[..1]).0));
    } else if admit_one(tx, &names)? {
        *admitted += 1;
        tx.admit_below(level.clone());
    }
    Ok(true)
}

/// Usage and limit of one level, for whoever lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelUsage {
    /// Names from the scope down: one to three.
    pub names: Vec<String>,
    /// Units in use.
    pub usage: u32,
    /// Invocations that queue at this level or below it.
    pub waiting: u64,
    /// Limit, if there is one.
    pub concurrency: Option<u32>,
    /// Pattern of the rule that counts, if there is one.
    pub pattern: Option<String>,
}

impl LevelUsage {
    /// Decodes a row of the table `u`.
    pub fn decode(key: &[u8], value: &Bytes, rules: &Rules) -> Result<LevelUsage, EngineError> {
        let record: LevelRecord = decode(key, value)?;
        let names = level_names(key)?;
        let limit = rules.limit(&names);
        Ok(LevelUsage {
            usage: record.usage,
            waiting: record.waiting,
            concurrency: limit.map(|limit| limit.concurrency),
            pattern: limit.map(|limit| limit.pattern.to_owned()),
            names: names.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Units that are left; `None` without a limit.
    pub fn available(&self) -> Option<u32> {
        self.concurrency.map(|concurrency| concurrency.saturating_sub(self.usage))
    }

    /// The word used in APIs.
    pub fn level(&self) -> &'static str {
        match self.names.len() {
            1 => "scope",
            2 => "l1",
            _ => "l2",
        }
    }
}

/// Admits the next one below a node, if one fits.
fn admit_one(tx: &mut Tx<'_>, node: &[&str]) -> Result<bool, EngineError> {
    for len in 1..node.len() {
        if is_full(tx, &node[..len])? {
            return Ok(false);
        }
    }
    let Some((row, id)) = next(tx, node)? else { return Ok(false) };
    let found = match keys::parse_id(&id) {
        Some(id) => tx.load(id)?,
        None => None,
    };
    let Some(mut invocation) = found.filter(|found| found.status() == Status::Limited) else {
        return Err(EngineError::corrupt(&row, "no such invocation queues"));
    };
    leave(tx, &invocation)?;
    if let Some(levels) = Levels::of(&invocation.record) {
        for level in levels.iter() {
            change(tx, level, |record| record.usage += 1)?;
        }
    }
    attempt::start_admitted(tx, &mut invocation)?;
    Ok(true)
}

/// Finds whose turn it is below a node, and moves the turn on. Reads one level record and one row for
/// each full child that is passed over; no more are full than units of the node are in use.
fn next(tx: &mut Tx<'_>, node: &[&str]) -> Result<Option<(Bytes, Bytes)>, EngineError> {
    let named = node.last().is_some_and(|name| !name.is_empty());
    if named && is_full(tx, node)? {
        return Ok(None);
    }
    let (start, end) = keys::limited_range(node);
    if node.len() == 3 {
        return Ok(tx.scan(&start, &end, 1)?.pop());
    }
    let last = read(tx, node)?.last;
    let turn = match &last {
        Some(last) => keys::limited_range(&[node, &[last.as_str()]].concat()).1,
        None => start.clone(),
    };
    for (mut from, until) in [(turn.clone(), end), (start, turn)] {
        while let Some((row, _)) = tx.scan(&from, &until, 1)?.pop() {
            let child = names_of(&row)?[node.len()];
            let path = [node, &[child]].concat();
            if let Some(found) = next(tx, &path)? {
                if named {
                    change(tx, node, |record| record.last = Some(child.to_owned()))?;
                }
                return Ok(Some(found));
            }
            from = keys::limited_range(&path).1;
        }
    }
    Ok(None)
}

fn is_full(tx: &Tx<'_>, level: &[&str]) -> Result<bool, EngineError> {
    match tx.context.schema.rules.limit(level) {
        Some(limit) => Ok(read(tx, level)?.usage >= limit.concurrency),
        None => Ok(false),
    }
}

fn read(tx: &Tx<'_>, level: &[&str]) -> Result<LevelRecord, EngineError> {
    Ok(tx.read(&keys::level(level))?.unwrap_or_default())
}

/// Changes the record of a level. One that counts nothing any more is forgotten.
fn change(
    tx: &mut Tx<'_>,
    level: &[&str],
    edit: impl FnOnce(&mut LevelRecord),
) -> Result<(), EngineError> {
    let key = keys::level(level);
    let mut record: LevelRecord = tx.read(&key)?.unwrap_or_default();
    edit(&mut record);
    if record.usage == 0 && record.waiting == 0 {
        tx.delete(key);
    } else {
        tx.write(key, encode(&record));
    }
    Ok(())
}

fn names_of(row: &[u8]) -> Result<[&str; 3], EngineError> {
    keys::parse_limited(row).ok_or_else(|| EngineError::corrupt(row, "not a place in a queue"))
}

fn level_names(key: &[u8]) -> Result<Vec<&str>, EngineError> {
    keys::parse_level(key).ok_or_else(|| EngineError::corrupt(key, "not a level"))
}
