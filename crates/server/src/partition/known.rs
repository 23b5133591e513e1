//! Which keys some ranges hold, so that the state of an object is read key by key and not by a scan.
//!
//! A scan merges every table; for the state of a busy object that took most of the time of its calls.
//! Reading a row by its key does not.
//!
//! - Owns: the keys of ranges that were scanned whole, kept up with every write since.
//! - Does not own: values ([`super::overlay`]).
//! - Invariant: ranges do not overlap, and each holds exactly the keys that have a value, committed or not.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The most keys of a range that is remembered; with more of them a scan is the better way.
pub(super) const KEYS_MAX: usize = 16;

/// Bytes of keys that are learned before all of them are forgotten, and learned again as they are read.
const BYTES_MAX: usize = 512 << 10;

/// What a key takes besides its bytes.
const KEY_BYTES: usize = 48;

#[derive(Debug, Default)]
pub(super) struct Known {
    /// By their starts.
    ranges: BTreeMap<Bytes, Range>,
    /// What was learned since they were all forgotten; some of it may be gone.
    bytes: usize,
}

#[derive(Debug)]
struct Range {
    end: Bytes,
    /// In ascending order.
    keys: Vec<Bytes>,
}

impl Known {
    /// Learns which keys a range holds, in ascending order, unless there are too many.
    pub(super) fn learn(&mut self, start: &[u8], end: &[u8], keys: impl Iterator<Item = Bytes>) {
        let keys: Vec<Bytes> = keys.take(KEYS_MAX + 1).collect();
        if keys.len() > KEYS_MAX {
            return;
        }
        self.forget(start, end);
        let bytes = keys.iter().map(|key| KEY_BYTES + key.len()).sum::<usize>();
        if self.has_room(bytes + 2 * KEY_BYTES + start.len() + end.len()) {
            let end = Bytes::copy_from_slice(end);
            self.ranges.insert(Bytes::copy_from_slice(start), Range { end, keys });
        }
    }

    /// Counts what is to be learned. Without room for it everything is forgotten instead.
    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let has_room = self.bytes <= BYTES_MAX;
        if !has_room {
            *self = Known::default();
        }
        has_room
    }

    /// Returns the keys of a range, if they are known.
    pub(super) fn keys(&self, start: &[u8], end: &[u8]) -> Option<&[Bytes]> {
        self.ranges.get(start).filter(|range| range.end == end).map(|range| range.keys.as_slice())
    }

    /// Keeps up with the write of a row.
    pub(super) fn follow(&mut self, key: &Bytes, exists: bool) {
        let bounds = (std::ops::Bound::Unbounded, std::ops::Bound::Included(key.as_ref()));
        let below = self.ranges.range_mut::<[u8], _>(bounds).next_back();
        let Some((start, range)) = below.filter(|(_, range)| *key < range.end) else { return };
        match (range.keys.binary_search(key), exists) {
            (Err(place), true) if range.keys.len() < KEYS_MAX => {
                range.keys.insert(place, key.clone());
                self.has_room(KEY_BYTES + key.len());
            }
            (Err(_), true) => {
                let start = start.clone();
                self.ranges.remove(&start);
            }
            (Ok(place), false) => {
                range.keys.remove(place);
            }
            (Ok(_), true) | (Err(_), false) => {}
        }
    }

    /// Forgets every range that meets this one.
    fn forget(&mut self, start: &[u8], end: &[u8]) {
        let below = (std::ops::Bound::Unbounded, std::ops::Bound::Excluded(end));
        let meets = |(known, range): (&Bytes, &Range)| (range.end > start).then(|| known.clone());
        while let Some(met) = self.ranges.range::<[u8], _>(below).next_back().and_then(meets) {
            self.ranges.remove(&met);
        }
    }
}
