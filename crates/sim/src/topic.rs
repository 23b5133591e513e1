//! A topic that is played: its records are sent, again from older offsets, out of order, and by
//! readers that were cut off.
//!
//! - Owns: the log, and what must become of it: each record leads to one invocation, those of one of
//!   our partitions in the order of their offsets, and none is missing at the end.
//! - Invariant: a record is always sent with the one before it that goes to the same partition of ours.

use std::collections::BTreeMap;

use reveille_engine::command::{Command, Invoke, RequestId, Source, Target};
use reveille_engine::effect::Reply;
use reveille_engine::identity;
use reveille_engine::subscription::Position;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::{InvocationId, SubscriptionId};
use reveille_protocol::message::InputCommand;

use crate::observer::Change;
use crate::ops::value;
use crate::programs::{self, LEVEL_TOP};
use crate::trace::{Checked, invariant, violation};
use crate::world::World;

/// Partitions of the topic.
const PARTITIONS: u64 = 2;

/// Records that a reader sends without waiting.
const WINDOW: usize = 4;

/// Rounds of reading before a record that is not taken counts as lost.
const ROUNDS: u32 = 200;

/// A record of the log.
#[derive(Clone, Debug)]
struct Written {
    at: Position,
    invoke: Invoke,
    level: u8,
    taken: bool,
}

/// A topic, and what became of its records.
#[derive(Debug, Default)]
pub struct Topic {
    log: Vec<Written>,
    /// Place in the log.
    by_id: BTreeMap<InvocationId, usize>,
    /// Last record that led to an invocation, by partition of the topic and of ours.
    last: BTreeMap<(u32, u16), u64>,
}

impl Topic {
    /// Compares what became durable with the log.
    pub fn follow(&mut self, changed: &[Change], partitions: u16) -> Checked {
        for change in changed {
            let Change::Appended(id, _, frame) = change else { continue };
            let Some(at) = self.by_id.get(id).map(|place| &self.log[*place].at) else { continue };
            if frame.ty != MessageType::INPUT_COMMAND {
                continue;
            }
            let ours = (at.partition, identity::partition_of(*id, partitions));
            let last = self.last.insert(ours, at.offset);
            if last >= Some(at.offset) {
                let text = format!("the record at {at:?} led to an invocation after {last:?}");
                return violation(invariant::RECORDS, text);
            }
        }
        Ok(())
    }
}

impl World {
    /// Compares what became durable with what had to.
    pub fn follow(&mut self) -> Checked {
        let partitions = self.partitions();
        self.topic.follow(&self.observer.changed, partitions)?;
        self.model.follow(&mut self.observer)
    }

    /// Somebody writes a record, and a reader sends it.
    pub fn write_record(&mut self) {
        let callee = programs::callee(&mut self.rng, LEVEL_TOP, false);
        if callee.handler == "run" {
            return;
        }
        let partition = u32::try_from(self.rng.below(PARTITIONS)).unwrap_or_default();
        let subscription = SubscriptionId(1);
        let of = self.topic.log.iter().filter(|written| written.at.partition == partition);
        let next = of.last().map_or(0, |written| written.at.offset + 1);
        // Offsets of transactions are left out.
        let offset = next + self.rng.below(3);
        let topic = "topic".to_owned();
        let mut at = Position { subscription, topic, partition, offset, previous: None };
        let target = Target {
            scope: None,
            service: callee.service.to_owned(),
            key: Some(callee.key.clone()).filter(|key| !key.is_empty()),
            handler: callee.handler.to_owned(),
        };
        let id = identity::record_id(&at, target.routing_text());
        let ours = |id| identity::partition_of(id, self.partitions());
        let before = self.topic.log.iter().rev();
        let mut before = before.filter(|other| other.at.partition == partition);
        at.previous =
            before.find(|other| ours(other.invoke.id) == ours(id)).map(|other| other.at.offset);
        let input = InputCommand { value: Some(value(&callee.input)), ..InputCommand::default() };
        let level = callee.input.as_bytes().first().map_or(0, |digit| digit - b'0');
        let invoke = Invoke {
            id,
            fresh: false,
            target,
            input: prost::Message::encode_to_vec(&input).into(),
            idempotency_key: None,
            limit_key: None,
            start_at: None,
            caller: None,
            source: Source::Subscription(subscription),
            trace: None,
        };
        self.topic.by_id.insert(id, self.topic.log.len());
        self.topic.log.push(Written { at, invoke, level, taken: false });
        self.send_record(self.topic.log.len() - 1);
    }

    /// The group is set back: everything from some record on is sent again, as it comes.
    pub fn read_again(&mut self) {
        let len = self.topic.log.len() as u64;
        if len > 0 {
            let from = usize::try_from(self.rng.below(len)).unwrap_or_default();
            for place in from..self.topic.log.len() {
                self.send_record(place);
            }
        }
    }

    fn send_record(&mut self, place: usize) {
        let Written { at, invoke, level, .. } = self.topic.log[place].clone();
        let (request, id) = (RequestId(0), invoke.id);
        let command = Command::TakeRecord { request, invoke: Box::new(invoke), at: Box::new(at) };
        self.ask(command, id, level, true);
    }

    /// A reader is told what became of a record.
    pub fn on_record(&mut self, at: &Position, level: u8, reply: &Reply) {
        let Reply::Taken { id, .. } = reply else { return };
        let written = self.topic.log.iter_mut().find(|written| written.at == *at);
        if let Some(written) = written.filter(|written| !written.taken) {
            written.taken = true;
            self.accepted.insert(*id);
            self.known.push((*id, level));
        }
    }

    /// Reads until everything is taken.
    pub fn read_to_the_end(&mut self) -> Checked {
        for _ in 0..ROUNDS {
            let log = self.topic.log.iter().enumerate();
            let left: Vec<_> = log.filter(|(_, w)| !w.taken).map(|(place, _)| place).collect();
            if left.is_empty() {
                return Ok(());
            }
            for place in left.into_iter().take(WINDOW) {
                self.send_record(place);
            }
            self.run_until(self.now + 20)?;
        }
        let left = self.topic.log.iter().find(|written| !written.taken);
        violation(invariant::RECORDS, format!("a record is never taken: {left:?}"))
    }
}
