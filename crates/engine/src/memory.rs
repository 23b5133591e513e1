//! A partition in memory: rows in a map, time as a value, one thread.
//!
//! For tests of handlers: whole lives of invocations, months of waiting and crashes at any point, as a
//! function of the calls made here. What attempts are to do is handed out ([`Demand`]) and what they did
//! is handed back as commands, so that any SDK can play them.
//!
//! - Owns: carrying out effects, the clock, timers and back-offs, who waits for which reply.
//! - Does not own: attempts and their order (the caller), durability over processes (crate `store`).
//! - Invariant: a step is committed before its effects are seen; after [`MemoryPartition::crash`] nothing
//!   is left but the rows.
//!
//! Start with [`MemoryPartition::submit`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use reveille_protocol::frame::Frame;
use reveille_protocol::id::InvocationId;

use crate::command::{AttemptId, Command, Millis, RequestId};
use crate::effect::{AttemptStart, Effect, Reply};
use crate::identity::SecretKey;
use crate::keys::{self, tag};
use crate::record::{self, InvocationRecord};
use crate::schema::Schema;
use crate::tx::{Context, EngineError, View, ViewError};
use crate::wait::WaitRow;
use crate::{Write, apply};

/// Time that an attempt which awaits an answer likely to come soon keeps its stream.
const HOLD_MS: u64 = 250;

/// What is to be done with an attempt, in order.
#[derive(Debug)]
pub enum Demand {
    /// Start it, and reset the one before of the same invocation, if there is one.
    Start(Box<AttemptStart>),
    /// Hand it a frame.
    Frame(InvocationId, AttemptId, Frame),
    /// No more frames will come: it is asked to suspend.
    CloseInput(InvocationId, AttemptId),
    /// It is over; what it still does is of no interest.
    End(InvocationId, AttemptId),
}

/// A partition that keeps everything in memory.
pub struct MemoryPartition {
    rows: Rows,
    now: Millis,
    schema: Arc<Schema>,
    secret_key: SecretKey,
    requests: u64,
    replies: BTreeMap<RequestId, Reply>,
    parked: BTreeMap<InvocationId, Vec<RequestId>>,
    retries: BTreeSet<(Millis, InvocationId, AttemptId)>,
    demands: VecDeque<Demand>,
}

/// Rows by key.
#[derive(Default)]
pub(crate) struct Rows(pub(crate) BTreeMap<Bytes, Bytes>);

impl Rows {
    /// Carries out the writes of a step.
    pub(crate) fn write(&mut self, writes: Vec<Write>) {
        for Write { key, value, fresh } in writes {
            let before = match value {
                Some(value) => self.0.insert(key.clone(), value),
                None => self.0.remove(&key),
            };
            assert!(!fresh || before.is_none(), "{key:?} is not as fresh as the step says");
        }
    }
}

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
        let range = Bytes::copy_from_slice(start)..Bytes::copy_from_slice(end);
        Ok(self.0.range(range).take(limit).map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

impl MemoryPartition {
    /// Makes an empty partition, the only one there is, at the time `now`.
    pub fn new(schema: Arc<Schema>, secret_key: SecretKey, now: Millis) -> MemoryPartition {
        MemoryPartition {
            rows: Rows::default(),
            now,
            schema,
            secret_key,
            requests: 0,
            replies: BTreeMap::new(),
            parked: BTreeMap::new(),
            retries: BTreeSet::new(),
            demands: VecDeque::new(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Makes a name for whoever waits for a reply ([`MemoryPartition::take_reply`]).
    pub fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Applies a command, and what follows from it at once.
    pub fn submit(&mut self, command: Command) -> Result<(), EngineError> {
        let mut queue = VecDeque::from([command]);
        while let Some(command) = queue.pop_front() {
            let context = Context {
                now: self.now,
                schema: &self.schema,
                partition: 0,
                partitions: 1,
                secret_key: &self.secret_key,
                hold_ms: HOLD_MS,
            };
            let step = apply(&self.rows, &context, command)?;
            self.rows.write(step.writes);
            for effect in step.effects {
                queue.extend(self.carry_out(effect));
            }
        }
        Ok(())
    }

    /// Takes the next thing that is to be done with an attempt.
    pub fn next_demand(&mut self) -> Option<Demand> {
        self.demands.pop_front()
    }

    /// Takes a reply, if it is there.
    pub fn take_reply(&mut self, request: RequestId) -> Option<Reply> {
        self.replies.remove(&request)
    }

    /// When the next timer or back-off is due.
    pub fn next_due(&self) -> Option<Millis> {
        let (start, end) = keys::table(tag::TIMER);
        let timer = self.rows.0.range(start..end).next();
        let timer = timer.and_then(|(key, _)| keys::parse_timer(key)).map(|timer| timer.due);
        let retry = self.retries.first().map(|(at, ..)| *at);
        [timer, retry].into_iter().flatten().min()
    }

    /// Moves the clock on, never back, and applies what is due by then. Only one thing is due at a time:
    /// what follows from it comes before the next.
    pub fn advance_to(&mut self, now: Millis) -> Result<(), EngineError> {
        self.now = self.now.max(now);
        if let Some((at, id, attempt)) = self.retries.first().copied()
            && at <= self.now
        {
            self.retries.remove(&(at, id, attempt));
            return self.submit(Command::RetryDue { id, attempt });
        }
        let (start, end) = keys::table(tag::TIMER);
        let Some((key, _)) = self.rows.0.range(start..end).next() else { return Ok(()) };
        let key = key.clone();
        let timer = keys::parse_timer(&key);
        let timer = timer.ok_or_else(|| EngineError::corrupt(&key, "not a timer"))?;
        if timer.due > self.now { Ok(()) } else { self.submit(Command::TimerDue { key }) }
    }

    /// Loses everything but the rows, as when the process is killed, and takes up the work again.
    /// Whoever waited for a reply gets none.
    pub fn crash(&mut self) -> Result<(), EngineError> {
        self.replies.clear();
        self.parked.clear();
        self.retries.clear();
        self.demands.clear();
        let (start, end) = keys::table(tag::IN_FLIGHT);
        let marks: Vec<Bytes> = self.rows.0.range(start..end).map(|(key, _)| key.clone()).collect();
        for key in marks {
            let id = key.get(1..).and_then(keys::parse_id);
            let id = id.ok_or_else(|| EngineError::corrupt(&key, "not an in-flight mark"))?;
            self.submit(Command::Recover { id })?;
        }
        self.submit(Command::Admit { from: Bytes::new() })
    }

    /// What suspended invocations wait for, oldest first.
    pub fn waits(&self) -> Result<Vec<WaitRow>, EngineError> {
        let (start, end) = keys::table(tag::WAIT);
        self.rows.0.range(start..end).map(|(key, value)| WaitRow::decode(key, value)).collect()
    }

    /// The record of an invocation.
    pub fn invocation(&self, id: InvocationId) -> Result<Option<InvocationRecord>, EngineError> {
        let key = keys::invocation(id);
        self.rows.0.get(&key).map(|value| record::decode(&key, value)).transpose()
    }

    /// Every row, by key: for comparing, and for checks ([`crate::check`]).
    pub fn rows(&self) -> &BTreeMap<Bytes, Bytes> {
        &self.rows.0
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Command> {
        match effect {
            Effect::Reply(request, reply) => {
                self.replies.insert(request, reply);
            }
            Effect::Park(request, id) => self.parked.entry(id).or_default().push(request),
            Effect::Completed { id, completed, service, handler, .. } => {
                for request in self.parked.remove(&id).unwrap_or_default() {
                    let reply = Reply::Result {
                        id,
                        completed: completed.clone(),
                        expires_at: None,
                        service: service.clone(),
                        handler: handler.clone(),
                    };
                    self.replies.insert(request, reply);
                }
            }
            Effect::StartAttempt(start) => self.demands.push_back(Demand::Start(start)),
            Effect::Forward(id, attempt, frame) => {
                self.demands.push_back(Demand::Frame(id, attempt, frame));
            }
            Effect::CloseInput(id, attempt) => {
                self.demands.push_back(Demand::CloseInput(id, attempt));
            }
            Effect::EndAttempt(id, attempt) | Effect::AbortAttempt(id, attempt) => {
                self.demands.push_back(Demand::End(id, attempt));
            }
            Effect::RetryAt(id, attempt, at) => {
                self.retries.insert((at, id, attempt));
            }
            Effect::AdmitLater(from) => return Some(Command::Admit { from }),
            // There is one partition, which sends itself nothing.
            Effect::Send(..) | Effect::Acknowledge(..) => {}
            // It shows in what is read afterwards.
            Effect::StateEditDropped { .. } => {}
        }
        None
    }
}
