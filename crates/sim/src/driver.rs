//! The driver model: the loop of the server's partition driver without its channels.
//!
//! It uses the server's own overlay and timer window and follows `partition/driver.rs` step by
//! step: overlay of uncommitted rows, one open batch, several in flight, effects behind their batch.
//! - Owns: the lease, the batches, who waits for replies, live attempts, retries, unconfirmed sends.
//! - Does not own: time and delivery ([`crate::world`]), carrying out effects ([`crate::release`]).
//! - Invariant: as in the server, unless a [`Mutant`] says otherwise.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::Write;
use reveille_engine::command::{AttemptId, Command, Millis, RequestId};
use reveille_engine::effect::Effect;
use reveille_engine::identity::SecretKey;
use reveille_engine::keys::{self, tag};
use reveille_engine::record::InvocationRecord;
use reveille_engine::schema::Schema;
use reveille_engine::tx::{Context, EngineError, View};
use reveille_protocol::id::InvocationId;
use reveille_server::partition::overlay::{Overlay, PartitionView};
use reveille_server::partition::timers::Timers;
use reveille_store::memory::MemoryStore;
use reveille_store::{Batch, Lease, StoreError};

use crate::mutant::{Mutant, forgetful, hurries, mislay};
use crate::units::{beginning, has_queue};

/// Batches that may wait for durability at the same time. Small, so that the window fills.
pub const BATCHES_IN_FLIGHT: usize = 3;

/// How long writes that nobody waits for may stay uncommitted, in milliseconds.
const LAZY_BATCH_MS: u64 = 10;

/// How long a full partition waits before it tries again, in milliseconds.
const FULL_RETRY_MS: u64 = 100;

/// How long an outbox message may stay unconfirmed before it is sent again, in milliseconds.
const RESEND_MS: u64 = 300;

/// Time that a waiting attempt keeps its stream, in milliseconds.
pub const HOLD_MS: u64 = 250;

/// What a step needs from outside.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The time.
    pub now: Millis,
    /// Everything registered.
    pub schema: &'a Schema,
    /// Number of partitions.
    pub partitions: u16,
    /// Key of awakeable secrets.
    pub secret_key: &'a SecretKey,
    /// The store handle of the process.
    pub store: &'a MemoryStore,
    /// The mistake to make.
    pub mutant: Mutant,
}

/// Whether the partition takes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Serving,
    /// The disk is full until then.
    Full(Millis),
    /// It lost its lease or its process.
    Stopped,
}

/// A batch on its way to the disk.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// Its sequence number.
    pub seq: u64,
    /// Its writes.
    pub batch: Arc<Batch>,
    effects: Vec<Effect>,
}

/// One partition at work.
pub struct Driver {
    /// The lease.
    pub lease: Lease,
    /// Whether it takes commands.
    pub mode: Mode,
    /// Requests parked on an invocation.
    pub parked: BTreeMap<InvocationId, Vec<RequestId>>,
    /// Requests without a reply.
    pub requests: BTreeSet<RequestId>,
    /// Live attempts with their stream.
    pub attempts: BTreeMap<InvocationId, (AttemptId, usize)>,
    /// Attempts that queue for a place.
    pub waiting: VecDeque<(InvocationId, AttemptId)>,
    /// Retries by time.
    pub retries: BTreeSet<(Millis, InvocationId, AttemptId)>,
    /// Keys from which those who queue for units are to be looked for.
    pub admissions: VecDeque<Bytes>,
    /// When the next turn is planned.
    pub turn_at: Option<Millis>,
    unconfirmed: BTreeMap<(u16, u64), (Bytes, Millis)>,
    overlay: Overlay,
    timers: Timers,
    open: Batch,
    open_effects: Vec<Effect>,
    open_since: Option<Millis>,
    in_flight: VecDeque<InFlight>,
}

/// What the outcome of a batch leads to.
pub enum Outcome {
    /// Effects that may be carried out.
    Release(Vec<Effect>),
    /// The disk is full: everything that is not durable is dropped.
    Full,
    /// The partition stops.
    Stopped(StoreError),
    /// It came from an earlier life.
    Nothing,
}

impl Driver {
    /// Starts with a lease and nothing else.
    pub fn new(lease: Lease) -> Driver {
        Driver {
            lease,
            mode: Mode::Serving,
            parked: BTreeMap::new(),
            requests: BTreeSet::new(),
            attempts: BTreeMap::new(),
            waiting: VecDeque::new(),
            retries: BTreeSet::new(),
            admissions: VecDeque::new(),
            turn_at: None,
            unconfirmed: BTreeMap::new(),
            overlay: Overlay::default(),
            timers: Timers::default(),
            open: Batch::default(),
            open_effects: Vec::new(),
            open_since: None,
            in_flight: VecDeque::new(),
        }
    }

    /// The view of the partition.
    pub fn view<'a>(&'a self, around: &Around<'a>) -> PartitionView<'a> {
        PartitionView {
            overlay: &self.overlay,
            store: around.store,
            partition: self.lease.partition,
        }
    }

    /// Reads an invocation as the next step would.
    pub fn record(&self, around: &Around<'_>, id: InvocationId) -> Option<InvocationRecord> {
        let key = keys::invocation(id);
        let row = self.view(around).get(&key).ok()??;
        reveille_engine::record::decode(&key, &row).ok()
    }

    /// Applies a command. Returns the number of writes and the effects that wait for nothing.
    pub fn step(
        &mut self,
        around: &Around<'_>,
        command: Command,
    ) -> Result<(usize, Vec<Effect>), EngineError> {
        let unlimited = (around.mutant == Mutant::LimitsIgnored)
            .then(|| Schema { rules: Arc::default(), ..around.schema.clone() });
        let context = Context {
            now: around.now,
            schema: unlimited.as_ref().unwrap_or(around.schema),
            partition: self.lease.partition.0,
            partitions: around.partitions,
            secret_key: around.secret_key,
            hold_ms: HOLD_MS,
        };
        let edit = match &command {
            Command::ReplaceState { edit, .. } => Some(edit.clone()),
            _ => None,
        };
        let mut step = reveille_engine::apply(&self.view(around), &context, command)?;
        step.writes = mislay(step.writes, edit.as_deref(), around.mutant);
        let seq = self.next_seq();
        let writes = step.writes.len();
        for Write { key, value, fresh } in step.writes {
            self.timers.follow(&key, value.as_ref());
            self.overlay.write(seq, key.clone(), value.clone());
            self.open.writes.push(reveille_store::Write { key, value, fresh });
        }
        if !self.open.writes.is_empty() && self.open_since.is_none() {
            self.open_since = Some(around.now);
        }
        Ok((writes, self.add_effects(step.effects, writes, around.mutant)))
    }

    /// Effects wait for everything that was written before them.
    fn add_effects(&mut self, effects: Vec<Effect>, writes: usize, mutant: Mutant) -> Vec<Effect> {
        let (at_once, waiting): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| hurries(effect, writes, mutant));
        let batch = match (self.open.writes.is_empty(), self.in_flight.back_mut()) {
            (false, Some(last)) if mutant == Mutant::OneBatchEarly => &mut last.effects,
            (false, _) => &mut self.open_effects,
            (true, Some(last)) => &mut last.effects,
            (true, None) => return at_once.into_iter().chain(waiting).collect(),
        };
        batch.extend(waiting);
        at_once
    }

    fn next_seq(&self) -> u64 {
        self.in_flight.back().map_or(self.lease.last_seq, |batch| batch.seq) + 1
    }

    /// Closes the open batch if it is due and the window has room.
    pub fn submit_if_due(&mut self, now: Millis, mutant: Mutant) -> Option<InFlight> {
        let lazy = self.open_effects.is_empty();
        let overdue = self.open_since.is_some_and(|since| now >= since + LAZY_BATCH_MS);
        if (lazy && !overdue)
            || self.open.writes.is_empty()
            || self.in_flight.len() >= BATCHES_IN_FLIGHT
        {
            return None;
        }
        let batch = InFlight {
            seq: self.next_seq(),
            batch: Arc::new(std::mem::take(&mut self.open)),
            effects: std::mem::take(&mut self.open_effects),
        };
        self.open_since = None;
        if mutant == Mutant::OverlayForgotten {
            self.overlay.clear();
        }
        self.in_flight.push_back(batch.clone());
        Some(batch)
    }

    /// A batch is durable, or never will be.
    pub fn on_committed(
        &mut self,
        lease: Lease,
        result: Result<(), StoreError>,
        mutant: Mutant,
    ) -> Outcome {
        // Outcomes of an earlier lease, or of batches behind the one that met the full disk.
        let late = self.mode != Mode::Serving && mutant != Mutant::LateOutcomeStops;
        if lease.epoch != self.lease.epoch || late {
            return Outcome::Nothing;
        }
        let result = match (mutant, result) {
            (Mutant::FencedIsDurable, Err(StoreError::Fenced { .. }))
            | (Mutant::FullIsDurable, Err(StoreError::Full)) => Ok(()),
            (_, result) => result,
        };
        match result {
            Ok(()) => {
                let Some(batch) = self.in_flight.pop_front() else { return Outcome::Nothing };
                self.lease.last_seq = batch.seq;
                self.overlay
                    .committed(batch.seq, batch.batch.writes.iter().map(|write| &write.key));
                Outcome::Release(batch.effects)
            }
            Err(StoreError::Full) => Outcome::Full,
            Err(error) => Outcome::Stopped(error),
        }
    }

    /// Drops everything that is not durable and everyone who waits.
    pub fn reset(&mut self, mode: Mode) {
        *self = Driver { mode, turn_at: self.turn_at, ..Driver::new(self.lease) };
    }

    /// Meets a full disk.
    pub fn on_full(&mut self, now: Millis, mutant: Mutant) {
        let overlay = std::mem::take(&mut self.overlay);
        self.reset(Mode::Full(now + FULL_RETRY_MS));
        if mutant == Mutant::RefusedRowsKept {
            self.overlay = overlay;
        }
    }

    /// Takes over again after a full disk: a new driver, unless a mistake keeps the old view.
    pub fn again(lease: Lease, old: Option<Driver>, mutant: Mutant) -> Driver {
        let mut driver = Driver::new(lease);
        if let Some(old) = old.filter(|_| mutant == Mutant::RefusedRowsKept) {
            driver.overlay = old.overlay;
        }
        driver
    }

    /// The commands that start again what was in flight, and the messages to send again.
    pub fn recovery(&mut self, around: &Around<'_>) -> Result<Vec<Command>, EngineError> {
        let mut commands = Vec::new();
        let view = self.view(around);
        let (start, end) = keys::table(tag::IN_FLIGHT);
        if around.mutant != Mutant::InFlightForgotten {
            for (key, _) in view.scan(&start, &end, usize::MAX)? {
                let id = key.get(1..).and_then(keys::parse_id);
                let id = id.ok_or_else(|| EngineError::corrupt(&key, "not an in-flight mark"))?;
                commands.push(Command::Recover { id });
            }
        }
        let begin = has_queue(&view)?.then(beginning);
        self.admissions.extend(begin);
        let view = self.view(around);
        let (start, end) = keys::table(tag::OUTBOX);
        let rows = view.scan(&start, &end, usize::MAX)?;
        if around.mutant != Mutant::OutboxForgotten {
            for (key, message) in rows {
                let parsed = keys::parse_outbox(&key);
                let to = parsed.ok_or_else(|| EngineError::corrupt(&key, "not an outbox row"))?;
                self.unconfirmed.insert(to, (message, 0));
            }
        }
        if around.mutant == Mutant::TimersForgotten {
            self.timers = forgetful();
        }
        Ok(commands)
    }

    /// The rules have changed: others may run.
    pub fn on_rules(&mut self, mutant: Mutant) {
        if mutant != Mutant::RulesUnheard {
            self.admissions.push_back(beginning());
        }
    }

    /// Remembers a message until it is confirmed.
    pub fn on_sent(&mut self, to: u16, seq: u64, message: Bytes, now: Millis) {
        self.unconfirmed.insert((to, seq), (message, now));
    }

    /// Forgets a confirmed message.
    pub fn on_confirmed(&mut self, to: u16, seq: u64) {
        self.unconfirmed.remove(&(to, seq));
    }

    /// Messages that stayed unconfirmed for too long, in order.
    pub fn resend(&mut self, now: Millis, mutant: Mutant) -> Vec<(u16, u64, Bytes)> {
        let mut due = Vec::new();
        for ((to, seq), (message, sent_at)) in &mut self.unconfirmed {
            let first = *sent_at == 0;
            if now >= *sent_at + RESEND_MS && (first || mutant != Mutant::NoResend) {
                *sent_at = now;
                due.push((*to, *seq, message.clone()));
            }
        }
        due
    }

    /// Drops a timer that was handled from the window. Its step has deleted the row, unless another
    /// owner did: then nothing was written, and the window would offer it for ever.
    pub fn timer_done(&mut self, key: &Bytes) {
        self.timers.follow(key, None);
    }

    /// Timers, in the order of the table.
    pub fn next_timer(&mut self, around: &Around<'_>) -> Result<Option<Bytes>, EngineError> {
        let view = PartitionView {
            overlay: &self.overlay,
            store: around.store,
            partition: self.lease.partition,
        };
        self.timers.refill(&view)?;
        Ok(self.timers.due(around.now))
    }

    /// Retries that are due.
    pub fn due_retries(&mut self, now: Millis) -> Vec<Command> {
        let mut commands = Vec::new();
        while self.retries.first().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, id, attempt)) = self.retries.pop_first() else { break };
            commands.push(Command::RetryDue { id, attempt });
        }
        commands
    }

    /// True when somebody waits for the open batch and the window has room.
    pub fn hurries(&self) -> bool {
        let room = self.in_flight.len() < BATCHES_IN_FLIGHT;
        self.mode == Mode::Serving && room && !self.open_effects.is_empty()
    }

    /// When there is something to do without being told.
    pub fn wake_at(&self, mutant: Mutant) -> Option<Millis> {
        match self.mode {
            Mode::Full(at) => return Some(at),
            Mode::Stopped => return None,
            Mode::Serving if !self.admissions.is_empty() => return Some(0),
            Mode::Serving => {}
        }
        let room = self.in_flight.len() < BATCHES_IN_FLIGHT;
        let lazy = self.open_since.filter(|_| room).map(|since| since + LAZY_BATCH_MS);
        let resend = self.unconfirmed.values().map(|(_, sent_at)| sent_at + RESEND_MS).min();
        let resend = resend.filter(|_| mutant != Mutant::NoResend);
        let retry = self.retries.first().map(|(at, ..)| *at);
        [lazy, resend, retry, self.timers.next()].into_iter().flatten().min()
    }
}
