//! How many waits a partition has, and since when the oldest one waits: for the metrics.
//!
//! What is written from now on is counted as it is written. What was there at the take-over is read
//! once, a bounded number of rows at a time and with pauses, while the partition works: a million
//! parked invocations make no restart slower.
//! - Invariant: rows below the cursor are counted, rows from it on will be. A row is read through
//!   the partition's view, so it is counted once, on whichever side of the cursor it is written.

use bytes::Bytes;
use reveille_engine::command::Millis;
use reveille_engine::keys::{self, tag};
use reveille_engine::tx::{View, ViewError};
use tokio::time::Instant;

use crate::limits;
use crate::metrics::{PartitionMetrics, WAIT_KINDS};

/// The counts of one partition.
#[derive(Debug)]
pub(super) struct Census {
    counts: [u64; WAIT_KINDS.len()],
    cursor: Bytes,
    end: Bytes,
    /// The lowest key that may be in the table; exact unless `stale`.
    oldest: Option<Bytes>,
    /// The oldest one is gone, and the next one was not looked for yet.
    stale: bool,
    /// When to read next.
    next_at: Option<Instant>,
    changed: bool,
}

impl Default for Census {
    fn default() -> Census {
        let (cursor, end) = keys::table(tag::WAIT);
        Census {
            counts: [0; WAIT_KINDS.len()],
            cursor,
            end,
            oldest: None,
            stale: false,
            next_at: None,
            changed: true,
        }
    }
}

impl Census {
    /// Follows a write of any row; rows of other tables are ignored.
    pub(super) fn follow(&mut self, key: &Bytes, value: Option<&Bytes>) {
        if key.first() != Some(&tag::WAIT) || *key >= self.cursor {
            return;
        }
        self.changed = true;
        match value {
            Some(_) => {
                self.count(key, 1);
                if self.oldest.as_ref().is_none_or(|oldest| key < oldest) {
                    self.oldest = Some(key.clone());
                    self.stale = false;
                }
            }
            None => {
                self.count(key, -1);
                self.stale |= self.oldest.as_ref() == Some(key);
            }
        }
        if self.is_counted() && self.counts.iter().all(|count| *count == 0) {
            self.oldest = None;
            self.stale = false;
        }
    }

    /// Reads a bounded number of rows when it is time to.
    pub(super) fn read(&mut self, view: &dyn View, now: Instant) -> Result<(), ViewError> {
        if !self.has_more() || self.next_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.next_at = Some(now + limits::WAITS_COUNT_PAUSE);
        self.changed = true;
        if !self.is_counted() {
            let limit = limits::WAITS_COUNTED_PER_TURN;
            let rows = view.scan(&self.cursor, &self.end, limit)?;
            for (key, _) in &rows {
                self.count(key, 1);
            }
            self.cursor = match rows.last() {
                Some((last, _)) if rows.len() == limit => successor(last),
                _ => self.end.clone(),
            };
            let first = rows.into_iter().next().map(|(key, _)| key);
            self.oldest = self.oldest.take().or(first);
        } else if let Some(gone) = self.oldest.take() {
            // From the one that is gone: what was deleted before it is not walked over again.
            let first = view.scan(&gone, &self.end, 1)?.into_iter().next();
            self.oldest = first.map(|(key, _)| key);
            self.stale = false;
        }
        Ok(())
    }

    /// When [`Census::read`] has something to do.
    pub(super) fn next_read(&self) -> Option<Instant> {
        self.has_more().then(|| self.next_at.unwrap_or_else(Instant::now))
    }

    /// Shows the counts.
    pub(super) fn publish(&mut self, metrics: &PartitionMetrics) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        for (gauge, count) in metrics.waits.iter().zip(self.counts) {
            gauge.set(count);
        }
        metrics.waits_oldest_since.set(self.oldest.as_ref().map_or(0, since));
        metrics.waits_counted.set(u64::from(self.is_counted()));
    }

    fn has_more(&self) -> bool {
        !self.is_counted() || self.stale
    }

    fn is_counted(&self) -> bool {
        self.cursor >= self.end
    }

    fn count(&mut self, key: &Bytes, more: i64) {
        // The kind stands behind the time and the id; one that is unknown is not shown.
        let kind = key.get(33).and_then(|kind| usize::from(*kind).checked_sub(1));
        if let Some(count) = kind.and_then(|kind| self.counts.get_mut(kind)) {
            *count = count.saturating_add_signed(more);
        }
    }
}

fn since(key: &Bytes) -> Millis {
    let since = key.get(1..9).and_then(|since| since.try_into().ok());
    since.map_or(0, u64::from_be_bytes)
}

fn successor(key: &Bytes) -> Bytes {
    let mut next = key.to_vec();
    next.push(0);
    next.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use reveille_protocol::id::InvocationId;

    use super::*;

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

    struct World {
        rows: Rows,
        census: Census,
        now: Instant,
        metrics: PartitionMetrics,
    }

    impl World {
        fn write(&mut self, key: Bytes, put: bool) {
            let value = put.then(Bytes::new);
            self.census.follow(&key, value.as_ref());
            match value {
                Some(value) => drop(self.rows.0.insert(key, value)),
                None => drop(self.rows.0.remove(&key)),
            }
        }

        fn turn(&mut self) -> (Vec<u64>, u64, u64) {
            self.census.read(&self.rows, self.now).expect("it reads");
            self.now += limits::WAITS_COUNT_PAUSE;
            self.census.publish(&self.metrics);
            let counts = self.metrics.waits.iter().map(|gauge| gauge.get()).collect();
            let metrics = &self.metrics;
            (counts, metrics.waits_oldest_since.get(), metrics.waits_counted.get())
        }
    }

    fn wait(since: Millis, kind: u8) -> Bytes {
        keys::wait(since, InvocationId::from_parts(1, 2), kind, 0)
    }

    #[test]
    fn what_is_written_while_the_rest_is_counted_is_counted_once() {
        let rows = (0..2_000).map(|since| (wait(10 + since, 1), Bytes::new())).collect();
        let metrics = PartitionMetrics::default();
        let census = Census::default();
        let mut world = World { rows: Rows(rows), census, now: Instant::now(), metrics };
        assert_eq!(world.turn(), (vec![1024, 0, 0, 0, 0], 10, 0));
        // On both sides of the cursor, added and removed.
        world.write(wait(5, 2), true);
        world.write(wait(11, 1), false);
        world.write(wait(3_000, 3), true);
        world.write(wait(2_000, 1), false);
        world.write(keys::table(tag::INVOCATION).0, true);
        assert_eq!(world.turn(), (vec![1998, 1, 1, 0, 0], 5, 1));
        assert_eq!(world.census.next_read(), None);

        // The oldest one goes; the next one is found behind it.
        world.write(wait(5, 2), false);
        world.write(wait(10, 1), false);
        assert!(world.census.next_read().is_some());
        assert_eq!(world.turn(), (vec![1997, 0, 1, 0, 0], 12, 1));
        // An older one appears: a wait keeps its age over attempts.
        world.write(wait(3, 5), true);
        assert_eq!(world.turn(), (vec![1997, 0, 1, 0, 1], 3, 1));
        let all: Vec<_> = world.rows.0.keys().filter(|key| key[0] == tag::WAIT).cloned().collect();
        all.into_iter().for_each(|key| world.write(key, false));
        assert_eq!(world.turn(), (vec![0; 5], 0, 1));
        assert_eq!(world.census.next_read(), None, "there is nothing to look for");
    }
}
