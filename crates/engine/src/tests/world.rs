//! The world a script runs in: partitions as maps, a schema, a virtual clock, aliases for ids.
//!
//! - Owns: applying commands, committing steps, handing back what effects ask for (timers, retries,
//!   messages), and checking the rows after every step.
//! - Does not own: the script language (`script.rs`), how effects look (`show.rs`).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::message::{Future, Suspension};

use crate::command::{AttemptId, Command, Millis, StateVersion};
use crate::effect::Effect;
use crate::identity::{self, SecretKey};
use crate::keys::{self, tag};
pub(crate) use crate::memory::Rows as Partition;
use crate::record::{InvocationRecord, Status, decode};
use crate::schema::Schema;
use crate::tx::Context;

use super::{schema, show};

/// The time at which every script begins; shown times are relative to it.
pub const BEGINNING: Millis = 1_000_000;

/// How long an attempt keeps its stream in scripts.
pub const HOLD_MS: u64 = 1_000;

pub const SECRET_KEY: SecretKey = SecretKey([7; 32]);

pub struct World {
    pub now: Millis,
    pub schema: Schema,
    pub options: schema::Options,
    pub(crate) partitions: Vec<Partition>,
    pub ids: BTreeMap<String, InvocationId>,
    pub aliases: BTreeMap<InvocationId, String>,
    pub minted: BTreeMap<String, AwakeableId>,
    pub attempts: BTreeMap<InvocationId, AttemptId>,
    /// Every timer key that was ever set, to fire late ones.
    pub timers_seen: BTreeSet<Bytes>,
    pub retries: Vec<(InvocationId, AttemptId, Millis)>,
    /// Messages on their way: sender, receiver, sequence number, message.
    pub mail: Vec<(u16, u16, u64, Bytes)>,
    pub requests: u64,
    pub output: Vec<String>,
    /// Version of the state that was shown last.
    pub state_seen: StateVersion,
    /// Rows that the last step wrote or deleted.
    pub writes_len: usize,
    /// What each invocation last suspended on.
    pub trees: BTreeMap<InvocationId, Future>,
    /// Effects of the last command.
    pub effects: Vec<Effect>,
    /// Where those who queue for units are to be looked for later.
    pub admissions: Vec<(u16, Bytes)>,
    /// True once anything was invoked in a scope.
    pub scoped: bool,
}

impl World {
    pub fn new() -> World {
        let options = schema::Options::default();
        World {
            now: BEGINNING,
            schema: schema::build(&options),
            options,
            partitions: vec![Partition::default()],
            ids: BTreeMap::new(),
            aliases: BTreeMap::new(),
            minted: BTreeMap::new(),
            attempts: BTreeMap::new(),
            timers_seen: BTreeSet::new(),
            retries: Vec::new(),
            mail: Vec::new(),
            requests: 0,
            output: Vec::new(),
            state_seen: StateVersion::default(),
            writes_len: 0,
            trees: BTreeMap::new(),
            effects: Vec::new(),
            admissions: Vec::new(),
            scoped: false,
        }
    }

    pub fn partitions_len(&self) -> u16 {
        u16::try_from(self.partitions.len()).expect("scripts have few partitions")
    }

    pub fn partition_of(&self, id: InvocationId) -> u16 {
        identity::partition_of(id, self.partitions_len())
    }

    pub fn id(&self, alias: &str) -> InvocationId {
        *self.ids.get(alias).unwrap_or_else(|| panic!("no invocation is called {alias}"))
    }

    pub fn name(&mut self, id: InvocationId, alias: &str) {
        self.aliases.entry(id).or_insert_with(|| alias.to_owned());
        self.ids.insert(alias.to_owned(), id);
    }

    /// The alias of an id; one that was never named gets the next letter.
    pub fn alias(&mut self, id: InvocationId) -> String {
        if let Some(alias) = self.aliases.get(&id) {
            return alias.clone();
        }
        let children =
            self.aliases.values().filter(|alias| !alias[1..].starts_with(char::is_numeric));
        let children = children.count();
        let alias = match (b'a'..=b'z').nth(children) {
            Some(letter) => format!("#{}", char::from(letter)),
            None => format!("#z{children}"),
        };
        self.name(id, &alias);
        alias
    }

    pub fn record(&self, id: InvocationId) -> Option<InvocationRecord> {
        let key = keys::invocation(id);
        let value = self.partitions[usize::from(self.partition_of(id))].0.get(&key)?;
        Some(decode(&key, value).expect("a record decodes"))
    }

    pub fn request(&mut self) -> crate::command::RequestId {
        self.requests += 1;
        crate::command::RequestId(self.requests)
    }

    /// Applies a command in the partition of an invocation.
    pub fn apply_to(&mut self, id: InvocationId, command: Command) {
        self.apply(self.partition_of(id), command);
    }

    /// Applies a command, commits its step, checks the rows and shows the effects.
    pub fn apply(&mut self, partition: u16, command: Command) {
        let shown = format!("{command:?}");
        self.scoped |= shown.contains("scope: Some");
        let used = self.scoped.then(|| super::model::usage(self, partition));
        let context = Context {
            now: self.now,
            schema: &self.schema,
            partition,
            partitions: self.partitions_len(),
            secret_key: &SECRET_KEY,
            hold_ms: HOLD_MS,
        };
        let rows = &mut self.partitions[usize::from(partition)];
        let step = crate::apply(rows, &context, command).unwrap_or_else(|error| {
            panic!("the engine stopped: {error}\nat {shown}");
        });
        self.writes_len = step.writes.len();
        let timers = step.writes.iter().filter(|write| write.value.is_some());
        let timers = timers.map(|write| &write.key).filter(|key| key.first() == Some(&tag::TIMER));
        self.timers_seen.extend(timers.cloned());
        rows.write(step.writes);
        let checked = crate::check::check_rows(rows.0.iter().map(|(k, v)| (k.clone(), v.clone())));
        if let Err(finding) = checked {
            panic!("{finding}\nafter {shown}\nso far: {:#?}", self.output);
        }
        let starts = step.effects.iter().filter(|e| matches!(e, Effect::StartAttempt(_))).count();
        assert!(starts < 10, "too many attempts in one step: {:#?}", self.output);
        for effect in &step.effects {
            self.carry_out(partition, effect);
            let shown = show::effect(self, effect);
            self.output.push(shown);
        }
        self.effects = step.effects;
        if let Some((_, from)) = self.admissions.pop() {
            let effects = std::mem::take(&mut self.effects);
            self.apply(partition, Command::Admit { from });
            self.effects.splice(..0, effects);
        }
        if let Some(used) = used {
            super::model::limits_are_kept(self, partition, &used);
        }
    }

    fn carry_out(&mut self, partition: u16, effect: &Effect) {
        match effect {
            Effect::StartAttempt(start) => {
                self.attempts.insert(start.id, start.attempt);
            }
            Effect::RetryAt(id, attempt, at) => self.retries.push((*id, *attempt, *at)),
            Effect::AdmitLater(from) => self.admissions.push((partition, from.clone())),
            Effect::Send(to, seq, message) => {
                self.mail.push((partition, *to, *seq, message.clone()));
            }
            _ => {}
        }
    }

    /// Remembers what the live attempt of an invocation suspends on, for the naive model.
    pub fn remember_tree(&mut self, id: InvocationId, attempt: AttemptId, frames: &[Frame]) {
        let live = self.record(id).filter(|record| {
            record.status() == Status::Running && record.attempt == attempt.number
        });
        let suspension = frames.iter().find(|frame| frame.ty == MessageType::SUSPENSION);
        if let (Some(_), Some(frame)) = (live, suspension) {
            let message: Suspension = frame.decode().unwrap_or_default();
            let flat = Future {
                waiting_completions: message.waiting_completions,
                waiting_signals: message.waiting_signals,
                waiting_named_signals: message.waiting_named_signals,
                ..Future::default()
            };
            self.trees.insert(id, message.awaiting_on.unwrap_or(flat));
        }
    }

    /// Moves the clock and hands back what becomes due on the way, in order of time.
    pub fn tick(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some((due, partition, command)) = self.next_due(until) {
            self.now = self.now.max(due);
            self.apply(partition, command);
        }
        self.now = until;
    }

    fn next_due(&mut self, until: Millis) -> Option<(Millis, u16, Command)> {
        let (start, end) = keys::table(tag::TIMER);
        let timer = (0..).zip(&self.partitions).filter_map(|(number, rows)| {
            let (key, _) = rows.0.range(start.clone()..end.clone()).next()?;
            Some((keys::parse_timer(key).expect("a timer decodes").due, number, key.clone()))
        });
        let timer = timer.min().filter(|(due, ..)| *due <= until);
        let retry = self.retries.iter().enumerate().min_by_key(|(_, (_, _, at))| *at);
        let retry = retry.map(|(position, (_, _, at))| (*at, position));
        match (timer, retry.filter(|(at, _)| *at <= until)) {
            (Some((due, number, key)), retry) if retry.is_none_or(|(at, _)| due <= at) => {
                Some((due, number, Command::TimerDue { key }))
            }
            (_, Some((at, position))) => {
                let (id, attempt, _) = self.retries.remove(position);
                Some((at, self.partition_of(id), Command::RetryDue { id, attempt }))
            }
            (_, None) => None,
        }
    }

    /// Delivers messages between partitions until none is left, and acknowledges them.
    pub fn deliver(&mut self) {
        while !self.mail.is_empty() {
            let (from, to, seq, message) = self.mail.remove(0);
            self.apply(to, Command::Deliver { from, seq, message });
            self.apply(from, Command::Delivered { to, seq });
        }
    }

    /// Ends and forgets everything; only rows that outlive invocations may be left.
    pub fn forget_everything(mut self) {
        let shown = self.output.len();
        loop {
            self.deliver();
            let next = self.partitions.iter().find_map(|rows| {
                let (start, end) = keys::table(tag::INVOCATION);
                let (key, _) = rows.0.range(start..end).next()?;
                keys::parse_id(&key[1..])
            });
            let Some(id) = next else { break };
            let (kill, purge) = (self.request(), self.request());
            self.apply_to(id, Command::Kill { request: kill, id });
            self.apply_to(id, Command::Purge { request: purge, id });
        }
        let lasting = [tag::STATE, tag::PROMISE, tag::OUTBOX_SEQ, tag::INBOUND_SEQ, tag::OFFSET];
        for key in self.partitions.iter().flat_map(|rows| rows.0.keys()) {
            assert!(
                lasting.contains(&key[0]),
                "left behind: {key:?}, {:#?}",
                &self.output[shown..]
            );
        }
    }
}
