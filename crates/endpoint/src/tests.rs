//! Attempts as data: commands, order and errors ([`commands`], [`order`]), transcripts of the
//! TypeScript SDK ([`recorded`]) and the endpoint over a socket ([`http`]).
//!
//! Owns what those share: building frames, driving a [`Machine`], and frames as short texts.

mod commands;
mod http;
mod order;
mod recorded;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{
        AwaitingOn, ErrorMessage, Future, Header, InputCommand, Notification, OutputCommand, Start,
        StateEntry, Suspension, Value, Void, notification, output_command,
    },
};

use crate::{Attempt, Failure, Stop, definition::HandlerFn, machine::Machine};

/// Starts an attempt whose journal is the input and `entries`; the handler has not run yet.
fn machine(
    version: u32,
    handler: impl Fn(&mut Attempt) -> Result<Bytes, Stop> + Send + Sync + 'static,
    entries: &[Frame],
) -> Machine {
    let handler: HandlerFn = Arc::new(handler);
    let mut machine = Machine::new(version, handler);
    let start = Start {
        id: Bytes::from_static(&[1, 2, 3, 4]),
        debug_id: "inv_1test".to_owned(),
        known_entries: 1 + u32::try_from(entries.len()).expect("a short journal"),
        state_map: vec![StateEntry { key: "there".into(), value: "5".into() }],
        partial_state: true,
        key: "k".to_owned(),
        retry_count_since_last_stored_entry: 3,
        ..Start::default()
    };
    let value = Some(Value { content: Bytes::from_static(b"in") });
    let headers = vec![Header { key: "X-Name".to_owned(), value: "Ann".to_owned() }];
    let input = InputCommand { value, headers, ..InputCommand::default() };
    push(&mut machine, &Frame::message(MessageType::START, &start));
    push(&mut machine, &Frame::message(MessageType::INPUT_COMMAND, &input));
    for entry in entries {
        push(&mut machine, entry);
    }
    machine
}

/// Hands over a frame byte by byte, as the worst of all networks would.
fn push(machine: &mut Machine, frame: &Frame) {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    let bytes = bytes.freeze();
    for at in 0..bytes.len() {
        machine.push(bytes.slice(at..=at));
    }
}

/// Lets the handler run and returns the frames that it caused.
fn advance(machine: &mut Machine) -> Vec<Frame> {
    machine.advance();
    output(machine)
}

/// Ends the request and returns the frames that this caused.
fn close(machine: &mut Machine) -> Vec<Frame> {
    machine.close_input();
    let frames = output(machine);
    assert!(machine.is_finished(), "an attempt ends once its request has ended");
    frames
}

fn output(machine: &mut Machine) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(usize::MAX);
    decoder.push(machine.take_output().unwrap_or_default());
    std::iter::from_fn(|| decoder.next().expect("own frames are valid")).collect()
}

fn notified(id: notification::Id, result: notification::Result) -> Frame {
    let message = Notification { id: Some(id), result: Some(result) };
    // Any notification code will do: only the id decides where it goes.
    Frame::message(MessageType::CALL_NOTIFICATION, &message)
}

fn done(id: u32, content: &'static str) -> Frame {
    let value = Value { content: content.into() };
    notified(notification::Id::CompletionId(id), notification::Result::Value(value))
}

fn void(id: u32) -> Frame {
    notified(notification::Id::CompletionId(id), notification::Result::Void(Void {}))
}

fn signal(index: u32, content: &'static str) -> Frame {
    let value = Value { content: content.into() };
    notified(notification::Id::SignalId(index), notification::Result::Value(value))
}

fn failed(id: u32, code: u32) -> Frame {
    let failure = Failure { code, message: "no".to_owned(), metadata: Vec::new() };
    notified(notification::Id::CompletionId(id), notification::Result::Failure(failure))
}

/// Writes frames as `Run; Suspension c[1] s[1]`: names, and what the tests are about.
fn text(frames: &[Frame]) -> String {
    frames.iter().map(frame_text).collect::<Vec<_>>().join("; ")
}

fn frame_text(frame: &Frame) -> String {
    let name = frame.ty.name();
    match frame.ty {
        MessageType::OUTPUT_COMMAND => {
            match decode::<OutputCommand>(frame).result.expect("an output has a result") {
                output_command::Result::Value(value) => {
                    format!("Output {}", String::from_utf8_lossy(&value.content))
                }
                output_command::Result::Failure(failure) => format!("Output !{}", failure.code),
            }
        }
        MessageType::ERROR => {
            let error: ErrorMessage = decode(frame);
            let delay = error.next_retry_delay.map(|delay| format!(" in {delay} ms"));
            format!("Error {}{}", error.code, delay.unwrap_or_default())
        }
        MessageType::SUSPENSION => {
            let suspension: Suspension = decode(frame);
            let future = suspension.awaiting_on.unwrap_or(Future {
                waiting_completions: suspension.waiting_completions,
                waiting_signals: suspension.waiting_signals,
                combinator_type: 1,
                ..Future::default()
            });
            format!("Suspension {}", future_text(&future))
        }
        MessageType::AWAITING_ON => {
            let future = decode::<AwaitingOn>(frame).awaiting_on.unwrap_or_default();
            format!("AwaitingOn {}", future_text(&future))
        }
        _ => name.to_owned(),
    }
}

fn future_text(future: &Future) -> String {
    assert_eq!(future.combinator_type, 1, "the one combinator used here is a race");
    format!("c{:?} s{:?}", future.waiting_completions, future.waiting_signals)
}

fn decode<M: prost::Message + Default>(frame: &Frame) -> M {
    frame.decode().expect("own frames are valid")
}
