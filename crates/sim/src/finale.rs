//! The end of a run: nothing goes wrong any more, everything is answered, and all must come to rest.
//!
//! - Owns: the liveness check, and the emptiness of the tables when all is over.
//! - Invariant: whoever is still open after that was lost.

use reveille_engine::command::{Command, RequestId, ResumeOn};
use reveille_engine::identity;
use reveille_engine::keys::tag;
use reveille_engine::record::Status;
use reveille_engine::retention::RECEIPTS_RETENTION_MS;
use reveille_protocol::id::InvocationId;

use crate::schema::RETENTION_MS_MAX;
use crate::trace::{Checked, invariant, violation};
use crate::world::{Event, World};

/// Rounds of answering before an open invocation counts as stuck.
const ROUNDS: u32 = 90;

/// Time that a round may take.
const ROUND_MS: u64 = 1_500;

impl World {
    /// Lets everything come to rest and checks that nothing was lost.
    pub fn finale(&mut self) -> Checked {
        self.say(|| "nothing goes wrong any more".to_owned());
        self.chaos.on = false;
        self.control.clear_faults();
        self.set_disk_full(false);
        self.plan(0, Event::Restart);
        self.run_until(self.now + ROUND_MS)?;
        self.retire();
        if self.scoped && self.rng.one_in(2) {
            self.crowd()?;
        }
        self.read_to_the_end()?;
        for _ in 0..ROUNDS {
            self.check_asleep()?;
            self.check_queues()?;
            let open = self.open();
            if open.is_empty() {
                break;
            }
            for id in open {
                self.nudge(id);
            }
            self.run_until(self.now + ROUND_MS)?;
        }
        if let Some(id) = self.open().first() {
            let record = self.observer.last(*id).map(|life| &life.record);
            let text = format!("{id} never ends: {record:?}");
            return violation(invariant::NOT_LOST, text);
        }
        self.run_until(self.now + ROUND_MS)?;
        self.check_all()?;
        for id in &self.accepted {
            if !self.observer.lives.contains_key(id) {
                return violation(invariant::DURABLE, format!("{id} was accepted and is gone"));
            }
        }
        self.check_requests()?;
        self.check_tables("after the last end", LEFT_AT_REST)?;
        let longest = RETENTION_MS_MAX.max(RECEIPTS_RETENTION_MS);
        self.run_until(self.now + longest + ROUND_MS)?;
        self.check_all()?;
        self.check_tables("after the last retention", LEFT_AT_LAST)
    }

    /// Everything that has not ended.
    fn open(&self) -> Vec<InvocationId> {
        let open = |lives: &Vec<crate::life::Life>| lives.last().is_some_and(|l| l.is_open());
        self.observer.lives.iter().filter(|(_, lives)| open(lives)).map(|(id, _)| *id).collect()
    }

    /// Gives an open invocation whatever it may need from outside.
    fn nudge(&mut self, id: InvocationId) {
        let Some(life) = self.observer.last(id) else { return };
        let request = RequestId(0);
        match life.record.status() {
            Status::Paused => {
                let deployment = ResumeOn::Keep;
                self.ask(Command::Resume { request, id, deployment }, id, 0, true);
            }
            Status::Suspended => self.admin_complete(id),
            _ => {}
        }
    }

    fn check_all(&mut self) -> Checked {
        for partition in 0..self.partitions() {
            match self.serving(partition) {
                Some(at) => self.check_rows(at)?,
                None => {
                    let text = format!("partition {partition} is not served any more");
                    return violation(invariant::NOT_LOST, text);
                }
            }
        }
        Ok(())
    }

    /// Every request was answered, unless its process died.
    fn check_requests(&self) -> Checked {
        match self.requests.values().next() {
            Some(ask) => {
                let ask = &self.asks[*ask];
                let partition = identity::partition_of(ask.id, self.partitions());
                let text = format!("partition {partition} never answered {:?}", ask.command);
                violation(invariant::NOT_LOST, text)
            }
            None => Ok(()),
        }
    }

    fn check_tables(&self, when: &str, allowed: &[u8]) -> Checked {
        let rows = self.observer.rows.iter().flat_map(|rows| rows.keys());
        match rows.into_iter().find(|key| !allowed.contains(&key[0])) {
            Some(key) => {
                let text = format!("a row is left {when}: {}{key:?}", char::from(key[0]));
                violation(invariant::ROWS, text)
            }
            None => Ok(()),
        }
    }
}

/// Tables that may have rows when everything has ended.
const LEFT_AT_REST: &[u8] = &[
    tag::INVOCATION,
    tag::JOURNAL,
    tag::EVENT,
    tag::DECISION,
    tag::STATE,
    tag::PROMISE,
    tag::TIMER,
    tag::OUTBOX_SEQ,
    tag::INBOUND_SEQ,
    tag::OFFSET,
];

/// Tables that may have rows when every retention is over.
const LEFT_AT_LAST: &[u8] =
    &[tag::STATE, tag::PROMISE, tag::OUTBOX_SEQ, tag::INBOUND_SEQ, tag::OFFSET];
