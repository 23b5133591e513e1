//! Side effects and failures of the model SDK.
//!
//! - Owns: executing closures, proposing their results, attempts that fail on purpose.

use reveille_engine::command::AttemptFailure;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::AwakeableId;
use reveille_protocol::message::{
    ErrorBehavior, ErrorMessage, GetPromiseCommand, Notification, ProposeRunCompletion,
    notification, propose_run_completion,
};

use crate::deployment::FromSdk;
use crate::machine::RunState;
use crate::ops::{failure, value};
use crate::programs::{Closure, Stumble};
use crate::trace::Checked;
use crate::world::World;

impl World {
    /// A closure has been executed: its result is proposed, or the attempt fails.
    pub fn on_run_done(&mut self, stream: usize, id: u32) -> Checked {
        let at = &self.streams[stream];
        if at.finished || at.attempt.runs.get(&id) != Some(&RunState::Executing) {
            return Ok(());
        }
        let Some((closure, op)) = at.closure(id) else { return Ok(()) };
        if let Closure::Flaky(times) = closure
            && self.count_failure(stream, op, times)
        {
            let next_retry_delay = self.rng.one_in(2).then(|| self.rng.between(1, 300));
            let error = ErrorMessage {
                code: 500,
                message: "the side effect failed".to_owned(),
                related_command_type: Some(u32::from(MessageType::RUN_COMMAND.0)),
                next_retry_delay,
                ..ErrorMessage::default()
            };
            self.fail(stream, &error);
            return Ok(());
        }
        let result = self.execute(stream, closure);
        let at = &mut self.streams[stream];
        at.attempt.runs.insert(id, RunState::Proposed(result.clone()));
        let result = match result {
            notification::Result::Failure(failure) => {
                propose_run_completion::Result::Failure(failure)
            }
            notification::Result::Value(value) => {
                propose_run_completion::Result::Value(value.content)
            }
            _ => propose_run_completion::Result::Value(bytes::Bytes::new()),
        };
        let proposal = ProposeRunCompletion { result_completion_id: id, result: Some(result) };
        let mut frame = Frame::message(MessageType::PROPOSE_RUN_COMPLETION, &proposal);
        frame.ack_requested = at.attempt.version >= 7 && !self.rng.one_in(4);
        self.coverage.hit(frame.ty.name());
        self.send_up(stream, FromSdk::Frame(frame));
        self.drive(stream)
    }

    fn execute(&mut self, stream: usize, closure: Closure) -> notification::Result {
        let text = match closure {
            Closure::Random | Closure::Flaky(_) => format!("{:x}", self.rng.next()),
            Closure::Fail => {
                return notification::Result::Failure(failure(503, "the side effect gave up"));
            }
            Closure::Announce(index) => {
                let at = &self.streams[stream];
                let mut secret = [0; 16];
                secret.copy_from_slice(&at.attempt.start_id[24..40]);
                self.board.push(AwakeableId { invocation: at.id, secret, index });
                String::from("announced")
            }
            Closure::PickAwakeable => {
                let found = self.rng.pick_any(&self.board);
                found.map(|id| id.to_string()).unwrap_or_default()
            }
            Closure::PickInvocation(level) => {
                let below: Vec<_> =
                    self.known.iter().filter(|(_, other)| *other < level).copied().collect();
                let found = self.rng.pick_any(&below);
                found.map(|(id, _)| id.to_string()).unwrap_or_default()
            }
        };
        notification::Result::Value(value(&text))
    }

    /// Counts a failure of an operation over all attempts; false when it has failed enough.
    fn count_failure(&mut self, stream: usize, op: usize, times: u32) -> bool {
        let start_id = self.streams[stream].attempt.start_id.clone();
        let count = self.stumbled.entry(start_id).or_default().entry(op).or_default();
        *count += 1;
        *count <= times
    }

    fn fail(&mut self, stream: usize, error: &ErrorMessage) {
        self.streams[stream].finished = true;
        let frame = Frame::message(MessageType::ERROR, error);
        self.coverage.hit(frame.ty.name());
        self.send_up(stream, FromSdk::Frame(frame));
    }

    /// The attempt fails on purpose.
    pub fn stumble(&mut self, stream: usize, kind: Stumble, op: usize) {
        self.count_failure(stream, op, u32::MAX);
        let mut error =
            ErrorMessage { code: 500, message: "stumbled".to_owned(), ..ErrorMessage::default() };
        match kind {
            Stumble::Error => {}
            Stumble::Delay => error.next_retry_delay = Some(self.rng.between(0, 100)),
            Stumble::Pause => error.set_behavior(ErrorBehavior::Pause),
            Stumble::Fail => {
                error.set_behavior(ErrorBehavior::Fail);
                let id = self.streams[stream].id;
                let outcome = reveille_engine::message::Outcome::failure(500, "stumbled");
                self.model.results.entry(id).or_default().push(outcome);
            }
            Stumble::Hang => {
                self.streams[stream].finished = true;
                return;
            }
            Stumble::Break => {
                self.streams[stream].finished = true;
                let failure = AttemptFailure {
                    code: 500,
                    message: "the stream broke".to_owned(),
                    doc_code: "RT0001",
                };
                self.send_up(stream, FromSdk::Failed(failure));
                return;
            }
            Stumble::Violate => {
                self.streams[stream].finished = true;
                let ty = self.rng.pick(&[MessageType::GET_PROMISE_COMMAND, MessageType::START]);
                let bad = GetPromiseCommand { key: "x".repeat(20_000), ..Default::default() };
                let mut frame = Frame::message(ty, &bad);
                if ty == MessageType::START {
                    frame = Frame::message(MessageType::RUN_NOTIFICATION, &Notification::default());
                }
                self.send_up(stream, FromSdk::Frame(frame));
                return;
            }
        }
        self.fail(stream, &error);
    }
}
