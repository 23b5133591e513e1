//! Engine and attempts, one turn at a time.
//!
//! - Owns: the partition, the streams of attempts, when there is nothing more to do.
//! - Invariant: frames are applied before anything is done that follows from them; a crash loses what was
//!   not applied.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Context,
};

use bytes::Bytes;
use prost::Message as _;
use reveille_engine::{
    command::{AttemptFailure, AttemptId, Command, Invoke, Outcome, Source, Target, WaitTarget},
    effect::{AttemptStart, Reply},
    identity::{SecretKey, fresh_id, idempotent_id, workflow_run_id},
    memory::{Demand, MemoryPartition},
    schema::{HandlerKind, Schema},
    wait::WaitKind,
};
use reveille_protocol::{
    frame::{Frame, MessageType},
    id::{AwakeableId, InvocationId},
    message::{Failure, Header, InputCommand, Value},
};

use super::{Wait, attempt::Attempt, schema::schema};
use crate::{Endpoint, clock::Clock, driver::Settings, request};

/// 2026-01-01 00:00:01 UTC.
const START_MS: u64 = 1_767_225_601_000;

/// What a turn came to.
pub enum Turn {
    /// Something happened.
    Moved,
    /// Nothing, since a step waits for something real.
    Busy,
    /// Nothing, and nothing will before time passes or somebody does something.
    Idle,
}

/// A request that comes from a test.
pub struct Submission {
    pub target: request::Target,
    pub input: Bytes,
    pub headers: Vec<(String, String)>,
    pub idempotency_key: Option<String>,
    pub delay_ms: u64,
}

/// Engine and attempts.
pub struct World {
    endpoint: Endpoint,
    partition: MemoryPartition,
    secret_key: SecretKey,
    schema: Arc<Schema>,
    now_ms: Arc<AtomicU64>,
    attempts: BTreeMap<InvocationId, Attempt>,
    /// The state of the generator that decides the order of things.
    random: u64,
    invocations: u128,
    /// How often frames were applied.
    steps: usize,
    crash_at: Option<usize>,
}

impl World {
    pub fn new(endpoint: Endpoint, seed: u64) -> Self {
        let schema = Arc::new(schema(endpoint.definitions()));
        let secret_key = SecretKey([7; 32]);
        let partition = MemoryPartition::new(schema.clone(), SecretKey([7; 32]), START_MS);
        Self {
            endpoint,
            partition,
            secret_key,
            schema,
            now_ms: Arc::new(AtomicU64::new(START_MS)),
            attempts: BTreeMap::new(),
            random: seed,
            invocations: 0,
            steps: 0,
            crash_at: None,
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.partition.now()
    }

    /// How often frames were applied.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Loses the frames of the step of this number, and everything but the rows.
    pub fn crash_at(&mut self, step: usize) {
        self.crash_at = Some(step);
    }

    pub fn next_due(&self) -> Option<u64> {
        self.partition.next_due()
    }

    pub fn set_time(&mut self, now_ms: u64) {
        self.now_ms.fetch_max(now_ms, Ordering::SeqCst);
        let due = self.partition.advance_to(now_ms);
        due.unwrap_or_else(|error| panic!("the engine: {error}"));
    }

    pub fn crash(&mut self) {
        self.attempts.clear();
        self.partition.crash().unwrap_or_else(|error| panic!("the engine: {error}"));
    }

    fn submit(&mut self, command: Command) {
        self.partition.submit(command).unwrap_or_else(|error| panic!("the engine: {error}"));
    }

    /// Starts an invocation, or joins the one with the same key.
    pub fn invoke(&mut self, submission: Submission) -> InvocationId {
        let Submission { target, input, headers, idempotency_key, delay_ms } = submission;
        let request::Target { service, handler, key } = target;
        let target = Target { scope: None, service, key, handler };
        let handler = self.schema.handler(&target.service, &target.handler);
        let is_run = handler.is_some_and(|(_, handler)| handler.kind == HandlerKind::Workflow);
        self.invocations += 1;
        let (id, fresh) = match (&idempotency_key, &target.key) {
            (_, Some(key)) if is_run => (workflow_run_id(None, &target.service, key), false),
            (Some(key), _) => (idempotent_id(&target, key), false),
            (None, _) => {
                let routing = target.key.as_deref();
                (fresh_id(routing, 0, self.now_ms(), self.invocations), true)
            }
        };
        let header = |(key, value)| Header { key, value };
        let input = InputCommand {
            headers: headers.into_iter().map(header).collect(),
            value: Some(Value { content: input }),
            name: String::new(),
        };
        let request = self.partition.request();
        let invoke = Box::new(Invoke {
            id,
            fresh,
            target,
            input: input.encode_to_vec().into(),
            idempotency_key,
            limit_key: None,
            start_at: (delay_ms > 0).then(|| self.now_ms() + delay_ms),
            caller: None,
            source: Source::Ingress,
            trace: None,
        });
        self.submit(Command::Invoke { request, invoke, wait: false });
        match self.partition.take_reply(request) {
            Some(Reply::Accepted { id, .. }) => id,
            other => panic!("the request was not accepted, but answered {other:?}"),
        }
    }

    /// The result of an invocation, if it has one.
    pub fn result(&mut self, id: InvocationId) -> Option<Result<Bytes, Failure>> {
        let request = self.partition.request();
        self.submit(Command::Output { request, id });
        match self.partition.take_reply(request) {
            Some(Reply::Result { completed, .. }) => Some(match completed.outcome {
                Outcome::Success(content) => Ok(content),
                Outcome::Failure(failure) => Err(failure),
            }),
            Some(Reply::NotReady(_)) => None,
            other => panic!("{id} has no result, but {other:?}"),
        }
    }

    pub fn cancel(&mut self, id: InvocationId) {
        let request = self.partition.request();
        self.submit(Command::Cancel { request, id });
        // Done, or accepted; one that has ended is left alone.
        self.partition.take_reply(request);
    }

    /// Answers an awakeable.
    pub fn complete(&mut self, awakeable: &str, result: Result<Bytes, Failure>) {
        let id: AwakeableId =
            awakeable.parse().unwrap_or_else(|error| panic!("{awakeable:?}: {error}"));
        let completion = match result {
            Ok(content) => Outcome::Success(content),
            Err(failure) => Outcome::Failure(failure),
        };
        let (request, wait) = (self.partition.request(), WaitTarget::Awakeable(id));
        self.submit(Command::CompleteWait { request, wait, completion, idempotency_key: None });
        let reply = self.partition.take_reply(request);
        assert!(matches!(reply, Some(Reply::Receipt(_))), "{awakeable:?} was answered {reply:?}");
    }

    pub fn waits(&self) -> Vec<Wait> {
        let rows = self.partition.waits();
        let rows = rows.unwrap_or_else(|error| panic!("the engine: {error}"));
        rows.into_iter()
            .map(|row| {
                let name = match row.kind {
                    WaitKind::Awakeable => self.awakeable(row.invocation, row.index),
                    _ => row.name,
                };
                let (service, handler, key) = (row.service, row.handler, row.key);
                Wait { kind: row.kind.name(), service, handler, key, name }
            })
            .collect()
    }

    fn awakeable(&self, invocation: InvocationId, index: u32) -> Option<String> {
        let record = self.partition.invocation(invocation).ok()??;
        let secret = self.secret_key.secret(invocation, record.created_at);
        Some(AwakeableId { invocation, secret, index }.to_string())
    }

    /// Lets some attempts go on as far as they can, and applies what they did; all of them when nothing comes
    /// of it.
    pub fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let mut moved = self.meet_demands();
        let mut ids: Vec<_> = self.attempts.keys().copied().collect();
        self.shuffle(&mut ids);
        // Those that are left out fall behind, as they would on a slower machine.
        let count = if ids.len() > 1 { 1 + self.below(ids.len()) } else { 1 };
        let mut is_busy = false;
        for (place, id) in ids.into_iter().enumerate() {
            if moved && place >= count {
                break;
            }
            let Some(attempt) = self.attempts.get_mut(&id) else { continue };
            let ended = attempt.run.as_mut().poll(cx).is_ready();
            is_busy |= !ended && !attempt.is_waiting.load(Ordering::SeqCst);
            let (attempt_id, frames) = (attempt.id, attempt.frames());
            if frames.is_empty() && !ended {
                continue;
            }
            moved = true;
            let is_terminal = |frame: &Frame| {
                matches!(frame.ty, MessageType::END | MessageType::ERROR | MessageType::SUSPENSION)
            };
            let is_over = frames.iter().any(is_terminal);
            if ended {
                self.attempts.remove(&id);
            }
            if !self.apply(id, attempt_id, frames) {
                return Turn::Moved;
            }
            if ended && !is_over {
                let message = "the attempt broke off".to_owned();
                let failure = AttemptFailure { code: 500, message, doc_code: "" };
                self.submit(Command::AttemptFailed { id, attempt: attempt_id, failure });
            }
            self.meet_demands();
        }
        match (moved, is_busy) {
            (true, _) => Turn::Moved,
            (false, true) => Turn::Busy,
            (false, false) => self.suspend_idle(),
        }
    }

    /// Applies frames; `false` when the process was killed just before.
    fn apply(&mut self, id: InvocationId, attempt: AttemptId, frames: Vec<Frame>) -> bool {
        if frames.is_empty() {
            return true;
        }
        self.steps += 1;
        if self.crash_at == Some(self.steps) {
            self.crash();
            return false;
        }
        self.submit(Command::Frames { id, attempt, frames });
        true
    }

    /// Asks attempts that only wait to suspend, as a server does after a while.
    fn suspend_idle(&mut self) -> Turn {
        let mut idle = Vec::new();
        for (id, attempt) in &mut self.attempts {
            if !std::mem::replace(&mut attempt.is_idle_told, true) {
                idle.push((*id, attempt.id));
            }
        }
        for (id, attempt) in &idle {
            self.submit(Command::AttemptIdle { id: *id, attempt: *attempt, expired: true });
        }
        let moved = self.meet_demands() || !idle.is_empty();
        if moved { Turn::Moved } else { Turn::Idle }
    }

    fn meet_demands(&mut self) -> bool {
        let mut moved = false;
        while let Some(demand) = self.partition.next_demand() {
            moved = true;
            match demand {
                Demand::Start(start) => {
                    let (id, attempt) = (start.id, self.start(*start));
                    self.attempts.insert(id, attempt);
                }
                Demand::Frame(id, attempt, frame) => {
                    if let Some(attempt) = self.attempt(id, attempt) {
                        attempt.is_idle_told = false;
                        attempt.send(&[frame]);
                    }
                }
                Demand::CloseInput(id, attempt) => {
                    if let Some(attempt) = self.attempt(id, attempt) {
                        attempt.input = None;
                    }
                }
                Demand::End(id, attempt) => {
                    if self.attempt(id, attempt).is_some() {
                        self.attempts.remove(&id);
                    }
                }
            }
        }
        moved
    }

    fn attempt(&mut self, id: InvocationId, attempt: AttemptId) -> Option<&mut Attempt> {
        self.attempts.get_mut(&id).filter(|running| running.id == attempt)
    }

    fn start(&self, start: AttemptStart) -> Attempt {
        let handler = self.endpoint.handler(&start.service, &start.handler).cloned();
        let handler = handler
            .unwrap_or_else(|| panic!("there is no handler {}/{}", start.service, start.handler));
        let clock = Clock::Set(self.now_ms.clone());
        Attempt::start(start, handler, Settings { clock, ..self.endpoint.settings() })
    }

    /// Puts things that happen at the same time into an order that the seed decides.
    fn shuffle(&mut self, ids: &mut [InvocationId]) {
        for end in (1..ids.len()).rev() {
            let at = self.below(end + 1);
            ids.swap(at, end);
        }
    }

    /// The steps of an old and simple generator are random enough for this.
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % end
    }
}
