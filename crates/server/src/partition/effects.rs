//! Carrying out effects: replies, attempts, retries, messages to other partitions.
//!
//! - Owns: who waits for which reply, the live attempts and their places, retry times.
//! - Does not own: when an effect may be carried out ([`super::driver`]).
//! - Invariant: at most one attempt per invocation has a handle here; starting the next one drops
//!   the handle of the last, which resets its stream.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use reveille_engine::command::{AttemptFailure, Command, Millis, RequestId};
use reveille_engine::effect::{AttemptStart, Completed, Effect, Reply};
use reveille_engine::schema::Schema;
use reveille_protocol::id::InvocationId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};
use tracing::{debug, warn};

use super::handle::{Mail, Partitions, Refused};
use crate::invoker::{AttemptHandle, Invoker, ToAttempt};
use crate::limits;

type ReplySender = oneshot::Sender<Result<Reply, Refused>>;

/// Carries out the effects of one partition.
pub struct Outputs {
    partition: u16,
    partitions: Partitions,
    invoker: Invoker,
    attempts_max: usize,
    requests: HashMap<RequestId, ReplySender>,
    request_last: u64,
    parked: HashMap<InvocationId, Vec<RequestId>>,
    attempts: HashMap<InvocationId, LiveAttempt>,
    waiting: VecDeque<(InvocationId, u32)>,
    retries: BTreeSet<(Millis, InvocationId, u32)>,
    outgoing: HashMap<u16, VecDeque<Mail>>,
    pressed_at: Option<Instant>,
}

struct LiveAttempt {
    attempt: u32,
    handle: AttemptHandle,
    heard_at: Instant,
}

/// How long an attempt must have been silent before it is asked to make room.
const SILENCE_UNDER_PRESSURE: Duration = Duration::from_millis(20);

impl Outputs {
    /// Starts with nothing to do.
    pub fn new(
        partition: u16,
        partitions: Partitions,
        invoker: Invoker,
        attempts_max: usize,
    ) -> Outputs {
        Outputs {
            partition,
            partitions,
            invoker,
            attempts_max,
            requests: HashMap::new(),
            request_last: 0,
            parked: HashMap::new(),
            attempts: HashMap::new(),
            waiting: VecDeque::new(),
            retries: BTreeSet::new(),
            outgoing: HashMap::new(),
            pressed_at: None,
        }
    }

    /// Remembers who waits for a reply.
    pub fn expect_reply(&mut self, sender: ReplySender) -> RequestId {
        self.request_last += 1;
        let request = RequestId(self.request_last);
        self.requests.insert(request, sender);
        request
    }

    /// Notes that an attempt is alive.
    pub fn heard_from(&mut self, command: &Command) {
        if let Command::Frames { id, .. } = command
            && let Some(live) = self.attempts.get_mut(id)
        {
            live.heard_at = Instant::now();
        }
    }

    /// Carries out one effect. May ask back for a command, to be applied at once.
    pub fn carry_out(&mut self, effect: Effect, schema: &Schema) -> Option<Command> {
        match effect {
            Effect::Reply(request, reply) => self.reply(request, Ok(reply)),
            Effect::Park(request, id) => self.park(request, id),
            Effect::Completed { id, completed, service, handler } => {
                self.answer_parked(id, &completed, &service, &handler);
            }
            Effect::StartAttempt(start) => return self.start(start, schema),
            Effect::Forward(id, attempt, frame) => {
                return self.tell_attempt(id, attempt, ToAttempt::Frame(frame));
            }
            Effect::CloseInput(id, attempt) => {
                return self.tell_attempt(id, attempt, ToAttempt::CloseInput);
            }
            Effect::EndAttempt(id, attempt) => self.end(id, attempt, ToAttempt::End),
            Effect::AbortAttempt(id, attempt) => self.end(id, attempt, ToAttempt::Abort),
            Effect::RetryAt(id, attempt, at) => {
                self.retries.insert((at, id, attempt));
            }
            Effect::Send(to, seq, message) => self.send(to, seq, message),
            Effect::Acknowledge(from, seq) => {
                let command = Command::Delivered { to: self.partition, seq };
                self.outgoing.entry(from).or_default().push_back(Mail::Tell(command));
            }
        }
        None
    }

    /// Queues an outbox message for another partition, behind those before it.
    pub fn send(&mut self, to: u16, seq: u64, message: Bytes) {
        let command = Command::Deliver { from: self.partition, seq, message };
        self.outgoing.entry(to).or_default().push_back(Mail::Tell(command));
    }

    /// Hands queued messages to the other partitions' mailboxes, as far as they have room: two
    /// partitions never wait for each other.
    pub fn flush(&mut self) {
        for (to, queue) in &mut self.outgoing {
            while let Some(mail) = queue.pop_front() {
                match self.partitions.mailbox_of(*to).try_send(mail) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Full(mail)) => {
                        queue.push_front(mail);
                        break;
                    }
                    // The other partition stops: what is in the outbox is sent after the restart.
                    Err(mpsc::error::TrySendError::Closed(_)) => queue.clear(),
                }
            }
        }
    }

    /// Commands that are due: retries, attempts that have a place now, idle attempts that are asked
    /// to make room.
    pub fn due(&mut self, now: Millis) -> Vec<Command> {
        let mut commands = Vec::new();
        while self.retries.first().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, id, attempt)) = self.retries.pop_first() else { break };
            commands.push(Command::RetryDue { id, attempt });
        }
        let mut places = self.attempts_max.saturating_sub(self.attempts.len());
        while places > 0
            && let Some((id, attempt)) = self.waiting.pop_front()
        {
            places -= 1;
            commands.push(Command::AttemptAdmitted { id, attempt });
        }
        if !self.waiting.is_empty() {
            self.press(&mut commands);
        }
        commands
    }

    /// When [`Outputs::due`] has something to do next.
    pub fn next_due(&self) -> Option<Millis> {
        let soon = |busy: bool| busy.then_some(0);
        let outgoing = self.outgoing.values().any(|queue| !queue.is_empty());
        let room = !self.waiting.is_empty() && self.attempts.len() < self.attempts_max;
        let retry = self.retries.first().map(|(at, ..)| *at);
        retry.into_iter().chain(soon(outgoing || room)).min()
    }

    /// Tells everyone who waits that the partition cannot answer, and resets every attempt.
    pub fn refuse_all(&mut self, refused: &Refused) {
        for (_, sender) in self.requests.drain() {
            // Whoever asked may have given up waiting.
            let _asked = sender.send(Err(refused.clone()));
        }
        self.parked.clear();
        self.attempts.clear();
        self.waiting.clear();
        self.retries.clear();
        self.outgoing.clear();
    }

    fn reply(&mut self, request: RequestId, reply: Result<Reply, Refused>) {
        if let Some(sender) = self.requests.remove(&request) {
            // Whoever asked may have given up waiting; the decision is durable all the same.
            let _asked = sender.send(reply);
        }
    }

    fn park(&mut self, request: RequestId, id: InvocationId) {
        let parked = self.parked.entry(id).or_default();
        // Those who gave up waiting are dropped here, so that they cannot pile up.
        let requests = &mut self.requests;
        parked.retain(|request| match requests.get(request) {
            Some(sender) if sender.is_closed() => {
                requests.remove(request);
                false
            }
            found => found.is_some(),
        });
        parked.push(request);
    }

    fn answer_parked(
        &mut self,
        id: InvocationId,
        completed: &Completed,
        service: &str,
        handler: &str,
    ) {
        for request in self.parked.remove(&id).unwrap_or_default() {
            let reply = Reply::Result {
                id,
                completed: completed.clone(),
                expires_at: None,
                service: service.to_owned(),
                handler: handler.to_owned(),
            };
            self.reply(request, Ok(reply));
        }
    }

    fn start(&mut self, start: Box<AttemptStart>, schema: &Schema) -> Option<Command> {
        let (id, attempt) = (start.id, start.attempt);
        self.attempts.remove(&id);
        if self.attempts.len() >= self.attempts_max {
            self.waiting.push_back((id, attempt));
            return None;
        }
        let Some(deployment) = schema.deployments.get(&start.deployment) else {
            let message = format!("deployment {} was removed a moment ago", start.deployment);
            let failure = AttemptFailure { code: 404, message, doc_code: "RT0018" };
            return Some(Command::AttemptFailed { id, attempt, failure });
        };
        let handle = self.invoker.start(start, deployment);
        self.attempts.insert(id, LiveAttempt { attempt, handle, heard_at: Instant::now() });
        None
    }

    /// Writes to a live attempt. One that does not read is aborted and retried.
    fn tell_attempt(
        &mut self,
        id: InvocationId,
        attempt: u32,
        message: ToAttempt,
    ) -> Option<Command> {
        let live = self.attempts.get(&id).filter(|live| live.attempt == attempt)?;
        match live.handle.sender.try_send(message) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Closed(_)) => {
                // The task has ended and its last word is in the mailbox.
                debug!(%id, attempt, "a frame came too late for its attempt");
                None
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                warn!(%id, attempt, "the deployment does not read, the attempt is aborted");
                self.attempts.remove(&id);
                let message = format!(
                    "the deployment left {} notifications unread",
                    limits::ATTEMPT_MAILBOX_LEN
                );
                let failure = AttemptFailure { code: 500, message, doc_code: "RT0001" };
                Some(Command::AttemptFailed { id, attempt, failure })
            }
        }
    }

    fn end(&mut self, id: InvocationId, attempt: u32, message: ToAttempt) {
        if self.attempts.get(&id).is_some_and(|live| live.attempt == attempt)
            && let Some(live) = self.attempts.remove(&id)
        {
            // A task that cannot be told sees its channel close, which means the same or more.
            let _told = live.handle.sender.try_send(message);
        }
    }

    /// Asks attempts that have been silent for a while to suspend, so that others can start.
    fn press(&mut self, commands: &mut Vec<Command>) {
        let now = Instant::now();
        if self.pressed_at.is_some_and(|at| now - at < SILENCE_UNDER_PRESSURE) {
            return;
        }
        self.pressed_at = Some(now);
        for (id, live) in &mut self.attempts {
            if now - live.heard_at >= SILENCE_UNDER_PRESSURE {
                live.heard_at = now;
                let (id, attempt) = (*id, live.attempt);
                commands.push(Command::AttemptIdle { id, attempt, expired: false });
            }
        }
    }
}
