//! What the memory store holds, and how a crash takes back what was not durable.
//!
//! - Owns: rows, heads, the undo log and the switches.
//! - Invariant: undoing the log from its end gives exactly the last durable state.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    ops::Bound,
    sync::Weak,
};

use bytes::Bytes;

use super::{Fault, Process};
use crate::{Batch, Head, Lease, PartitionId, Write};

/// The rows of all partitions, shared by every process.
#[derive(Debug, Default)]
pub(super) struct Disk {
    partitions: BTreeMap<PartitionId, Partition>,
    undo: Vec<Undo>,
    pub(super) processes: Vec<Weak<Process>>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) full: bool,
    pub(super) lying: bool,
    pub(super) fencing_off: bool,
    pub(super) commit_calls: u64,
}

#[derive(Debug, Default)]
struct Partition {
    head: Head,
    rows: BTreeMap<Bytes, Bytes>,
}

/// One change with what was there before.
#[derive(Debug)]
enum Undo {
    Head(PartitionId, Head),
    Row(PartitionId, Bytes, Option<Bytes>),
}

impl Disk {
    pub(super) fn head(&self, id: PartitionId) -> Head {
        self.partitions.get(&id).map_or_else(Head::default, |partition| partition.head)
    }

    pub(super) fn take_over(&mut self, id: PartitionId) -> Lease {
        let mut head = self.head(id);
        let lease = head.take_over(id);
        self.set_head(id, head);
        lease
    }

    pub(super) fn write(&mut self, id: PartitionId, head: Head, batch: &Batch) {
        self.set_head(id, head);
        let rows = &mut self.partitions.entry(id).or_default().rows;
        for Write { key, value, .. } in &batch.writes {
            let before = match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
            self.undo.push(Undo::Row(id, key.clone(), before));
        }
    }

    /// Makes everything durable that was written so far, unless the disk lies.
    pub(super) fn flush(&mut self) {
        if !self.lying {
            self.undo.clear();
        }
    }

    /// Takes back everything that is not durable.
    pub(super) fn roll_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Head(id, head) => self.partitions.entry(id).or_default().head = head,
                Undo::Row(id, key, Some(value)) => {
                    self.partitions.entry(id).or_default().rows.insert(key, value);
                }
                Undo::Row(id, key, None) => {
                    self.partitions.entry(id).or_default().rows.remove(&key);
                }
            }
        }
    }

    pub(super) fn get(&self, id: PartitionId, key: &[u8]) -> Option<Bytes> {
        self.partitions.get(&id)?.rows.get(key).cloned()
    }

    pub(super) fn scan(
        &self,
        id: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Vec<(Bytes, Bytes)> {
        let rows = self.partitions.get(&id).map(|partition| &partition.rows);
        rows.map_or_else(Vec::new, |rows| scan_rows(rows, start, end, limit))
    }

    /// Returns a copy of every row.
    pub(super) fn rows(&self) -> BTreeMap<PartitionId, BTreeMap<Bytes, Bytes>> {
        self.partitions.iter().map(|(id, partition)| (*id, partition.rows.clone())).collect()
    }

    fn set_head(&mut self, id: PartitionId, head: Head) {
        let before = mem::replace(&mut self.partitions.entry(id).or_default().head, head);
        self.undo.push(Undo::Head(id, before));
    }
}

/// Returns the rows of a range, at most `limit` of them.
pub(super) fn scan_rows(
    rows: &BTreeMap<Bytes, Bytes>,
    start: &[u8],
    end: &[u8],
    limit: usize,
) -> Vec<(Bytes, Bytes)> {
    if start >= end {
        return Vec::new();
    }
    let rows = rows.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
    rows.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect()
}
