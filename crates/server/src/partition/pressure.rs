//! What outputs lead to by themselves: retries, places that became free, attempts that make room.
//!
//! - Owns: when attempts are asked to make room for others.
//! - Invariant: an attempt is asked once per silence; nobody waits long for a place without a line
//!   that says so.

use reveille_engine::command::{Command, Millis};
use tokio::time::{Duration, Instant};
use tracing::warn;

use super::effects::Outputs;
use crate::limits;

/// How long an attempt must have been silent before it is asked to make room.
const SILENCE_UNDER_PRESSURE: Duration = Duration::from_millis(20);

impl Outputs {
    /// Commands that are due, a bounded number of each kind: retries, attempts that have a place
    /// now, idle attempts that are asked to make room.
    pub fn due(&mut self, now: Millis, instant: Instant) -> Vec<Command> {
        let mut commands = Vec::new();
        while commands.len() < limits::COMMANDS_PER_TURN
            && self.retries.first().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, id, attempt)) = self.retries.pop_first()
        {
            commands.push(Command::RetryDue { id, attempt });
        }
        while commands.len() < limits::COMMANDS_PER_TURN
            && let Some((id, attempt, since)) = self.places.admit(self.attempts.len())
        {
            self.metrics.place_wait.record_duration(instant.saturating_duration_since(since));
            commands.push(Command::AttemptAdmitted { id, attempt });
        }
        if let Some(waited) = self.places.longest_wait(instant) {
            if waited >= limits::LONG_PLACE_WAIT
                && let Some(more) = self.long_wait.allow(instant.into_std())
            {
                let (partition, waiting) = (self.partition, self.places.len());
                let waited_ms = waited.as_millis();
                warn!(partition, waiting, waited_ms, more, "attempts wait long for a place");
            }
            self.press(&mut commands, instant);
        }
        commands
    }

    /// When [`Outputs::due`] has something to do next, or [`Outputs::flush`] should try again.
    pub fn next_due(&self) -> Option<Millis> {
        let soon = |busy: bool| busy.then_some(0);
        let outgoing = self.outgoing.values().any(|queue| !queue.is_empty());
        let room = self.places.can_admit(self.attempts.len());
        let retry = self.retries.first().map(|(at, ..)| *at);
        retry.into_iter().chain(soon(outgoing || room)).min()
    }

    /// When idle attempts are to be asked to make room, or messages to be sent again.
    pub fn next_check(&self) -> Option<Instant> {
        let press = (self.press_more && self.places.are_wanted()).then_some(self.press_at);
        // While messages queue here, `next_due` asks for attention anyway.
        press.into_iter().chain(self.unconfirmed.next_overdue()).min()
    }

    /// Asks attempts that have been silent for a while to suspend, so that others can start. Each
    /// is asked once per silence: one that goes on has its reasons.
    fn press(&mut self, commands: &mut Vec<Command>, now: Instant) {
        if now < self.press_at || !self.press_more {
            return;
        }
        self.press_at = now + SILENCE_UNDER_PRESSURE;
        self.press_more = false;
        for (id, live) in self.attempts.iter_mut().filter(|(_, live)| !live.pressed) {
            if now.saturating_duration_since(live.heard_at) >= SILENCE_UNDER_PRESSURE {
                live.pressed = true;
                let (id, attempt) = (*id, live.attempt);
                commands.push(Command::AttemptIdle { id, attempt, expired: false });
            } else {
                self.press_more = true;
            }
        }
    }
}
