//! Carrying out effects: replies, attempts, retries, messages to other partitions.
//!
//! - Owns: who waits for which reply, the live attempts and their places, retry times.
//! - Does not own: when an effect may be carried out ([`super::driver`]).
//! - Invariant: at most one attempt per invocation has a handle here; starting the next one drops
//!   the handle of the last, which resets its stream.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::command::{AttemptFailure, AttemptId, Command, Millis, RequestId};
use reveille_engine::effect::{AttemptStart, Completed, Effect, Reply};
use reveille_engine::message::Outcome;
use reveille_engine::schema::Schema;
use reveille_engine::trace::Traced;
use reveille_protocol::id::InvocationId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::handle::{Mail, Partitions, Refused};
use super::live::{self, LiveAttempt};
use super::places::Places;
use super::unconfirmed::Unconfirmed;
use crate::invoker::{AttemptHandle, Invoker, ToAttempt};
use crate::limits;
use crate::metrics::PartitionMetrics;
use crate::metrics::seldom::Seldom;
use crate::traces::{Tracer, span};

type ReplySender = oneshot::Sender<Result<Reply, Refused>>;

/// Carries out the effects of one partition.
pub struct Outputs {
    pub(super) partition: u16,
    partitions: Partitions,
    invoker: Invoker,
    pub(super) metrics: Arc<PartitionMetrics>,
    requests: HashMap<RequestId, ReplySender>,
    request_last: u64,
    /// Number of requests at which those are dropped whose askers have gone.
    sweep_at: usize,
    parked: HashMap<InvocationId, Vec<RequestId>>,
    pub(super) attempts: HashMap<InvocationId, LiveAttempt>,
    pub(super) places: Places,
    pub(super) retries: BTreeSet<(Millis, InvocationId, AttemptId)>,
    pub(super) outgoing: HashMap<u16, VecDeque<Mail>>,
    pub(super) unconfirmed: Unconfirmed,
    /// When attempts may be asked again to make room.
    pub(super) press_at: Instant,
    /// False when every attempt was asked in its current silence.
    pub(super) press_more: bool,
    /// Keys from which those who queue for units are to be looked for.
    admissions: VecDeque<Bytes>,
    pub(super) long_wait: Seldom,
}

/// Fewest requests for which those of askers who have gone are looked for.
const SWEEP_REQUESTS_MIN: usize = 1024;

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
            metrics: partitions.metrics().partition(partition),
            partitions,
            invoker,
            requests: HashMap::new(),
            request_last: 0,
            sweep_at: SWEEP_REQUESTS_MIN,
            parked: HashMap::new(),
            attempts: HashMap::new(),
            places: Places::new(attempts_max),
            retries: BTreeSet::new(),
            outgoing: HashMap::new(),
            unconfirmed: Unconfirmed::default(),
            press_at: Instant::now(),
            press_more: false,
            admissions: VecDeque::new(),
            long_wait: Seldom::default(),
        }
    }

    /// Remembers to look, from this key on, who may run that queues for units.
    pub fn admit_from(&mut self, from: Bytes) {
        self.admissions.push_back(from);
    }

    /// Takes one of those.
    pub fn next_admission(&mut self) -> Option<Command> {
        self.admissions.pop_front().map(|from| Command::Admit { from })
    }

    /// True while there are more.
    pub fn has_admissions(&self) -> bool {
        !self.admissions.is_empty()
    }

    /// What the partition counts.
    pub fn metrics(&self) -> &PartitionMetrics {
        &self.metrics
    }

    /// Where spans are left.
    pub fn tracer(&self) -> &Tracer {
        self.partitions.tracer()
    }

    /// Shows how much there is to do.
    pub fn publish(&self) {
        self.metrics.attempts_open.set_len(self.attempts.len());
        self.metrics.attempts_waiting.set_len(self.places.len());
        self.metrics.backing_off.set_len(self.retries.len());
        self.metrics.outbox.set_len(self.unconfirmed.len());
    }

    /// Remembers who waits for a reply.
    pub fn expect_reply(&mut self, sender: ReplySender) -> RequestId {
        if self.requests.len() >= self.sweep_at {
            self.sweep();
        }
        self.request_last += 1;
        let request = RequestId(self.request_last);
        self.requests.insert(request, sender);
        request
    }

    /// Notes that an attempt is alive, or that a message has arrived.
    pub fn heard_from(&mut self, command: &Command) {
        if let Command::Delivered { to, seq } = command {
            self.unconfirmed.confirmed(*to, *seq);
        }
        if let Command::Frames { id, .. } | Command::AttemptFailed { id, .. } = command
            && let Some(live) = self.attempts.get_mut(id)
        {
            live.heard(command);
            self.press_more = true;
        }
    }

    /// Takes back the place of an attempt that was admitted but is not wanted any more.
    pub fn forgo(&mut self, id: InvocationId) {
        self.places.forgo(id);
    }

    /// Partitions that may have dropped what they were sent: send it again.
    pub fn overdue(&self, now: Instant) -> Vec<u16> {
        let mut overdue = self.unconfirmed.overdue(now);
        // What still queues here cannot have been dropped there.
        overdue.retain(|to| self.outgoing.get(to).is_none_or(VecDeque::is_empty));
        overdue
    }

    /// See [`Unconfirmed::forget`].
    pub fn forget_sent(&mut self, to: u16, through: u64) {
        self.unconfirmed.forget(to, through);
    }

    /// Requests without a reply so far, invocations that some of them are parked on, live attempts.
    #[cfg(test)]
    pub(super) fn counts(&self) -> [usize; 3] {
        [self.requests.len(), self.parked.len(), self.attempts.len()]
    }

    /// Carries out one effect. May ask back for a command, to be applied at once.
    pub fn carry_out(&mut self, effect: Effect, schema: &Schema) -> Option<Command> {
        match effect {
            Effect::Reply(request, reply) => self.reply(request, Ok(reply)),
            Effect::Park(request, id) => self.park(request, id),
            Effect::Completed { id, completed, service, handler, traced } => {
                self.count_ended(id, &completed, (&service, &handler), traced);
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
            Effect::AdmitLater(from) => self.admissions.push_back(from),
            Effect::Acknowledge(from, seq) => {
                let command = Command::Delivered { to: self.partition, seq };
                self.outgoing.entry(from).or_default().push_back(Mail::Tell(command));
            }
            Effect::StateEditDropped { service, key } => {
                warn!(
                    service,
                    key, "a state edit was dropped: its version was not that of the state any more"
                );
            }
        }
        None
    }

    /// Queues an outbox message for another partition, behind those before it.
    pub fn send(&mut self, to: u16, seq: u64, message: Bytes) {
        self.unconfirmed.sent(to, seq);
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

    /// Answers those who wait for a step that was dropped: its rows do not fit into the store.
    pub fn refuse_step(&mut self, effects: Vec<Effect>, why: &str) {
        for effect in effects {
            if let Effect::Reply(request, _) | Effect::Park(request, _) = effect {
                self.reply(request, Ok(Reply::Unavailable(why.to_owned())));
            }
        }
    }

    /// Tells everyone who waits that the partition cannot answer, and resets every attempt.
    pub fn refuse_all(&mut self, refused: &Refused) {
        for (_, sender) in self.requests.drain() {
            // Whoever asked may have given up waiting.
            let _asked = sender.send(Err(refused.clone()));
        }
        self.parked.clear();
        self.attempts.clear();
        self.places.clear();
        self.retries.clear();
        self.admissions.clear();
        self.outgoing.clear();
        self.unconfirmed.clear();
    }

    fn reply(&mut self, request: RequestId, reply: Result<Reply, Refused>) {
        if let Some(sender) = self.requests.remove(&request) {
            // Whoever asked may have given up waiting; the decision is durable all the same.
            let _asked = sender.send(reply);
        }
    }

    fn park(&mut self, request: RequestId, id: InvocationId) {
        self.parked.entry(id).or_default().push(request);
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
        let keeps = self.remove(id).is_some();
        if !self.places.take(self.attempts.len(), id, attempt, keeps) {
            return None;
        }
        let Some(deployment) = schema.deployments.get(&start.deployment) else {
            let message = format!("deployment {} was removed a moment ago", start.deployment);
            let failure = AttemptFailure { code: 404, message, doc_code: "RT0018" };
            return Some(Command::AttemptFailed { id, attempt, failure });
        };
        let (partition, deployment_id) = (self.partition, start.deployment);
        debug!(invocation_id = %id, %attempt, %deployment_id, partition, "attempt starts");
        let trace = live::trace(&start, self.partitions.tracer());
        let handle = self.invoker.start(start, deployment);
        self.attempts.insert(id, LiveAttempt::new(attempt, handle, trace));
        self.metrics.attempts_started.add(1);
        self.press_more = true;
        None
    }

    /// Writes to a live attempt. One that does not read is aborted and retried.
    fn tell_attempt(
        &mut self,
        id: InvocationId,
        attempt: AttemptId,
        message: ToAttempt,
    ) -> Option<Command> {
        let live = self.attempts.get(&id).filter(|live| live.attempt == attempt)?;
        match live.handle.sender.try_send(message) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Closed(_)) => {
                // The task has ended and its last word is in the mailbox.
                debug!(invocation_id = %id, %attempt, "a frame came too late for its attempt");
                None
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                warn!(invocation_id = %id, %attempt, "the deployment does not read, the attempt is aborted");
                if let Some(live) = self.attempts.get_mut(&id) {
                    live.outcome = span::Outcome::Failed("RT0001");
                }
                self.remove(id);
                let message = format!(
                    "the deployment left {} notifications unread",
                    limits::ATTEMPT_MAILBOX_LEN
                );
                let failure = AttemptFailure { code: 500, message, doc_code: "RT0001" };
                Some(Command::AttemptFailed { id, attempt, failure })
            }
        }
    }

    fn end(&mut self, id: InvocationId, attempt: AttemptId, message: ToAttempt) {
        if self.attempts.get(&id).is_some_and(|live| live.attempt == attempt)
            && let Some(handle) = self.remove(id)
        {
            // A task that cannot be told sees its channel close, which means the same or more.
            let _told = handle.sender.try_send(message);
        }
    }

    /// Counts the end of an invocation, and tells it where its trace is recorded.
    fn count_ended(
        &self,
        id: InvocationId,
        completed: &Completed,
        target: (&str, &str),
        traced: Option<Box<Traced>>,
    ) {
        let failure = match &completed.outcome {
            Outcome::Failure(failure) => Some(failure.code),
            Outcome::Success(_) => None,
        };
        let partition = self.partition;
        debug!(invocation_id = %id, partition, failure, "invocation completed");
        match failure {
            Some(_) => self.metrics.failed.add(1),
            None => self.metrics.completed.add(1),
        }
        if let Some(traced) = traced.filter(|_| self.partitions.tracer().is_on()) {
            self.partitions.tracer().record(span::of_invocation(id, *traced, target, failure));
        }
    }

    /// Notes why the attempt of an invocation failed.
    pub(super) fn attempt_failed(&mut self, id: InvocationId, doc_code: &'static str) {
        self.metrics.attempt_failed(doc_code);
        if let Some(live) = self.attempts.get_mut(&id) {
            live.outcome = span::Outcome::Failed(doc_code);
        }
    }

    fn remove(&mut self, id: InvocationId) -> Option<AttemptHandle> {
        let live = self.attempts.remove(&id)?;
        Some(live.end(id, &self.metrics, self.partitions.tracer()))
    }

    /// Drops the requests of askers who have gone. They may wait for an invocation that ends in
    /// months, so nothing else would. The next time comes when there are twice as many as are left.
    fn sweep(&mut self) {
        self.requests.retain(|_, sender| !sender.is_closed());
        let requests = &self.requests;
        self.parked.retain(|_, parked| {
            parked.retain(|request| requests.contains_key(request));
            !parked.is_empty()
        });
        self.sweep_at = (2 * self.requests.len()).max(SWEEP_REQUESTS_MIN);
    }
}
