//! The counters of scopes and limit keys follow from the records.
//!
//! - Owns: what each level must count.
//! - Does not own: limits; whether somebody ought to have been admitted depends on the rules.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::keys;
use crate::level::{LevelRecord, Levels};
use crate::record::{InvocationRecord, Status, decode};
use crate::tx::Invocation;

/// The place in the queue for units that a record names.
pub(super) fn place(record: &InvocationRecord) -> Bytes {
    let names = Levels::of(record).map(|levels| levels.names()).unwrap_or_default();
    keys::limited(names, record.attempt > 0, record.limited_position)
}

/// Counted from the records, by the key of the row.
#[derive(Default)]
pub(super) struct Counted(BTreeMap<Bytes, LevelRecord>);

impl Counted {
    /// Counts one invocation.
    pub(super) fn add(&mut self, invocation: &Invocation) {
        let (usage, waiting) = match invocation.status() {
            Status::Running | Status::BackingOff => (1, 0),
            Status::Limited => (0, 1),
            _ => return,
        };
        let Some(levels) = Levels::of(&invocation.record) else { return };
        for level in levels.iter() {
            let counted = self.0.entry(keys::level(level)).or_default();
            counted.usage += usage;
            counted.waiting += waiting;
            if level.len() == 1 && waiting > 0 {
                counted.tail = counted.tail.max(invocation.record.limited_position + 1);
            }
        }
    }

    /// Compares with the rows.
    pub(super) fn compare<'r>(
        mut self,
        rows: impl Iterator<Item = (&'r Bytes, &'r Bytes)>,
    ) -> Result<(), String> {
        for (key, value) in rows {
            let stored: LevelRecord = decode(key, value).map_err(|error| error.to_string())?;
            let counted = self.0.remove(key).unwrap_or_default();
            let same = stored.usage == counted.usage && stored.waiting == counted.waiting;
            if !same || (stored.usage == 0 && stored.waiting == 0) || stored.tail < counted.tail {
                let names = keys::parse_level(key).unwrap_or_default();
                return Err(format!("level {names:?} stores {stored:?}, counted are {counted:?}"));
            }
        }
        match self.0.into_keys().next() {
            Some(key) => Err(super::finding("missing:", &key)),
            None => Ok(()),
        }
    }
}
