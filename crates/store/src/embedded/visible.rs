//! What reads may see of the tables, and the moments that somebody still looks at.
//!
//! Commits and versions of the tables draw numbers from one counter. A read *at* a number sees the
//! newest version below it. Rows of commits come to the tables with such a version, so all rows that it
//! has are below the number as well.
//!
//! - Owns: the numbers, up to which one reads see, which older ones are pinned.
//! - Invariant: nothing that comes later gets a number below one that reads see or that is pinned, and
//!   [`Visible::watermark`] is never above either. So what a read with a pin needs stays in the tables
//!   until it is done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lsm_tree::SequenceNumberCounter;

/// The numbers that reads see.
#[derive(Debug, Default)]
pub(super) struct Visible {
    numbers: SequenceNumberCounter,
    pins: Mutex<Pins>,
}

#[derive(Debug, Default)]
struct Pins {
    /// Where reads are made.
    at: u64,
    /// The numbers that are pinned, in ascending order, with how often.
    pinned: Vec<(u64, usize)>,
}

/// Keeps the rows of one moment, as long as it lives.
#[derive(Debug)]
pub(super) struct Pin {
    at: u64,
    visible: Arc<Visible>,
}

impl Visible {
    /// The counter, for those who draw numbers of versions.
    pub(super) fn numbers(&self) -> SequenceNumberCounter {
        self.numbers.clone()
    }

    /// Starts where the last commit, if there was one, had the number `last`.
    pub(super) fn resume(&self, last: u64) {
        let mut pins = self.lock();
        self.numbers.fetch_max(last + 1);
        pins.at = self.numbers.get();
    }

    /// Draws the number of a commit.
    pub(super) fn number(&self) -> u64 {
        self.numbers.next()
    }

    /// Lets reads see all versions that there are.
    pub(super) fn advance(&self) {
        let mut pins = self.lock();
        pins.at = self.numbers.get();
    }

    /// Pins what reads see now.
    pub(super) fn pin(self: &Arc<Visible>) -> Pin {
        let mut pins = self.lock();
        let at = pins.at;
        match pins.pinned.last_mut() {
            Some((newest, count)) if *newest == at => *count += 1,
            _ => pins.pinned.push((at, 1)),
        }
        Pin { at, visible: Arc::clone(self) }
    }

    /// Returns the lowest number at which anybody may read from now on.
    pub(super) fn watermark(&self) -> u64 {
        let pins = self.lock();
        pins.pinned.first().map_or(pins.at, |(lowest, _)| *lowest)
    }

    fn lock(&self) -> MutexGuard<'_, Pins> {
        // No code that can panic runs under this lock.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pin {
    /// The number to read at.
    pub(super) fn at(&self) -> u64 {
        self.at
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.visible.lock();
        if let Ok(index) = pins.pinned.binary_search_by_key(&self.at, |(at, _)| *at) {
            pins.pinned[index].1 -= 1;
            if pins.pinned[index].1 == 0 {
                pins.pinned.remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_is_the_lowest_pin_or_where_reads_are_made() {
        let visible = Arc::new(Visible::default());
        visible.resume(0);
        assert_eq!(visible.watermark(), 1);
        let version = || {
            let number = visible.numbers().next();
            assert!(visible.watermark() <= number && visible.pin().at() <= number);
            visible.advance();
            number
        };
        assert_eq!((version(), version()), (1, 2));
        let (first, second) = (visible.pin(), visible.pin());
        assert_eq!((first.at(), second.at()), (3, 3));
        assert_eq!(version(), 3);
        let third = visible.pin();
        assert_eq!((third.at(), visible.watermark()), (4, 3));
        drop(first);
        assert_eq!(visible.watermark(), 3);
        drop(second);
        assert_eq!(visible.watermark(), 4);
        assert_eq!(version(), 4);
        assert_eq!(visible.watermark(), 4);
        drop(third);
        assert_eq!(visible.watermark(), 5);
    }

    #[test]
    fn commits_and_versions_have_different_numbers() {
        let visible = Arc::new(Visible::default());
        visible.resume(6);
        assert_eq!((visible.number(), visible.numbers().next(), visible.number()), (7, 8, 9));
        assert_eq!(visible.pin().at(), 7, "not yet");
        visible.advance();
        assert_eq!(visible.pin().at(), 10);
    }
}
