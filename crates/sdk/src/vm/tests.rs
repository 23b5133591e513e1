//! Tests of the machine: a server that writes a journal, and code that does one thing.
//!
//! Start with [`Script`].

mod cancellation;
mod commands;
mod rules;

use std::{fmt::Debug, panic::Location};

use bytes::{Bytes, BytesMut};
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{
        AwaitingOn, ErrorMessage, Future, InputCommand, Notification, Start, StateEntry,
        Suspension, Value, notification::Id,
    },
    version::ServiceProtocolVersion,
};

use super::{Await, Handle, Outcome, Site, Vm, VmOptions};

const VERSIONS: [ServiceProtocolVersion; 3] =
    [ServiceProtocolVersion::V5, ServiceProtocolVersion::V6, ServiceProtocolVersion::V7];

/// An attempt: what the server sends, and the machine that gets it.
struct Script {
    start: Start,
    entries: Vec<Frame>,
    version: ServiceProtocolVersion,
    options: VmOptions,
}

impl Script {
    fn new(version: ServiceProtocolVersion) -> Self {
        let start = Start {
            id: Bytes::from_static(&[1, 2, 3, 4]),
            debug_id: "inv_1d".into(),
            key: "k".into(),
            ..Start::default()
        };
        let input = InputCommand { value: Some(value("\"in\"")), ..InputCommand::default() };
        let entries = vec![Frame::message(MessageType::INPUT_COMMAND, &input)];
        Self { start, entries, version, options: VmOptions::default() }
    }

    fn state(mut self, entries: &[(&'static str, &'static str)], partial: bool) -> Self {
        let entry = |(key, value): &(&'static str, &'static str)| StateEntry {
            key: Bytes::from_static(key.as_bytes()),
            value: Bytes::from_static(value.as_bytes()),
        };
        self.start.state_map = entries.iter().map(entry).collect();
        self.start.partial_state = partial;
        self
    }

    fn journal(mut self, frames: impl IntoIterator<Item = Frame>) -> Self {
        self.entries.extend(frames);
        self
    }

    /// The machine, with its input taken.
    fn vm(mut self) -> Vm {
        self.start.known_entries = u32::try_from(self.entries.len()).expect("few entries");
        let mut vm = Vm::new(self.version, self.options);
        push(&mut vm, &[Frame::message(MessageType::START, &self.start)]);
        push(&mut vm, &self.entries);
        assert!(vm.is_ready(), "{:?}", vm.ended());
        assert_eq!(vm.input().expect("an input").value, Some(value("\"in\"")));
        vm
    }
}

#[track_caller]
fn site() -> Site {
    Location::caller()
}

fn value(text: &str) -> Value {
    Value { content: Bytes::copy_from_slice(text.as_bytes()) }
}

fn push(vm: &mut Vm, frames: &[Frame]) {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    vm.push(bytes.freeze());
}

fn notify(id: Id, outcome: Outcome) -> Frame {
    // The machine does not look at which of the notifications it is.
    let notification = Notification { id: Some(id), result: Some(outcome) };
    Frame::message(MessageType::SIGNAL_NOTIFICATION, &notification)
}

fn completed(id: u32, text: &str) -> Frame {
    notify(Id::CompletionId(id), Outcome::Value(value(text)))
}

/// What the machine wrote since the last time.
fn written(vm: &mut Vm) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(1 << 20);
    while let Some(bytes) = vm.take_output() {
        decoder.push(bytes);
    }
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next().expect("whole frames") {
        frames.push(frame);
    }
    assert!(decoder.is_empty());
    frames
}

fn names(frames: &[Frame]) -> Vec<&'static str> {
    frames.iter().map(|frame| frame.ty.name()).collect()
}

/// The tree of a suspension or of a hint, in a short form: `race(1 s1 "go" all(2 3))`.
fn tree(frame: &Frame) -> String {
    if frame.ty == MessageType::AWAITING_ON {
        let hint: AwaitingOn = frame.decode().expect("a hint");
        return future(&hint.awaiting_on.expect("a tree"));
    }
    let suspension: Suspension = frame.decode().expect("a suspension");
    let flat = Future {
        waiting_completions: suspension.waiting_completions,
        waiting_signals: suspension.waiting_signals,
        waiting_named_signals: suspension.waiting_named_signals,
        combinator_type: 1,
        ..Future::default()
    };
    future(&suspension.awaiting_on.unwrap_or(flat))
}

fn future(node: &Future) -> String {
    let name = ["map", "race", "settled", "any", "all"][node.combinator_type as usize];
    let completions = node.waiting_completions.iter().map(u32::to_string);
    let signals = node.waiting_signals.iter().map(|signal| format!("s{signal}"));
    let named = node.waiting_named_signals.iter().map(|name| format!("{name:?}"));
    let nested = node.nested_futures.iter().map(future);
    let parts: Vec<_> = completions.chain(signals).chain(named).chain(nested).collect();
    format!("{name}({})", parts.join(" "))
}

fn any_of(handles: &[Handle]) -> Vec<Await> {
    handles.iter().copied().map(Await::Single).collect()
}

fn error(vm: &mut Vm) -> ErrorMessage {
    let frames = written(vm);
    let frame = frames.iter().find(|frame| frame.ty == MessageType::ERROR);
    frame.unwrap_or_else(|| panic!("no error in {}", shown(&names(&frames)))).decode().expect("one")
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}
