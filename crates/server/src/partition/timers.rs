//! The next timers of a partition, in memory; all of them are rows of the store.
//!
//! - Owns: a window over the timer table, from its start to a horizon. The table behind the horizon
//!   is read only when the window has run empty, so a million sleepers cost a bounded set, and scans
//!   never walk over timers that were deleted before.
//! - Invariant: every timer row below the horizon is in the window.

use std::collections::BTreeSet;

use bytes::Bytes;
use reveille_engine::command::Millis;
use reveille_engine::keys::{self, tag};
use reveille_engine::tx::{View, ViewError};

/// Timers read from the table in one go.
const REFILL: usize = 1024;

/// Timers kept before the horizon is pulled in.
const WINDOW_MAX: usize = 8 * REFILL;

/// A window over the timer table.
#[derive(Debug)]
pub struct Timers {
    window: BTreeSet<Bytes>,
    horizon: Bytes,
    end: Bytes,
}

impl Default for Timers {
    /// Starts with an empty window over the whole table.
    fn default() -> Timers {
        let (start, end) = keys::table(tag::TIMER);
        Timers { window: BTreeSet::new(), horizon: start, end }
    }
}

impl Timers {
    /// Follows a write of any row; rows of other tables are ignored.
    pub fn follow(&mut self, key: &Bytes, value: Option<&Bytes>) {
        if key.first() != Some(&tag::TIMER) {
            return;
        }
        match value {
            None => {
                self.window.remove(key);
            }
            Some(_) if *key < self.horizon => {
                self.window.insert(key.clone());
                while self.window.len() > WINDOW_MAX
                    && let Some(last) = self.window.pop_last()
                {
                    self.horizon = last;
                }
            }
            Some(_) => {}
        }
    }

    /// Reads more of the table when the window is empty.
    pub fn refill(&mut self, view: &dyn View) -> Result<(), ViewError> {
        while self.window.is_empty() && self.horizon < self.end {
            let rows = view.scan(&self.horizon, &self.end, REFILL)?;
            let full = rows.len() == REFILL;
            self.window.extend(rows.into_iter().map(|(key, _)| key));
            self.horizon = match self.window.last() {
                Some(last) if full => successor(last),
                _ => self.end.clone(),
            };
        }
        Ok(())
    }

    /// The key of the first timer if it is due. It stays until its row is deleted.
    pub fn due(&self, now: Millis) -> Option<Bytes> {
        let first = self.window.first()?;
        (due_at(first) <= now).then(|| first.clone())
    }

    /// When the next timer is due.
    pub fn next(&self) -> Option<Millis> {
        self.window.first().map(due_at)
    }
}

/// A key that is none is due at once: the engine reports it, instead of all timers behind it waiting.
pub(super) fn due_at(key: &Bytes) -> Millis {
    let due = key.get(1..9).and_then(|due| due.try_into().ok());
    due.map_or(0, u64::from_be_bytes)
}

/// The lowest key above `key`.
fn successor(key: &Bytes) -> Bytes {
    let mut next = key.to_vec();
    next.push(0);
    next.into()
}
