//! What a partition does because of the time: timers, retries, admissions, sending again.
//!
//! - Owns: when the driver wakes up by itself.
//! - Invariant: whatever becomes due without a command is covered by [`Driver::wake_at`].

use std::time::Duration;

use bytes::Bytes;
use reveille_engine::command::Command;
use reveille_engine::keys;
use reveille_engine::tx::EngineError;
use tokio::time::Instant;

use super::availability::Mode;
use super::batch::LAZY_BATCH_DELAY;
use super::driver::{Driver, OpenError};
use super::overlay::PartitionView;
use super::recover::CHUNK;
use super::timers::due_at;
use crate::limits;

/// Longest sleep: the clock may have been set meanwhile.
const SLEEP_MS_MAX: u64 = 60_000;

impl Driver {
    /// True when the disk does not keep up: no work is taken until a batch is durable.
    pub(super) fn is_behind(&self) -> bool {
        self.in_flight.len() >= limits::BATCHES_IN_FLIGHT && self.open.bytes >= limits::BATCH_BYTES
    }

    /// Something was registered, or the concurrency rules have changed: then others may run.
    pub(super) fn on_schema(&mut self) {
        let version = self.parts.schema.borrow_and_update().rules.version;
        if version != self.rules_version {
            self.rules_version = version;
            self.parts.outputs.admit_from(Bytes::new());
        }
    }

    /// Does what is due: timers, retries, attempts that may start now, a full disk's next try.
    pub(super) fn on_time(&mut self) {
        match self.mode {
            Mode::Serving => {}
            Mode::Full { retry_at } if retry_at <= Instant::now() => self.retry_when_full(),
            Mode::Full { .. } | Mode::Stopped(_) => return,
        }
        let now = self.clock.now();
        for _ in 0..limits::TIMERS_PER_TURN {
            if self.is_behind() {
                return;
            }
            let Some(key) = self.timers.due(now) else { break };
            let late_ms = now.saturating_sub(due_at(&key));
            self.parts.outputs.metrics().timer_lateness.record(late_ms.saturating_mul(1000));
            self.apply(Command::TimerDue { key: key.clone() });
            // Its row is gone, by this step or by a successor that this partition does not know of
            // yet: in no case it is due again.
            self.timers.follow(&key, None);
        }
        let view = PartitionView {
            overlay: &self.overlay,
            store: self.parts.store.as_ref(),
            partition: self.lease.partition,
        };
        let instant = Instant::now();
        let read = self.timers.refill(&view).and_then(|()| self.census.read(&view, instant));
        if let Err(error) = read {
            self.stop_on(&EngineError::from(error).into());
        }
        if !matches!(self.mode, Mode::Serving) {
            return;
        }
        for _ in 0..limits::COMMANDS_PER_TURN {
            if self.is_behind() {
                return;
            }
            let Some(command) = self.parts.outputs.next_admission() else { break };
            self.apply(command);
        }
        for command in self.parts.outputs.due(now, instant) {
            self.apply(command);
        }
        for to in self.parts.outputs.overdue(instant) {
            if let Err(error) = self.send_again(to) {
                self.stop_on(&error);
            }
        }
    }

    /// When something is due without a command.
    pub(super) fn wake_at(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        let timers = match self.mode {
            // A batch that becomes durable wakes the driver.
            Mode::Serving if self.is_behind() => return None,
            Mode::Serving if self.parts.outputs.has_admissions() => return Some(Instant::now()),
            Mode::Serving => self.timers.next().into_iter().chain(self.parts.outputs.next_due()),
            Mode::Full { retry_at } => return Some(retry_at),
            Mode::Stopped(_) => return None,
        };
        let due = timers.min().map(|at| {
            Instant::now() + Duration::from_millis(at.saturating_sub(now).min(SLEEP_MS_MAX))
        });
        let lazy = self.open.since.filter(|_| self.in_flight.len() < limits::BATCHES_IN_FLIGHT);
        let lazy = lazy.map(|since| since + LAZY_BATCH_DELAY);
        let census = self.census.next_read();
        due.into_iter().chain(lazy).chain(census).chain(self.parts.outputs.next_check()).min()
    }

    /// Sends what the outbox holds for a partition, from its start: it takes messages in order only.
    fn send_again(&mut self, to: u16) -> Result<(), OpenError> {
        let (start, end) = (keys::outbox(to, 0), keys::outbox(to, u64::MAX));
        let rows = self.parts.store.scan(self.lease.partition, &start, &end, CHUNK)?;
        let mut messages = Vec::with_capacity(rows.len());
        for (key, message) in rows {
            let parsed = keys::parse_outbox(&key);
            let (_, seq) = parsed.ok_or_else(|| EngineError::corrupt(&key, "not an outbox row"))?;
            messages.push((seq, message));
        }
        // What comes behind a full chunk is still overdue when that chunk is confirmed.
        let last = messages.last().map_or(u64::MAX, |(seq, _)| *seq);
        let through = if messages.len() < CHUNK { u64::MAX } else { last };
        self.parts.outputs.forget_sent(to, through);
        for (seq, message) in messages {
            self.parts.outputs.send(to, seq, message);
        }
        Ok(())
    }
}
