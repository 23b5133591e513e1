//! The waits of all partitions in one order: by time, then partition, then key.
//!
//! - Owns: the order, the cursor that continues in it, reading in bounded pieces.
//! - Does not own: filters and pages ([`super::wait_list`]).
//! - Invariant: keys of waits are ordered by time within a partition, so the oldest of the first
//!   rows of all partitions is the oldest of all.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use reveille_engine::{keys, wait::WaitRow};
use reveille_store::{PartitionId, Snapshot};

use super::reading::Unreadable;
use crate::limits;

/// The place of one wait in the order. Its text form is opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) since: u64,
    pub(super) partition: u16,
    pub(super) key: Bytes,
}

/// Hands out the waits of all partitions in order.
pub(super) struct Merge<'a> {
    snapshot: &'a dyn Snapshot,
    /// Behind the last wait that is wanted; the same in every partition.
    end: Bytes,
    sources: Vec<Source>,
    /// Time of the first row of every source that has one, oldest on top.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
}

/// What is read of one partition.
struct Source {
    rows: VecDeque<(Bytes, WaitRow)>,
    /// Where to read on; `None` when the partition has no more.
    rest: Option<Bytes>,
}

impl Cursor {
    /// Makes the text form.
    pub(super) fn encode(&self) -> String {
        let (since, partition) = (self.since.to_be_bytes(), self.partition.to_be_bytes());
        URL_SAFE_NO_PAD.encode([&since[..], &partition, &self.key].concat())
    }

    /// Reads the text form; `None` if it is none.
    pub(super) fn decode(text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (since, rest) = bytes.split_first_chunk::<8>()?;
        let (partition, key) = rest.split_first_chunk::<2>()?;
        let since = u64::from_be_bytes(*since);
        let partition = u16::from_be_bytes(*partition);
        // A key of another table would make us read what is no wait.
        let (start, end) = keys::wait_range(since);
        let key = Bytes::copy_from_slice(key);
        (start <= key && key < end).then_some(Cursor { since, partition, key })
    }

    /// Where to read on in a partition after this wait.
    fn start_in(&self, partition: u16) -> Bytes {
        let since = match partition.cmp(&self.partition) {
            Ordering::Less => self.since.saturating_add(1),
            Ordering::Equal => return successor(&self.key),
            Ordering::Greater => self.since,
        };
        keys::wait_range(since).0
    }
}

impl<'a> Merge<'a> {
    /// Reads the first rows of every partition: those after `after` that began at `since_max` or
    /// before.
    pub(super) fn start(
        snapshot: &'a dyn Snapshot,
        after: Option<&Cursor>,
        since_max: u64,
    ) -> Result<Merge<'a>, Unreadable> {
        let end = keys::wait_range(since_max.saturating_add(1)).0;
        let start = |partition| match after {
            Some(cursor) => cursor.start_in(partition),
            None => keys::wait_range(0).0,
        };
        let sources = (0..snapshot.partition_count())
            .map(|partition| Source::read(snapshot, partition, &start(partition), &end))
            .collect::<Result<Vec<Source>, Unreadable>>()?;
        let heads = sources.iter().enumerate();
        let heads = heads.filter_map(|(number, source)| source.head().map(|since| (since, number)));
        let heads = heads.map(Reverse).collect();
        Ok(Merge { snapshot, end, sources, heads })
    }

    /// Takes the next wait.
    pub(super) fn next(&mut self) -> Result<Option<(Cursor, WaitRow)>, Unreadable> {
        let Some(Reverse((since, number))) = self.heads.pop() else { return Ok(None) };
        let partition = u16::try_from(number).expect("partition numbers are u16");
        let Some((key, row)) = self.sources[number].rows.pop_front() else { return Ok(None) };
        if self.sources[number].rows.is_empty()
            && let Some(start) = self.sources[number].rest.take()
        {
            self.sources[number] = Source::read(self.snapshot, partition, &start, &self.end)?;
        }
        if let Some(since) = self.sources[number].head() {
            self.heads.push(Reverse((since, number)));
        }
        Ok(Some((Cursor { since, partition, key }, row)))
    }

    /// True when every wait was taken.
    pub(super) fn is_done(&self) -> bool {
        self.heads.is_empty()
    }
}

impl Source {
    fn read(
        snapshot: &dyn Snapshot,
        partition: u16,
        start: &[u8],
        end: &[u8],
    ) -> Result<Source, Unreadable> {
        let most = limits::WAIT_ROWS_PER_SCAN;
        let found = snapshot.scan(PartitionId(partition), start, end, most)?;
        let rest = found.last().filter(|_| found.len() == most).map(|(key, _)| successor(key));
        let mut rows = VecDeque::with_capacity(found.len());
        for (key, value) in found {
            let row = WaitRow::decode(&key, &value)?;
            rows.push_back((key, row));
        }
        Ok(Source { rows, rest })
    }

    fn head(&self) -> Option<u64> {
        self.rows.front().map(|(_, row)| row.since)
    }
}

/// The smallest key above this one.
fn successor(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}
