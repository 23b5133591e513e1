//! The operations of programs: their commands, and what a handler makes of the results.
//!
//! - Owns: one rule per [`Op`], implicit cancellation, the end of a handler.
//! - Does not own: awaiting ([`crate::machine`]).

use prost::Message;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::message::{
    CallCommand, CombinatorType, CompleteAwakeableCommand, CompletePromiseCommand, End, Failure,
    GetPromiseCommand, OneWayCallCommand, OutputCommand, PeekPromiseCommand, RunCommand,
    SendSignalCommand, SleepCommand, Value, Void, complete_awakeable_command,
    complete_promise_command, notification, output_command, send_signal_command,
};
use reveille_protocol::signal;

use crate::machine::{Handle, Machine, Stop, Tree};
use crate::programs::{Callee, Closure, Combine, Op, Stumble};

impl Machine<'_> {
    /// Runs the program from its beginning as far as it goes.
    pub fn run(&mut self) -> Stop {
        match self.try_run() {
            Ok(()) => Stop::Done,
            Err(stop) => stop,
        }
    }

    fn try_run(&mut self) -> Result<(), Stop> {
        let program = self.program;
        let mut end = None;
        for (number, op) in program.ops.iter().enumerate() {
            self.op = number;
            if let Err(failure) = self.op(op)? {
                if !program.swallows_cancel {
                    end = Some(failure);
                    break;
                }
                self.observe(b"cancelled");
            }
        }
        if program.fails && end.is_none() {
            let message = format!("failed with {:x}", self.observed);
            end = Some(Failure { code: 422, message, metadata: Vec::new() });
        }
        let result = match end {
            Some(failure) => output_command::Result::Failure(failure),
            None => output_command::Result::Value(value(&format!("{:x}", self.observed))),
        };
        let output = OutputCommand { result: Some(result), name: String::new() };
        self.send(MessageType::OUTPUT_COMMAND, &output)?;
        self.check_end()?;
        self.out.push(Frame::message(MessageType::END, &End {}));
        Ok(())
    }

    fn op(&mut self, op: &Op) -> Result<Result<(), Failure>, Stop> {
        match op {
            Op::Run(closure) => return self.op_run(*closure).map(|done| done.map(|_| ())),
            Op::RunLater => {
                let handle = self.begin_run(Closure::Random)?;
                self.pending.push(handle);
            }
            Op::Sleep(delay_ms, later) => return self.op_sleep(*delay_ms, *later),
            Op::Call(callee, later) => return self.op_call(callee, *later),
            Op::Send(callee, delay_ms) => return self.op_send(callee, *delay_ms),
            Op::Awakeable => {
                let index = self.signal_index();
                self.pending.push(Handle::Signal(index));
                return self.op_run(Closure::Announce(index)).map(|done| done.map(|_| ()));
            }
            Op::CompleteOther(reject) => return self.op_complete_other(*reject),
            Op::PromiseGet(_) | Op::PromisePeek(_) | Op::PromiseComplete(..) => {
                return self.op_promise(op);
            }
            Op::Get(_) | Op::Set(_) | Op::Clear(_) | Op::ClearAll | Op::Keys => {
                return self.op_state(op);
            }
            Op::SignalOther(name) => return self.op_signal_other(Some(*name)),
            Op::CancelOther => return self.op_signal_other(None),
            Op::Signal(name) => self.pending.push(Handle::Named(format!("s{name}"))),
            Op::Attach(later) => return self.op_attach(Some(*later)),
            Op::Output => return self.op_attach(None),
            Op::Await(combine) => return self.op_await(*combine),
            Op::Stumble(times, stumble) => {
                let unknown =
                    self.attempt.version < 7 && matches!(stumble, Stumble::Pause | Stumble::Fail);
                let failed = self.attempt.stumbled.get(&self.op).copied().unwrap_or(0);
                if failed < *times && !unknown {
                    return Err(Stop::Stumble(*stumble, self.op));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Sends a command that is compared as a whole.
    pub fn send(&mut self, ty: MessageType, message: &impl Message) -> Result<Frame, Stop> {
        self.command(Frame::message(ty, message), |known, made| known.payload == made.payload)
    }

    fn begin_run(&mut self, closure: Closure) -> Result<Handle, Stop> {
        let id = self.completion_id();
        let name = format!("run{}", self.op);
        self.send(MessageType::RUN_COMMAND, &RunCommand { result_completion_id: id, name })?;
        self.closures.insert(id, (closure, self.op));
        Ok(Handle::Completion(id))
    }

    /// Executes a closure; its value as text, empty for a failure.
    pub fn op_run(&mut self, closure: Closure) -> Result<Result<String, Failure>, Stop> {
        let handle = self.begin_run(closure)?;
        Ok(self.one(handle)?.map(|result| {
            self.observe_result(&result);
            match result {
                notification::Result::Value(value) => {
                    String::from_utf8_lossy(&value.content).into_owned()
                }
                _ => String::new(),
            }
        }))
    }

    fn op_sleep(&mut self, delay_ms: u64, later: bool) -> Result<Result<(), Failure>, Stop> {
        let id = self.completion_id();
        let wake_up_time = self.attempt.now + delay_ms;
        let command = SleepCommand {
            wake_up_time,
            result_completion_id: id,
            name: format!("nap{}", self.op),
        };
        self.command(Frame::message(MessageType::SLEEP_COMMAND, &command), |known, made| {
            let name = |frame: &Frame| frame.decode::<SleepCommand>().map(|c| c.name).ok();
            name(known) == name(made)
        })?;
        self.now_or_later(Handle::Completion(id), later)
    }

    fn now_or_later(&mut self, handle: Handle, later: bool) -> Result<Result<(), Failure>, Stop> {
        if later {
            self.pending.push(handle);
            return Ok(Ok(()));
        }
        Ok(self.one(handle)?.map(|result| self.observe_result(&result)))
    }

    /// Scopes and limit keys exist from version 7 on.
    fn within(&self, name: Option<&'static str>) -> Option<String> {
        name.filter(|_| self.attempt.version >= 7).map(str::to_owned)
    }

    fn op_call(&mut self, callee: &Callee, later: bool) -> Result<Result<(), Failure>, Stop> {
        let id_id = self.completion_id();
        let id = self.completion_id();
        let command = CallCommand {
            service_name: callee.service.to_owned(),
            handler_name: callee.handler.to_owned(),
            parameter: callee.input.clone().into(),
            key: callee.key.clone(),
            idempotency_key: callee.idempotency_key.clone(),
            scope: self.within(callee.scope),
            limit_key: self.within(callee.limit_key),
            invocation_id_notification_idx: id_id,
            result_completion_id: id,
            ..CallCommand::default()
        };
        let frame = Frame::message(MessageType::CALL_COMMAND, &command);
        self.command(frame, |known, made| {
            // An attempt on another version leaves the scope out, or does not.
            let unscoped = |frame: &Frame| {
                let decoded = frame.decode::<CallCommand>().ok();
                decoded.map(|call| CallCommand { scope: None, limit_key: None, ..call })
            };
            unscoped(known) == unscoped(made)
        })?;
        self.called.push(id_id);
        self.now_or_later(Handle::Completion(id), later)
    }

    fn op_send(&mut self, callee: &Callee, delay_ms: u64) -> Result<Result<(), Failure>, Stop> {
        let id_id = self.completion_id();
        let invoke_time = if delay_ms == 0 { 0 } else { self.attempt.now + delay_ms };
        let command = OneWayCallCommand {
            service_name: callee.service.to_owned(),
            handler_name: callee.handler.to_owned(),
            parameter: callee.input.clone().into(),
            invoke_time,
            key: callee.key.clone(),
            idempotency_key: callee.idempotency_key.clone(),
            scope: self.within(callee.scope),
            limit_key: self.within(callee.limit_key),
            invocation_id_notification_idx: id_id,
            ..OneWayCallCommand::default()
        };
        let frame = Frame::message(MessageType::ONE_WAY_CALL_COMMAND, &command);
        self.command(frame, |known, made| {
            let timeless = |frame: &Frame| {
                let decoded = frame.decode::<OneWayCallCommand>().ok();
                decoded.map(|command| OneWayCallCommand {
                    invoke_time: 0,
                    scope: None,
                    limit_key: None,
                    ..command
                })
            };
            timeless(known) == timeless(made)
        })?;
        self.now_or_later(Handle::Completion(id_id), false)
    }

    fn op_complete_other(&mut self, reject: bool) -> Result<Result<(), Failure>, Stop> {
        let awakeable_id = match self.op_run(Closure::PickAwakeable)? {
            Ok(id) if id.parse::<AwakeableId>().is_ok() => id,
            Ok(_) => return Ok(Ok(())),
            Err(failure) => return Ok(Err(failure)),
        };
        let text = format!("from {:x}", self.observed);
        let result = if reject {
            complete_awakeable_command::Result::Failure(failure(400, &text))
        } else {
            complete_awakeable_command::Result::Value(value(&text))
        };
        let command =
            CompleteAwakeableCommand { awakeable_id, result: Some(result), name: String::new() };
        self.send(MessageType::COMPLETE_AWAKEABLE_COMMAND, &command)?;
        Ok(Ok(()))
    }

    fn op_promise(&mut self, op: &Op) -> Result<Result<(), Failure>, Stop> {
        let id = self.completion_id();
        match op {
            Op::PromiseGet(name) => {
                let key = format!("p{name}");
                let command =
                    GetPromiseCommand { key, result_completion_id: id, name: String::new() };
                self.send(MessageType::GET_PROMISE_COMMAND, &command)?;
                return self.now_or_later(Handle::Completion(id), true);
            }
            Op::PromiseComplete(name, reject) => {
                let text = format!("promised {:x}", self.observed);
                let completion = if *reject {
                    complete_promise_command::Completion::Failure(failure(400, &text))
                } else {
                    complete_promise_command::Completion::Value(value(&text))
                };
                let command = CompletePromiseCommand {
                    key: format!("p{name}"),
                    completion: Some(completion),
                    result_completion_id: id,
                    name: String::new(),
                };
                self.send(MessageType::COMPLETE_PROMISE_COMMAND, &command)?;
            }
            Op::PromisePeek(name) => {
                let key = format!("p{name}");
                let command =
                    PeekPromiseCommand { key, result_completion_id: id, name: String::new() };
                self.send(MessageType::PEEK_PROMISE_COMMAND, &command)?;
            }
            _ => return Ok(Ok(())),
        }
        self.now_or_later(Handle::Completion(id), false)
    }

    fn op_signal_other(&mut self, name: Option<u8>) -> Result<Result<(), Failure>, Stop> {
        let target = match self.op_run(Closure::PickInvocation(u8::MAX))? {
            Ok(id) if id.parse::<InvocationId>().is_ok() => id,
            Ok(_) => return Ok(Ok(())),
            Err(failure) => return Ok(Err(failure)),
        };
        let command = match name {
            None => cancel(target),
            Some(name) => SendSignalCommand {
                target_invocation_id: target,
                signal_id: Some(send_signal_command::SignalId::Name(format!("s{name}"))),
                result: Some(send_signal_command::Result::Value(value(&format!(
                    "signal {:x}",
                    self.observed
                )))),
                entry_name: String::new(),
            },
        };
        self.send(MessageType::SEND_SIGNAL_COMMAND, &command)?;
        Ok(Ok(()))
    }

    fn op_attach(&mut self, attach: Option<bool>) -> Result<Result<(), Failure>, Stop> {
        use reveille_protocol::message::{
            AttachInvocationCommand, GetInvocationOutputCommand, attach_invocation_command::Target,
        };
        let target = match self.op_run(Closure::PickInvocation(self.program.level))? {
            Ok(id) if id.parse::<InvocationId>().is_ok() => Some(Target::InvocationId(id)),
            Ok(_) => return Ok(Ok(())),
            Err(failure) => return Ok(Err(failure)),
        };
        let id = self.completion_id();
        let name = String::new();
        let Some(later) = attach else {
            let command = GetInvocationOutputCommand { target, result_completion_id: id, name };
            self.send(MessageType::GET_INVOCATION_OUTPUT_COMMAND, &command)?;
            return self.now_or_later(Handle::Completion(id), false);
        };
        let command = AttachInvocationCommand { target, result_completion_id: id, name };
        self.send(MessageType::ATTACH_INVOCATION_COMMAND, &command)?;
        self.now_or_later(Handle::Completion(id), later)
    }

    fn op_await(&mut self, combine: Combine) -> Result<Result<(), Failure>, Stop> {
        if self.pending.is_empty() {
            return Ok(Ok(()));
        }
        if combine == Combine::Mapped
            && let Err(failure) = self.mapped()?
        {
            return Ok(Err(failure));
        }
        let mut leaves: Vec<Tree> = self.pending.iter().cloned().map(Tree::Leaf).collect();
        let tree = match combine {
            Combine::Race => Tree::Node(CombinatorType::FirstCompleted, leaves),
            Combine::All => Tree::Node(CombinatorType::AllSucceededOrFirstFailed, leaves),
            Combine::Any => Tree::Node(CombinatorType::FirstSucceededOrAllFailed, leaves),
            Combine::Settled => Tree::Node(CombinatorType::AllCompleted, leaves),
            Combine::Nested => {
                let others = leaves.split_off(1);
                if !others.is_empty() {
                    leaves.push(Tree::Node(CombinatorType::FirstCompleted, others));
                }
                Tree::Node(CombinatorType::AllCompleted, leaves)
            }
            Combine::Mapped => Tree::Node(CombinatorType::AllCompleted, leaves),
        };
        if let Err(failure) = self.wait(tree, true)? {
            return Ok(Err(failure));
        }
        for handle in std::mem::take(&mut self.pending) {
            match self.take(&handle) {
                Some(result) => self.observe_result(&result),
                None => self.pending.push(handle),
            }
        }
        Ok(Ok(()))
    }

    /// Awaits everything until the first is done, then runs the user code behind it: a side effect.
    fn mapped(&mut self) -> Result<Result<(), Failure>, Stop> {
        let first = self.pending[0].clone();
        let mut leaves: Vec<Tree> = self.pending[1..].iter().cloned().map(Tree::Leaf).collect();
        leaves.push(Tree::Node(CombinatorType::Unknown, vec![Tree::Leaf(first.clone())]));
        if let Err(failure) = self.wait(Tree::Node(CombinatorType::AllCompleted, leaves), true)? {
            return Ok(Err(failure));
        }
        if let Some(result) = self.take(&first) {
            self.observe_result(&result);
        }
        self.pending[0] = self.begin_run(Closure::Random)?;
        Ok(Ok(()))
    }

    /// A cancellation: cancels the calls that were made, then fails the await.
    pub fn cancelled(&mut self) -> Result<Failure, Stop> {
        for id in std::mem::take(&mut self.called) {
            let handle = Handle::Completion(id);
            if self.wait(Tree::Leaf(handle.clone()), false)?.is_err() {
                continue;
            }
            if let Some(notification::Result::InvocationId(child)) = self.take(&handle) {
                self.send(MessageType::SEND_SIGNAL_COMMAND, &cancel(child))?;
            }
        }
        Ok(failure(409, "Cancelled"))
    }
}

/// A payload of text.
pub fn value(text: &str) -> Value {
    Value { content: text.to_owned().into() }
}

/// A failure without metadata.
pub fn failure(code: u32, text: &str) -> Failure {
    Failure { code, message: text.to_owned(), metadata: Vec::new() }
}

fn cancel(target: String) -> SendSignalCommand {
    SendSignalCommand {
        target_invocation_id: target,
        signal_id: Some(send_signal_command::SignalId::Idx(signal::CANCEL)),
        result: Some(send_signal_command::Result::Void(Void {})),
        entry_name: String::new(),
    }
}
