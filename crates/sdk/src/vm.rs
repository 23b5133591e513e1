//! The replay machine: one attempt of an invocation, from the bytes of the server to bytes for it.
//!
//! No I/O, no clock, no futures: bytes in ([`Vm::push`]), bytes out ([`Vm::take_output`]), and between
//! them what the code does. A command that the journal has is compared with what the code does; one
//! that it lacks is written.
//!
//! ```text
//! WaitingStart -> WaitingReplay -> Replaying -> Processing -> Closed
//!                 known entries    the last     output, suspension
//!                 are here         command      or error
//!                                  was issued
//! ```
//!
//! - Owns: phases, counters, what is known ([`inbox`]), state ([`state`]), runs ([`run`]), cancellation
//!   ([`progress`]), the determinism table ([`command`]).
//! - Does not own: who polls what, and encodings of values (the crate around it).
//! - Invariant: what the code sees is a function of the journal and of the order of notifications. After
//!   the terminal frame nothing is written.
//!
//! Start with [`Vm::issue`] and [`Vm::progress`].

mod await_tree;
mod command;
mod error;
mod inbox;
mod output;
mod progress;
mod replay;
mod run;
mod state;
mod syscall;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, panic::Location};

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{InputCommand, Notification, ProposeRunCompletionAck, Start, notification::Id},
    signal,
    version::ServiceProtocolVersion,
};

pub use self::{
    await_tree::{Await, Combinator, Status},
    error::{AttemptError, Stopped, millis},
    inbox::Outcome,
    progress::Progress,
    run::{OnExhausted, RetryLimits},
    syscall::{CallRequest, InvocationTarget, SendRequest},
};
use self::{
    error::{INTERNAL, PROTOCOL_VIOLATION, RelatedCommand},
    inbox::Inbox,
    output::Output,
    progress::Children,
    state::StateView,
};

/// Where the code did something.
pub type Site = &'static Location<'static>;

/// Something that a handler can await, of one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Handle(usize);

/// What a handle stands for.
struct Awaitable {
    id: Id,
    /// In the words of users: `sleep`, `call`.
    what: &'static str,
    site: Site,
    /// The command that it is the result of; awakeables and signals have none.
    command: Option<RelatedCommand>,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct VmOptions {
    /// Whether a payload that differs from the recorded one is a mismatch.
    pub check_payloads: bool,
    /// The longest frame that is accepted, in bytes.
    pub frame_bytes_max: usize,
}

impl Default for VmOptions {
    fn default() -> Self {
        // The protocol has no limit of its own; servers admit 32 MiB by default.
        Self { check_payloads: true, frame_bytes_max: 256 << 20 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    WaitingStart,
    /// With the number of frames that are still to come.
    WaitingReplay(u32),
    Replaying,
    Processing,
    Closed,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The invocation has its result.
    Completed,
    /// It goes on when something that it waits for is there.
    Suspended,
    /// It failed; the server was told.
    Failed(AttemptError),
}

/// One attempt of an invocation.
pub struct Vm {
    version: ServiceProtocolVersion,
    options: VmOptions,
    decoder: FrameDecoder,
    phase: Phase,
    ended: Option<Ended>,
    start: Start,
    /// The recorded commands that the code has not issued yet.
    commands: VecDeque<Frame>,
    inbox: Inbox,
    state: StateView,
    handles: Vec<Awaitable>,
    /// The handle of the cancel signal; the first one.
    cancel: Handle,
    children: Children,
    output: Output,
    input_closed: bool,
    commands_issued: u32,
    completion_ids: u32,
    signals: u32,
    /// The command that the code issued last.
    current: Option<RelatedCommand>,
    /// Whether this attempt added a command to the journal.
    is_past_replay: bool,
    /// What the server was told last about what is awaited, unless something became known since.
    awaiting_on: Option<Bytes>,
}

impl Vm {
    /// Makes a machine that has read nothing yet.
    #[track_caller]
    pub fn new(version: ServiceProtocolVersion, options: VmOptions) -> Self {
        let what = "cancellation";
        let (id, site) = (Id::SignalId(signal::CANCEL), Location::caller());
        let cancel = Awaitable { id, what, site, command: None };
        Self {
            version,
            options,
            decoder: FrameDecoder::new(options.frame_bytes_max),
            phase: Phase::WaitingStart,
            ended: None,
            start: Start::default(),
            commands: VecDeque::new(),
            inbox: Inbox::default(),
            state: StateView::default(),
            handles: vec![cancel],
            cancel: Handle(0),
            children: Children::default(),
            output: Output::default(),
            input_closed: false,
            commands_issued: 0,
            completion_ids: 0,
            signals: signal::AWAKEABLE_FIRST - 1,
            current: None,
            is_past_replay: false,
            awaiting_on: None,
        }
    }

    /// Takes bytes of the server. What is wrong with them ends the attempt.
    pub fn push(&mut self, bytes: Bytes) {
        if self.phase == Phase::Closed {
            return;
        }
        self.decoder.push(bytes);
        while self.phase != Phase::Closed {
            match self.decoder.next() {
                Ok(Some(frame)) => self.on_frame(frame),
                Ok(None) => return,
                Err(error) => self.fail(AttemptError::new(INTERNAL, error.to_string())),
            }
        }
    }

    /// The server sends nothing any more.
    pub fn push_eof(&mut self) {
        self.input_closed = true;
        match self.phase {
            Phase::Closed => {}
            Phase::WaitingStart | Phase::WaitingReplay(_) => {
                self.violation("the request ended before the journal was complete".to_owned());
            }
            Phase::Replaying | Phase::Processing => {
                if !self.decoder.is_empty() {
                    self.violation("the request ended in the middle of a frame".to_owned());
                }
            }
        }
    }

    /// Removes the next bytes for the server.
    pub fn take_output(&mut self) -> Option<Bytes> {
        self.output.take()
    }

    /// Whether the code may start: the whole journal is here.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Replaying | Phase::Processing)
    }

    /// Whether the server has ended the request.
    pub fn is_input_closed(&self) -> bool {
        self.input_closed
    }

    /// How the attempt ended, if it did.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// What the server says about the invocation.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The version of the protocol.
    pub fn version(&self) -> ServiceProtocolVersion {
        self.version
    }

    /// Ends the attempt with an error. Only the first end counts.
    pub fn fail(&mut self, error: AttemptError) {
        if self.phase == Phase::Closed {
            return;
        }
        self.output.message(MessageType::ERROR, false, &error.to_message(), None);
        self.close(Ended::Failed(error));
    }

    fn close(&mut self, ended: Ended) {
        self.phase = Phase::Closed;
        self.ended = Some(ended);
    }

    fn violation(&mut self, message: String) {
        self.fail(AttemptError::new(PROTOCOL_VIOLATION, message));
    }

    fn on_frame(&mut self, frame: Frame) {
        match self.phase {
            Phase::WaitingStart if frame.ty == MessageType::START => self.on_start(&frame),
            Phase::WaitingStart => {
                self.violation(format!("the request begins with {} instead of Start", frame.ty));
            }
            Phase::WaitingReplay(left) => self.on_entry(frame, left),
            _ if frame.ty.is_notification() => self.on_notification(&frame),
            Phase::Processing if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK => {
                self.on_acknowledgement(&frame);
            }
            _ if frame.ty.is_command() => {
                self.violation(format!("{} after the end of the journal", frame.ty));
            }
            _ => {
                let message = format!("unexpected {} from the server", frame.ty);
                self.fail(AttemptError::new(INTERNAL, message));
            }
        }
    }

    fn on_start(&mut self, frame: &Frame) {
        let Some(mut start) = self.decode::<Start>(frame) else { return };
        if start.known_entries == 0 {
            let message = "the journal is empty: `Start.known_entries` is 0";
            return self.fail(AttemptError::new(INTERNAL, message));
        }
        let entries = std::mem::take(&mut start.state_map);
        if let Some(entry) = entries.iter().find(|entry| str::from_utf8(&entry.key).is_err()) {
            let message = format!("the state key {:?} is not UTF-8", entry.key);
            return self.fail(AttemptError::new(INTERNAL, message));
        }
        self.state = StateView::new(entries, !start.partial_state);
        self.phase = Phase::WaitingReplay(start.known_entries);
        self.start = start;
    }

    fn on_entry(&mut self, frame: Frame, left: u32) {
        let is_first = self.commands.is_empty();
        if frame.ty.is_notification() {
            self.on_notification(&frame);
        } else if frame.ty.is_command() && (!is_first || frame.ty == MessageType::INPUT_COMMAND) {
            self.commands.push_back(frame);
        } else {
            return self.violation(format!("unexpected {} in the journal", frame.ty));
        }
        if self.phase == Phase::WaitingReplay(left) {
            self.phase = match left - 1 {
                0 if self.commands.is_empty() => {
                    return self.violation("the journal has no input".to_owned());
                }
                0 => Phase::Replaying,
                left => Phase::WaitingReplay(left),
            };
        }
    }

    fn on_notification(&mut self, frame: &Frame) {
        if let Some(notification) = self.decode::<Notification>(frame)
            && !self.inbox.push(notification)
        {
            let message = format!("{} without an id or without a result", frame.ty);
            self.fail(AttemptError::new(INTERNAL, message));
        }
    }

    fn on_acknowledgement(&mut self, frame: &Frame) {
        let Some(ack) = self.decode::<ProposeRunCompletionAck>(frame) else { return };
        let id = ack.completion_id;
        if self.version < ServiceProtocolVersion::V7 || !self.inbox.acknowledge(id) {
            self.violation(format!("a run with completion id {id} was acknowledged, not proposed"));
        }
    }

    fn decode<M: prost::Message + Default>(&mut self, frame: &Frame) -> Option<M> {
        match frame.decode() {
            Ok(message) => Some(message),
            Err(error) => {
                self.fail(AttemptError::new(INTERNAL, error.to_string()));
                None
            }
        }
    }

    fn check_open(&self) -> Result<(), Stopped> {
        if self.is_ready() { Ok(()) } else { Err(Stopped) }
    }

    /// Takes the request: the first command, which the server has written.
    pub fn input(&mut self) -> Result<InputCommand, Stopped> {
        self.check_open()?;
        let Some(frame) = self.commands.pop_front() else { return Err(Stopped) };
        self.enter(MessageType::INPUT_COMMAND, "");
        let input = self.decode(&frame).ok_or(Stopped)?;
        self.leave_replay();
        Ok(input)
    }

    fn next_completion_id(&mut self) -> u32 {
        self.completion_ids += 1;
        self.completion_ids
    }

    /// Makes a handle of a completion of the command that was issued last, or of a signal.
    fn handle(&mut self, id: Id, what: &'static str, site: Site) -> Handle {
        let command = match id {
            Id::CompletionId(_) => self.current.clone(),
            Id::SignalId(_) | Id::SignalName(_) => None,
        };
        self.handles.push(Awaitable { id, what, site, command });
        Handle(self.handles.len() - 1)
    }

    fn id(&self, handle: Handle) -> &Id {
        &self.handles[handle.0].id
    }

    /// What became of something awaited.
    pub fn status(&self, handle: Handle) -> Status {
        self.inbox.status(self.id(handle))
    }

    /// Takes what became of it; `None` while that is unknown. Nothing new is let in.
    pub fn take(&mut self, handle: Handle) -> Option<Outcome> {
        let is_cancelling = self.children.is_cancelling; // What is let in meanwhile comes after it.
        let outcome = (!is_cancelling).then(|| self.inbox.take(&self.handles[handle.0].id))??;
        if let Outcome::InvocationId(id) = &outcome {
            self.children.learn(handle, id);
        }
        Some(outcome)
    }

    /// A count of what the code has done, as far as replay has to repeat it.
    pub fn handles_and_commands(&self) -> usize {
        self.handles.len() + self.commands_issued as usize
    }

    /// Ends the attempt, since what was awaited cannot be understood.
    pub fn fail_at(&mut self, handle: Handle, message: &str) {
        let Awaitable { what, site, command, .. } = &self.handles[handle.0];
        let message = format!("the result of the {what} at {site} cannot be read: {message}");
        self.fail(AttemptError::new(INTERNAL, message).about(command.clone()));
    }
}
