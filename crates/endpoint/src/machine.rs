//! The protocol state machine of one attempt: bytes in, bytes out, no I/O.
//!
//! ```text
//! Start --Start--> Replay --known_entries frames--> Running --End, Suspension or Error--> Closed
//! ```
//!
//! - Owns: the order of frames, when the handler is executed, the terminal frame.
//! - Invariant: exactly one terminal frame is written, and nothing after it.
//!
//! Start with [`Machine::push`], [`Machine::close_input`] and [`Machine::advance`].

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{
        AwaitingOn, End, ErrorMessage, Future, InputCommand, Notification, OutputCommand,
        ProposeRunCompletionAck, Start, Suspension, output_command,
    },
};

use crate::{
    Attempt, Stop,
    definition::HandlerFn,
    journal::{Compare, value},
};

/// The longest frame that is accepted.
const FRAME_BYTES_MAX: usize = 32 << 20;

const CODE_INTERNAL: u32 = 500;
const CODE_JOURNAL_MISMATCH: u32 = 570;
const CODE_PROTOCOL_VIOLATION: u32 = 571;
const CODE_UNSUPPORTED: u32 = 573;

pub(crate) struct Machine {
    protocol_version: u32,
    handler: HandlerFn,
    decoder: FrameDecoder,
    attempt: Attempt,
    phase: Phase,
    /// Something arrived that the handler has not seen.
    has_news: bool,
    input_closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    /// How many frames of the journal are still to come, and whether the next is the first.
    Replay {
        remaining: u32,
        is_first: bool,
    },
    Running,
    Closed,
}

impl Machine {
    pub fn new(protocol_version: u32, handler: HandlerFn) -> Self {
        Self {
            protocol_version,
            handler,
            decoder: FrameDecoder::new(FRAME_BYTES_MAX),
            attempt: Attempt::new(Start::default(), protocol_version),
            phase: Phase::Start,
            has_news: false,
            input_closed: false,
        }
    }

    /// Takes bytes of the request. The handler is executed by the next [`Self::advance`] only, so
    /// that several chunks that are there already cost one execution.
    pub fn push(&mut self, chunk: Bytes) {
        if self.phase == Phase::Closed {
            return;
        }
        self.decoder.push(chunk);
        while self.phase != Phase::Closed {
            match self.decoder.next() {
                Ok(Some(frame)) => self.on_frame(&frame),
                Ok(None) => return,
                Err(error) => return self.fail(CODE_INTERNAL, &error.to_string()),
            }
        }
    }

    /// Notes the end of the request: from now on waiting means suspending.
    pub fn close_input(&mut self) {
        self.input_closed = true;
        match self.phase {
            Phase::Start | Phase::Replay { .. } => {
                self.fail(CODE_PROTOCOL_VIOLATION, "the request ended within the journal");
            }
            Phase::Running if self.has_news => self.execute(),
            Phase::Running => self.suspend(),
            Phase::Closed => {}
        }
    }

    /// Executes the handler if there is news; the caller has nothing more to push for now.
    pub fn advance(&mut self) {
        if self.phase == Phase::Running && self.has_news {
            self.execute();
        }
    }

    /// Tells whether nothing more will be written: the request has ended, and so has the attempt.
    pub fn is_finished(&self) -> bool {
        self.input_closed && self.phase == Phase::Closed && !self.attempt.journal.has_output()
    }

    pub fn take_output(&mut self) -> Option<Bytes> {
        self.attempt.journal.take_output()
    }

    fn on_frame(&mut self, frame: &Frame) {
        let outcome = match self.phase {
            Phase::Start => self.on_start(frame),
            Phase::Replay { remaining, is_first } => self.on_replay(frame, remaining, is_first),
            Phase::Running | Phase::Closed => self.on_live(frame),
        };
        if let Err((code, message)) = outcome {
            self.fail(code, &message);
        }
    }

    fn on_start(&mut self, frame: &Frame) -> Result<(), (u32, String)> {
        if frame.ty != MessageType::START {
            return Err(violation(frame));
        }
        let start: Start = decode(frame)?;
        if start.known_entries == 0 {
            return Err((CODE_INTERNAL, "known_entries is zero".to_owned()));
        }
        self.phase = Phase::Replay { remaining: start.known_entries, is_first: true };
        self.attempt = Attempt::new(start, self.protocol_version);
        Ok(())
    }

    fn on_replay(
        &mut self,
        frame: &Frame,
        remaining: u32,
        is_first: bool,
    ) -> Result<(), (u32, String)> {
        if is_first != (frame.ty == MessageType::INPUT_COMMAND) {
            return Err(violation(frame));
        } else if is_first {
            let input: InputCommand = decode(frame)?;
            self.attempt.set_input(input.headers, input.value.unwrap_or_default().content);
        } else if frame.ty.is_command() {
            self.attempt.journal.replay_command(frame.clone());
        } else {
            self.on_notification(frame)?;
        }
        self.phase = if remaining > 1 {
            Phase::Replay { remaining: remaining - 1, is_first: false }
        } else {
            self.has_news = true;
            Phase::Running
        };
        Ok(())
    }

    fn on_live(&mut self, frame: &Frame) -> Result<(), (u32, String)> {
        if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
            let ack: ProposeRunCompletionAck = decode(frame)?;
            if self.protocol_version < 7 || !self.attempt.journal.acknowledge(ack.completion_id) {
                return Err(violation(frame));
            }
        } else {
            self.on_notification(frame)?;
        }
        self.has_news = true;
        Ok(())
    }

    fn on_notification(&mut self, frame: &Frame) -> Result<(), (u32, String)> {
        if !frame.ty.is_notification() {
            return Err(violation(frame));
        }
        let notification: Notification = decode(frame)?;
        if self.attempt.journal.notify(notification) {
            return Ok(());
        }
        Err((CODE_INTERNAL, format!("{} without id or result", frame.ty)))
    }

    fn execute(&mut self) {
        self.has_news = false;
        let result = self.attempt.execute(&self.handler);
        if self.fail_on_mismatch() {
            return;
        }
        match result {
            Ok(content) => self.complete(output_command::Result::Value(value(content))),
            Err(Stop::Terminal(failure))
                if self.protocol_version < 6 && !failure.metadata.is_empty() =>
            {
                self.fail(CODE_UNSUPPORTED, "failure metadata needs protocol version 6");
            }
            Err(Stop::Terminal(failure)) => {
                self.complete(output_command::Result::Failure(failure));
            }
            Err(Stop::Retry { code, message, delay }) => {
                let delay = delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
                self.close(
                    MessageType::ERROR,
                    &ErrorMessage {
                        code,
                        message,
                        next_retry_delay: delay,
                        ..ErrorMessage::default()
                    },
                );
            }
            Err(Stop::Wait) if !self.attempt.journal.is_exhausted() => {
                let message = "the handler waits for what its journal does not hold at that place";
                self.fail(CODE_JOURNAL_MISMATCH, message);
            }
            Err(Stop::Wait) if self.input_closed => self.suspend(),
            Err(Stop::Wait) => self.announce(),
        }
    }

    fn complete(&mut self, result: output_command::Result) {
        let output = OutputCommand { result: Some(result), name: String::new() };
        let journal = &mut self.attempt.journal;
        journal.command(MessageType::OUTPUT_COMMAND, Compare::Payload, || output);
        if !journal.is_exhausted() {
            journal.mismatch(MessageType::END);
        }
        if !self.fail_on_mismatch() {
            self.close(MessageType::END, &End {});
        }
    }

    /// Tells the server what the handler waits for, which helps it to end idle streams early.
    ///
    /// Not while a step is to be acknowledged: that takes no longer than reading the hint.
    fn announce(&mut self) {
        let Some(future) = self.awaited() else { return };
        let journal = &self.attempt.journal;
        let is_short = future.waiting_completions.iter().any(|id| journal.is_proposed(*id));
        if self.protocol_version >= 7 && !is_short {
            let awaiting_on =
                AwaitingOn { awaiting_on: Some(future), executing_side_effects: false };
            self.attempt.journal.control(MessageType::AWAITING_ON, &awaiting_on);
        }
    }

    fn suspend(&mut self) {
        let Some(future) = self.awaited() else { return };
        let suspension = if self.protocol_version >= 7 {
            Suspension { awaiting_on: Some(future), ..Suspension::default() }
        } else {
            Suspension {
                waiting_completions: future.waiting_completions,
                waiting_signals: future.waiting_signals,
                ..Suspension::default()
            }
        };
        self.close(MessageType::SUSPENSION, &suspension);
    }

    fn awaited(&mut self) -> Option<Future> {
        let awaited = self.attempt.awaited().cloned();
        if awaited.is_none() {
            self.fail(CODE_INTERNAL, "the handler returned Stop::Wait without waiting");
        }
        awaited
    }

    fn fail_on_mismatch(&mut self) -> bool {
        let Some(mismatch) = self.attempt.journal.found_mismatch() else { return false };
        let (index, ty) = (mismatch.command_index, u32::from(mismatch.issued.0));
        let recorded = mismatch.recorded.map_or("nothing".to_owned(), |ty| ty.to_string());
        let message = format!("the handler issues {}, its journal has {recorded}", mismatch.issued);
        self.close(
            MessageType::ERROR,
            &ErrorMessage {
                code: CODE_JOURNAL_MISMATCH,
                message,
                related_command_index: Some(index),
                related_command_type: Some(ty),
                ..ErrorMessage::default()
            },
        );
        true
    }

    fn fail(&mut self, code: u32, message: &str) {
        let message = message.to_owned();
        self.close(MessageType::ERROR, &ErrorMessage { code, message, ..ErrorMessage::default() });
    }

    fn close<M: prost::Message>(&mut self, ty: MessageType, message: &M) {
        self.attempt.journal.control(ty, message);
        self.phase = Phase::Closed;
    }
}

fn decode<M: prost::Message + Default>(frame: &Frame) -> Result<M, (u32, String)> {
    frame.decode().map_err(|error| (CODE_INTERNAL, error.to_string()))
}

fn violation(frame: &Frame) -> (u32, String) {
    (CODE_PROTOCOL_VIOLATION, format!("unexpected {}", frame.ty))
}
