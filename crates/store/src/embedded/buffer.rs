//! The write buffer: rows that are durable in the log, and not yet in a table.
//!
//! Most rows of an invocation live for milliseconds. They are written, overwritten and deleted before a
//! table could be written, so the buffer keeps the last version of each row only, and a fresh one that is
//! deleted ([`Write::fresh`]) is gone without a trace. A memtable would keep each version and each
//! deletion as a row of its own, to be written to disk and merged away.
//!
//! - Owns: the rows of one buffer, and how buffers are read one over the other.
//! - Does not own: when a buffer is sealed (`writer`) and becomes a table (`worker`, `tables`).
//! - Invariant: a row in a buffer is newer than any in older buffers and in tables.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    iter::Peekable,
    ops::Bound,
};

use bytes::Bytes;
use lsm_tree::{InternalValue, ValueType};

use super::rows::{PREFIX_BYTES, row_key};
use crate::{PartitionId, Write};

/// What a row takes besides key and value: its place in the map, and allocations.
const ROW_BYTES: usize = 160;

/// Up to this length values are copied: they may be parts of what was read from a socket in one piece, which
/// would stay in memory as long as they do.
const COPIED_BYTES_MAX: usize = 8 * 1024;

/// Rows by partition and key.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer {
    partitions: BTreeMap<PartitionId, BTreeMap<Bytes, Row>>,
    bytes: usize,
    /// The number of the last commit.
    last: u64,
}

#[derive(Debug, Clone)]
struct Row {
    /// That of the commit that wrote it.
    number: u64,
    /// `None` if it is deleted.
    value: Option<Bytes>,
    /// What is older than this buffer has no such row, or a deletion.
    fresh: bool,
}

impl Row {
    fn bytes(&self, key: &Bytes) -> usize {
        ROW_BYTES + key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

impl Buffer {
    /// Takes the writes of a commit. The head of each partition is among those of every commit, so the
    /// buffer always has a row with the number of the last one.
    pub(super) fn add(&mut self, number: u64, partition: PartitionId, writes: &[Write]) {
        for Write { key, value, fresh } in writes {
            let value = value.as_ref().map(|value| match value.len() {
                0..=COPIED_BYTES_MAX => Bytes::copy_from_slice(value),
                _ => value.clone(),
            });
            self.set(partition, key.clone(), Row { number, value, fresh: *fresh });
        }
    }

    fn set(&mut self, partition: PartitionId, key: Bytes, row: Row) {
        self.last = row.number;
        let bytes = row.bytes(&key);
        match self.partitions.entry(partition).or_default().entry(key) {
            Entry::Occupied(mut known) => {
                self.bytes -= known.get().bytes(known.key());
                // Whether there is an older one is known since the first write.
                let fresh = known.get().fresh;
                if fresh && row.value.is_none() {
                    known.remove();
                } else {
                    self.bytes += bytes;
                    known.insert(Row { fresh, ..row });
                }
            }
            Entry::Vacant(vacant) => {
                self.bytes += bytes;
                vacant.insert(row);
            }
        }
    }

    /// Takes a row as it is in the log: with the number of its partition in front of the key.
    pub(super) fn add_row(
        &mut self,
        number: u64,
        row_key: &[u8],
        value: Option<&[u8]>,
    ) -> Option<()> {
        let (partition, key) = row_key.split_first_chunk::<PREFIX_BYTES>()?;
        let (key, value) = (Bytes::copy_from_slice(key), value.map(Bytes::copy_from_slice));
        let partition = PartitionId(u16::from_be_bytes(*partition));
        self.set(partition, key, Row { number, value, fresh: false });
        Some(())
    }

    /// Returns what is known of a row: its value, or that it is deleted.
    pub(super) fn get(&self, partition: PartitionId, key: &[u8]) -> Option<&Option<Bytes>> {
        Some(&self.partitions.get(&partition)?.get(key)?.value)
    }

    /// The bytes that the rows take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the last commit.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The rows as a table wants them.
    pub(super) fn table_rows(&self) -> impl Iterator<Item = InternalValue> {
        self.partitions.iter().flat_map(|(partition, rows)| {
            rows.iter().map(|(key, row)| {
                let key = row_key(*partition, key);
                match &row.value {
                    Some(value) => {
                        let (value, kind) = (value.as_ref(), ValueType::Value);
                        InternalValue::from_components(key, value, row.number, kind)
                    }
                    None => InternalValue::new_tombstone(key, row.number),
                }
            })
        })
    }

    fn range<'a>(
        &'a self,
        partition: PartitionId,
        (start, end): (&'a [u8], &'a [u8]),
    ) -> impl Iterator<Item = (&'a Bytes, &'a Option<Bytes>)> {
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        let rows = self.partitions.get(&partition).into_iter();
        let rows = rows.flat_map(move |rows| rows.range::<[u8], _>(bounds));
        rows.map(|(key, row)| (key, &row.value))
    }
}

/// Returns what buffers, the newest first, know of a row.
pub(super) fn get<'a>(
    buffers: impl IntoIterator<Item = &'a Buffer>,
    partition: PartitionId,
    key: &[u8],
) -> Option<&'a Option<Bytes>> {
    buffers.into_iter().find_map(|buffer| buffer.get(partition, key))
}

/// Returns what buffers, the newest first, know of the rows with `start <= key < end` in key order, until
/// `limit` of them are not deleted.
pub(super) fn scan<'a>(
    buffers: impl IntoIterator<Item = &'a Buffer>,
    partition: PartitionId,
    range: (&'a [u8], &'a [u8]),
    limit: usize,
) -> Vec<(Bytes, Option<Bytes>)> {
    if range.0 >= range.1 {
        return Vec::new();
    }
    let ranges = buffers.into_iter().map(|buffer| buffer.range(partition, range).peekable());
    let mut ranges: Vec<Peekable<_>> = ranges.collect();
    let mut found = Vec::new();
    let mut left = limit;
    while left > 0
        && let Some(key) =
            ranges.iter_mut().filter_map(|rows| rows.peek().map(|(key, _)| *key)).min()
    {
        let mut versions =
            ranges.iter_mut().filter_map(|rows| rows.next_if(|(other, _)| *other == key));
        let newest = versions.next();
        // Those below it.
        versions.for_each(drop);
        if let Some((key, value)) = newest {
            left -= usize::from(value.is_some());
            found.push((key.clone(), value.clone()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: PartitionId = PartitionId(3);

    /// Takes commits of writes such as `+a` (fresh), `a` and `-a`; the value is the number of the commit.
    fn add(buffer: &mut Buffer, commits: &[(u64, &str)]) {
        for (number, commit) in commits {
            let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
            let writes = commit.split_whitespace().map(|text| {
                let key = bytes(text.trim_start_matches(['+', '-']));
                let value = (!text.starts_with('-')).then(|| bytes(&number.to_string()));
                Write { key, value, fresh: text.starts_with('+') }
            });
            buffer.add(*number, AT, &writes.collect::<Vec<_>>());
        }
    }

    fn buffer(commits: &[(u64, &str)]) -> Buffer {
        let mut buffer = Buffer::default();
        add(&mut buffer, commits);
        buffer
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// What a table gets: `a=1@2` is value 1 of commit 2, `a-@3` a deletion.
    fn table(buffer: &Buffer) -> String {
        let rows = buffer.table_rows().map(|row| {
            let key = text(&row.key.user_key[PREFIX_BYTES..]);
            let value =
                if row.is_tombstone() { "-".into() } else { "=".to_owned() + &text(&row.value) };
            format!("{key}{value}@{}", row.key.seqno)
        });
        rows.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_table_gets_the_last_version_of_what_is_left() {
        for (commits, expected) in [
            (vec!["a", "a"], "a=2@2"),
            (vec!["a", "-a"], "a-@2"),
            (vec!["+a", "a", "-a"], ""),
            (vec!["+a", "-a", "+a"], "a=3@3"),
            (vec!["+a -a +b", "b"], "b=2@2"),
            // Tables may have it until then: what comes and goes later must go on to hide it.
            (vec!["-a", "+a", "-a"], "a-@3"),
            (vec!["a", "-a", "+a", "-a"], "a-@4"),
        ] {
            let numbered: Vec<_> = (1..).zip(commits.iter().copied()).collect();
            let mut buffer = buffer(&numbered);
            assert_eq!(table(&buffer), expected, "{commits:?}");
            assert_eq!(buffer.last(), commits.len() as u64);
            let rows = buffer.partitions.values().flatten();
            let bytes: usize = rows.map(|(key, row)| row.bytes(key)).sum();
            assert_eq!(buffer.bytes(), bytes, "{commits:?}");
            add(&mut buffer, &[(9, "-a")]);
            assert_ne!(buffer.get(AT, b"a").map(Option::is_some), Some(true));
        }
    }

    #[test]
    fn rows_of_the_log_are_not_fresh() {
        let mut buffer = Buffer::default();
        buffer.add_row(1, b"\0\x03a", Some(b"1")).expect("a row");
        buffer.add_row(2, b"\0\x03a", None).expect("a row");
        assert_eq!(table(&buffer), "a-@2");
        assert_eq!(buffer.add_row(3, b"\0", None), None, "no partition");
    }

    #[test]
    fn newer_buffers_count() {
        let (old, new) = (buffer(&[(1, "a b c e")]), buffer(&[(2, "b -c d f -g")]));
        let scanned = |limit| {
            let rows = scan([&new, &old], AT, (b"a", b"z"), limit);
            let rows = rows.iter().map(|(key, value)| {
                text(key) + &value.as_ref().map_or("-".to_owned(), |value| text(value))
            });
            rows.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(scanned(usize::MAX), "a1 b2 c- d2 e1 f2 g-");
        assert_eq!(scanned(3), "a1 b2 c- d2");
        assert_eq!(scanned(0), "");
        for (key, expected) in [("a", Some("1")), ("b", Some("2")), ("c", None)] {
            let found = get([&new, &old], AT, key.as_bytes()).expect("it is known");
            assert_eq!(found.as_deref().map(text).as_deref(), expected, "{key}");
        }
        assert_eq!(get([&new, &old], AT, b"x"), None);
    }

    #[test]
    fn short_values_are_copied_and_long_ones_shared() {
        for (length, shared) in
            [(1, false), (COPIED_BYTES_MAX, false), (COPIED_BYTES_MAX + 1, true)]
        {
            let value = Bytes::from(vec![7; length]);
            let write =
                Write { key: Bytes::from_static(b"a"), value: Some(value.clone()), fresh: true };
            let mut buffer = Buffer::default();
            buffer.add(1, AT, &[write]);
            let kept = buffer.get(AT, b"a").and_then(Option::as_ref).expect("the row");
            assert_eq!(kept.as_ptr() == value.as_ptr(), shared, "{length}");
        }
    }
}
