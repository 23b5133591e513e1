//! A state machine with the habits of the Java and Go SDKs: replays what is known, sends what is
//! new, reads on while the stream is open, and suspends when it is not.
//!
//! - Invariant: a command that is replayed must come back byte by byte, or there is a complaint.

use std::sync::Arc;

use base64::{
    Engine,
    prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{
        AwaitingOn, CombinatorType, End, ErrorMessage, Failure, Future, InputCommand, Notification,
        OutputCommand, ProposeRunCompletion, ProposeRunCompletionAck, RunCommand,
        SendSignalCommand, Start, Suspension, Value, Void, notification::Id, output_command,
        propose_run_completion, send_signal_command,
    },
};
use tokio::sync::mpsc;

use super::deployment::Shared;

pub use reveille_protocol::message::notification::Result as Outcome;

const FRAME_BYTES_MAX: usize = 1 << 20;

const CANCEL: u32 = 1;

/// Why a handler does not go on.
pub enum Stop {
    /// It waits; the suspension is sent already.
    Suspended,
    /// It fails for good.
    Failed(Failure),
    /// It is to be tried again.
    Error(Box<ErrorMessage>),
    /// The server broke the protocol.
    Broken(String),
}

/// One request, from `Start` to the end of the response.
pub struct Attempt {
    pub shared: Arc<Shared>,
    pub start: Start,
    pub input: Bytes,
    body: Option<Incoming>,
    decoder: FrameDecoder,
    output: mpsc::UnboundedSender<Bytes>,
    commands: Vec<Frame>,
    notifications: Vec<Notification>,
    commands_made: usize,
    completions_made: u32,
    signals_made: u32,
    /// Children to be cancelled with this invocation: the completions that tell their ids.
    children: Vec<u32>,
}

impl Attempt {
    pub fn new(shared: Arc<Shared>, body: Incoming, output: mpsc::UnboundedSender<Bytes>) -> Self {
        Self {
            shared,
            start: Start::default(),
            input: Bytes::new(),
            body: Some(body),
            decoder: FrameDecoder::new(FRAME_BYTES_MAX),
            output,
            commands: Vec::new(),
            notifications: Vec::new(),
            commands_made: 0,
            completions_made: 0,
            signals_made: 16,
            children: Vec::new(),
        }
    }

    /// Reads `Start` and the journal that it announces.
    pub async fn begin(&mut self) -> Result<(), String> {
        let start = self.read().await?.ok_or("no Start")?;
        self.start = start.decode().map_err(|error| error.to_string())?;
        if self.start.known_entries == 0 {
            // The Java SDK says so in these words and fails.
            return Err("Expected at least one entry with Input, got 0 entries".into());
        }
        if self.start.random_seed == 0 && self.shared.version >= 6 {
            return Err("there is no random seed".into());
        }
        for index in 0..self.start.known_entries {
            let entry = self.read().await?.ok_or("the journal is cut off")?;
            if index == 0 {
                let input: InputCommand = entry.decode().map_err(|error| error.to_string())?;
                self.input = input.value.unwrap_or_default().content;
            } else if entry.ty.is_command() {
                self.commands.push(entry);
            } else {
                self.note(&entry)?;
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Option<Frame>, String> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(|error| error.to_string())? {
                return Ok(Some(frame));
            }
            let Some(body) = &mut self.body else { return Ok(None) };
            match body.frame().await {
                Some(Ok(frame)) => self.decoder.push(frame.into_data().unwrap_or_default()),
                // A stream that was reset ends like one that was closed.
                Some(Err(_)) | None => self.body = None,
            }
        }
    }

    fn note(&mut self, frame: &Frame) -> Result<(), String> {
        let notification = if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
            let ack: ProposeRunCompletionAck = frame.decode().map_err(|e| e.to_string())?;
            // What was proposed is the result.
            let id = Some(Id::CompletionId(ack.completion_id));
            Notification { id, result: None }
        } else if frame.ty.is_notification() {
            frame.decode().map_err(|error| error.to_string())?
        } else {
            return Err(format!("unexpected {}", frame.ty));
        };
        self.notifications.push(notification);
        Ok(())
    }

    fn send(&self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        // The server may have reset the stream; then nobody listens any more.
        let _ = self.output.send(bytes.freeze());
    }

    /// Replays or sends a command.
    pub fn command(&mut self, frame: &Frame) -> Result<(), Stop> {
        self.commands_made += 1;
        match self.commands.get(self.commands_made - 1) {
            None => self.send(frame),
            Some(known) if known == frame => {}
            Some(known) => {
                let replayed = format!("{known:?} was replayed, and {frame:?} was sent");
                return Err(Stop::Broken(replayed));
            }
        }
        Ok(())
    }

    /// Hands out the next completion id.
    pub fn completion(&mut self) -> u32 {
        self.completions_made += 1;
        self.completions_made
    }

    /// Remembers a call, so that it is cancelled with this invocation.
    pub fn track(&mut self, invocation_id_completion: u32) {
        self.children.push(invocation_id_completion);
    }

    /// A new awakeable: its id as this SDK writes it, and its signal.
    pub fn awakeable(&mut self) -> (String, u32) {
        self.signals_made += 1;
        let bytes = [&self.start.id[..], &self.signals_made.to_be_bytes()].concat();
        let padded = self.shared.sdk.pads_awakeable_ids;
        let engine = if padded { BASE64_URL_SAFE } else { BASE64_URL_SAFE_NO_PAD };
        (format!("sign_1{}", engine.encode(bytes)), self.signals_made)
    }

    /// A step without a name, whose code is run when there is no result yet. What it fails with is
    /// an error of the attempt.
    pub async fn run(&mut self, code: impl FnOnce() -> Result<Bytes, Stop>) -> Result<(), Stop> {
        let id = self.completion();
        let command = RunCommand { result_completion_id: id, name: String::new() };
        self.command(&Frame::message(MessageType::RUN_COMMAND, &command))?;
        if self.find(&Id::CompletionId(id)).is_none() {
            let value = propose_run_completion::Result::Value(code()?);
            let proposal = ProposeRunCompletion { result_completion_id: id, result: Some(value) };
            let mut frame = Frame::message(MessageType::PROPOSE_RUN_COMPLETION, &proposal);
            frame.ack_requested = self.shared.version >= 7;
            self.send(&frame);
        }
        self.wait(Id::CompletionId(id)).await.map(drop)
    }

    fn find(&self, id: &Id) -> Option<&Notification> {
        self.notifications.iter().find(|notification| notification.id.as_ref() == Some(id))
    }

    /// Waits for a completion or signal, or for being cancelled.
    pub async fn wait(&mut self, id: Id) -> Result<Option<Outcome>, Stop> {
        match self.wait_uncancelled(&[id.clone(), Id::SignalId(CANCEL)]).await? {
            notification if notification.id == Some(id) => match notification.result {
                Some(Outcome::Failure(failure)) => Err(Stop::Failed(failure)),
                result => Ok(result),
            },
            _ => {
                self.cancel_children().await?;
                Err(Stop::Failed(failure(409, "cancelled")))
            }
        }
    }

    async fn cancel_children(&mut self) -> Result<(), Stop> {
        for completion in std::mem::take(&mut self.children) {
            let id = Id::CompletionId(completion);
            let notification = self.wait_uncancelled(&[id]).await?;
            let Some(Outcome::InvocationId(child)) = notification.result else {
                return Err(Stop::Broken(format!("no invocation id: {notification:?}")));
            };
            let signal = SendSignalCommand {
                target_invocation_id: child,
                signal_id: Some(send_signal_command::SignalId::Idx(CANCEL)),
                result: Some(send_signal_command::Result::Void(Void {})),
                entry_name: String::new(),
            };
            self.command(&Frame::message(MessageType::SEND_SIGNAL_COMMAND, &signal))?;
        }
        Ok(())
    }

    async fn wait_uncancelled(&mut self, ids: &[Id]) -> Result<Notification, Stop> {
        let mut told = false;
        loop {
            if let Some(notification) = ids.iter().find_map(|id| self.find(id)) {
                return Ok(notification.clone());
            }
            if self.shared.version >= 7 && self.body.is_some() && !told {
                let awaiting_on = Some(future(ids));
                let awaiting = AwaitingOn { awaiting_on, executing_side_effects: false };
                self.send(&Frame::message(MessageType::AWAITING_ON, &awaiting));
                told = true;
            }
            match self.read().await.map_err(Stop::Broken)? {
                Some(frame) => self.note(&frame).map_err(Stop::Broken)?,
                None => {
                    self.suspend(ids);
                    return Err(Stop::Suspended);
                }
            }
        }
    }

    /// Up to v6 the flat lists are filled in, from v7 on the tree alone.
    fn suspend(&self, ids: &[Id]) {
        let future = future(ids);
        let suspension = match self.shared.version {
            7.. => Suspension { awaiting_on: Some(future), ..Suspension::default() },
            _ => Suspension {
                waiting_completions: future.waiting_completions,
                waiting_signals: future.waiting_signals,
                ..Suspension::default()
            },
        };
        self.send(&Frame::message(MessageType::SUSPENSION, &suspension));
    }

    /// Ends the attempt as the handler did.
    pub fn end(mut self, result: Result<Bytes, Stop>) {
        let result = match result {
            Ok(content) => output_command::Result::Value(Value { content }),
            Err(Stop::Failed(failure)) => output_command::Result::Failure(failure),
            Err(Stop::Suspended) => return,
            Err(Stop::Error(error)) => {
                return self.send(&Frame::message(MessageType::ERROR, &*error));
            }
            Err(Stop::Broken(complaint)) => return self.shared.complain(complaint),
        };
        let output = OutputCommand { result: Some(result), name: String::new() };
        match self.command(&Frame::message(MessageType::OUTPUT_COMMAND, &output)) {
            Ok(()) => self.send(&Frame::message(MessageType::END, &End {})),
            Err(_) => self.shared.complain("an invocation that has an output runs".into()),
        }
    }
}

pub fn failure(code: u32, message: &str) -> Failure {
    Failure { code, message: message.to_owned(), metadata: Vec::new() }
}

fn future(ids: &[Id]) -> Future {
    let mut future = Future::default();
    for id in ids {
        match id {
            Id::CompletionId(id) => future.waiting_completions.push(*id),
            Id::SignalId(id) => future.waiting_signals.push(*id),
            Id::SignalName(name) => future.waiting_named_signals.push(name.clone()),
        }
    }
    future.combinator_type = CombinatorType::FirstCompleted.into();
    future
}
