//! The window over the timer table against the table itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_engine::keys::{self, tag};
use reveille_engine::tx::{View, ViewError};

use super::support::{Random, timer};
use crate::partition::timers::Timers;

/// The rows as they would be read.
#[derive(Default)]
struct Rows(BTreeMap<Bytes, Bytes>);

impl View for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ViewError> {
        let (start, end) = (Bytes::copy_from_slice(start), Bytes::copy_from_slice(end));
        let rows = self.0.range(start..end).take(limit);
        Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl Rows {
    fn set(&mut self, timers: &mut Timers, key: Bytes) {
        timers.follow(&key, Some(&Bytes::new()));
        self.0.insert(key, Bytes::new());
    }

    fn unset(&mut self, timers: &mut Timers, key: &Bytes) {
        timers.follow(key, None);
        self.0.remove(key);
    }

    fn first(&self) -> Option<Bytes> {
        let (start, end) = keys::table(tag::TIMER);
        self.0.range(start..end).next().map(|(key, _)| key.clone())
    }
}

/// Fires everything that is due until `now`, in order.
fn fire(rows: &mut Rows, timers: &mut Timers, now: u64, context: &str) -> usize {
    let mut fired = 0;
    loop {
        timers.refill(rows).expect("rows can be read");
        let first = rows.first();
        let due = keys::parse_timer(first.as_deref().unwrap_or_default()).map(|timer| timer.due);
        assert_eq!(timers.next(), due, "{context}");
        let Some(key) = timers.due(now) else {
            assert!(due.is_none_or(|due| due > now), "{context}: a due timer does not fire");
            return fired;
        };
        assert_eq!(Some(&key), first.as_ref(), "{context}: the order is the table's");
        rows.unset(timers, &key);
        fired += 1;
    }
}

#[test]
fn the_window_never_misses_a_timer() {
    // More rows than fit into the window, fewer, and so few that it is always complete.
    for (seed, initial) in [(1, 20_000), (2, 3_000), (3, 1_024), (4, 1_025), (5, 10), (6, 0)] {
        let mut random = Random(seed);
        let mut rows = Rows::default();
        let mut timers = Timers::default();
        // Rows of the last owner: the window has not seen them.
        for number in 0..initial {
            // Many share a millisecond.
            rows.0.insert(timer(random.below(2_000), number), Bytes::new());
        }
        let mut fired = 0;
        let mut set = rows.0.len();
        for now in 0..2_100 {
            let context = format!("seed {seed}, at {now}");
            for number in 0..random.below(8) as u32 {
                // Below and above the horizon, past and future.
                let key = timer(random.below(4_000), 1_000_000 + number);
                set += usize::from(!rows.0.contains_key(&key));
                rows.set(&mut timers, key);
            }
            for _ in 0..random.below(3) {
                let probe = timer(random.below(4_000), 0);
                let found = rows.0.range(probe..).next().map(|(key, _)| key.clone());
                if let Some(key) = found {
                    rows.unset(&mut timers, &key);
                    set -= 1;
                }
            }
            fired += fire(&mut rows, &mut timers, now, &context);
        }
        fired += fire(&mut rows, &mut timers, u64::MAX, "the end");
        assert_eq!((fired, rows.0.len()), (set, 0), "seed {seed}");
    }
}

#[test]
fn a_window_that_overflows_is_cut_and_read_again() {
    let mut rows = Rows::default();
    let mut timers = Timers::default();
    // With an empty table the window covers everything, so each of these goes into it.
    timers.refill(&rows).expect("rows can be read");
    for number in (0..20_000).rev() {
        rows.set(&mut timers, timer(u64::from(number / 10), number));
    }
    assert_eq!(fire(&mut rows, &mut timers, 999, "half"), 10_000);
    assert_eq!(timers.next(), Some(1_000));
    assert_eq!(fire(&mut rows, &mut timers, 2_000, "all"), 10_000);
    assert_eq!(timers.next(), None);
}

#[test]
fn rows_of_other_tables_are_ignored() {
    let mut timers = Timers::default();
    timers.refill(&Rows::default()).expect("rows can be read");
    let (start, _) = keys::table(tag::WAIT);
    timers.follow(&start, Some(&Bytes::new()));
    assert_eq!(timers.next(), None);
}

#[test]
fn a_key_that_is_no_timer_is_handed_out_to_be_reported() {
    let mut rows = Rows::default();
    rows.0.insert(Bytes::from_static(b"t\xFF"), Bytes::new());
    let mut timers = Timers::default();
    timers.refill(&rows).expect("rows can be read");
    assert_eq!(timers.due(1), Some(Bytes::from_static(b"t\xFF")));
}
