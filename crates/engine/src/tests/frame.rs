//! Frames of scripts: `name(argument,argument)`.
//!
//! Values are text, `void`, or `!500:text` for a failure. Await trees are leaves (`1` a completion,
//! `s17` a signal, `'go` a named signal) within `race`, `all`, `any`, `allok` and `unk`; a list of
//! leaves is a race.

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::*;

use crate::message::Outcome;

use super::script::{awakeable, outcome, target, time};
use super::world::World;

/// Parses one frame.
pub fn parse(world: &World, word: &str) -> Frame {
    let (name, arguments) = split_call(word);
    let arguments = split_arguments(arguments);
    let text = |at: usize| (*arguments.get(at).unwrap_or(&"")).to_owned();
    let number = |at: usize| text(at).parse::<u32>().unwrap_or_else(|_| panic!("number in {word}"));
    let bytes = |at: usize| Bytes::from(text(at));
    let entry = String::new;
    match name {
        "end" => Frame::message(MessageType::END, &End {}),
        "out" => output(&text(0)),
        "run" => Frame::message(
            MessageType::RUN_COMMAND,
            &RunCommand { result_completion_id: number(0), name: text(1) },
        ),
        "propose" | "propose!" => propose(number(0), &text(1), name.ends_with('!')),
        "sleep" => Frame::message(
            MessageType::SLEEP_COMMAND,
            &SleepCommand {
                wake_up_time: time(world, &text(1)),
                result_completion_id: number(0),
                name: entry(),
            },
        ),
        "call" | "send" => call(world, name == "call", &arguments),
        "promise" => Frame::message(
            MessageType::GET_PROMISE_COMMAND,
            &GetPromiseCommand { key: text(1), result_completion_id: number(0), name: entry() },
        ),
        "peek" => Frame::message(
            MessageType::PEEK_PROMISE_COMMAND,
            &PeekPromiseCommand { key: text(1), result_completion_id: number(0), name: entry() },
        ),
        "fulfil" => fulfil(number(0), text(1), &text(2)),
        "signal" => signal(world, &arguments),
        "complete" => complete(world, &text(0), &text(1)),
        "attach" | "output" => attach(world, name, number(0), &arguments[1..]),
        "suspend" => suspend(&arguments),
        "flat" => flat(&arguments),
        "awaiting" | "awaiting!" => {
            let awaiting_on = Some(tree(&arguments));
            let executing_side_effects = name.ends_with('!');
            let message = AwaitingOn { awaiting_on, executing_side_effects };
            Frame::message(MessageType::AWAITING_ON, &message)
        }
        "error" => error(&arguments),
        "raw" => Frame::new(MessageType(u16::from_str_radix(&text(0), 16).expect("hex")), bytes(1)),
        _ => state(name, &arguments),
    }
}

/// `get(1,key)`, `keys(1)`, `set(key,value)`, `clear(key)`, `clearall`, `eager(key,value)`, `eagerkeys`.
fn state(name: &str, arguments: &[&str]) -> Frame {
    let bytes = |at: usize| Bytes::from((*arguments.get(at).unwrap_or(&"")).to_owned());
    let number = |at: usize| arguments[at].parse::<u32>().expect("a completion id");
    let entry = String::new;
    match name {
        "get" => Frame::message(
            MessageType::GET_LAZY_STATE_COMMAND,
            &GetLazyStateCommand { key: bytes(1), result_completion_id: number(0), name: entry() },
        ),
        "keys" => Frame::message(
            MessageType::GET_LAZY_STATE_KEYS_COMMAND,
            &GetLazyStateKeysCommand { result_completion_id: number(0), name: entry() },
        ),
        "set" => Frame::message(
            MessageType::SET_STATE_COMMAND,
            &SetStateCommand {
                key: bytes(0),
                value: Some(Value { content: bytes(1) }),
                name: entry(),
            },
        ),
        "clear" => Frame::message(
            MessageType::CLEAR_STATE_COMMAND,
            &ClearStateCommand { key: bytes(0), name: entry() },
        ),
        "clearall" => Frame::new(MessageType::CLEAR_ALL_STATE_COMMAND, Bytes::new()),
        "eager" => Frame::message(
            MessageType::GET_EAGER_STATE_COMMAND,
            &GetEagerStateCommand {
                key: bytes(0),
                result: Some(get_eager_state_command::Result::Value(Value { content: bytes(1) })),
                name: entry(),
            },
        ),
        "eagerkeys" => Frame::new(MessageType::GET_EAGER_STATE_KEYS_COMMAND, Bytes::new()),
        _ => panic!("unknown frame {name}"),
    }
}

/// Parses an await tree, such as `race(1,s17,all(2,3))`; a list of leaves is a race.
pub fn tree(arguments: &[&str]) -> Future {
    if let [only] = arguments
        && let (name @ ("race" | "all" | "any" | "allok" | "unk"), inner) = split_call(only)
    {
        let kind = match name {
            "race" => CombinatorType::FirstCompleted,
            "all" => CombinatorType::AllCompleted,
            "any" => CombinatorType::FirstSucceededOrAllFailed,
            "allok" => CombinatorType::AllSucceededOrFirstFailed,
            _ => CombinatorType::Unknown,
        };
        return node(kind, &split_arguments(inner));
    }
    node(CombinatorType::FirstCompleted, arguments)
}

fn node(kind: CombinatorType, arguments: &[&str]) -> Future {
    let mut node = Future { combinator_type: kind.into(), ..Future::default() };
    for argument in arguments {
        if let Some(name) = argument.strip_prefix('\'') {
            node.waiting_named_signals.push(name.to_owned());
        } else if argument.contains('(') {
            node.nested_futures.push(tree(&[argument]));
        } else if let Some(index) = argument.strip_prefix('s') {
            node.waiting_signals.push(index.parse().expect("a signal index"));
        } else {
            node.waiting_completions.push(argument.parse().expect("a completion id"));
        }
    }
    node
}

fn suspend(arguments: &[&str]) -> Frame {
    let awaiting_on = Some(tree(arguments));
    Frame::message(MessageType::SUSPENSION, &Suspension { awaiting_on, ..Suspension::default() })
}

/// A suspension of v5 and v6.
fn flat(arguments: &[&str]) -> Frame {
    let node = node(CombinatorType::FirstCompleted, arguments);
    let message = Suspension {
        waiting_completions: node.waiting_completions,
        waiting_signals: node.waiting_signals,
        waiting_named_signals: node.waiting_named_signals,
        awaiting_on: None,
    };
    Frame::message(MessageType::SUSPENSION, &message)
}

fn output(text: &str) -> Frame {
    let result = match outcome(text) {
        Outcome::Success(content) => output_command::Result::Value(Value { content }),
        Outcome::Failure(failure) => output_command::Result::Failure(failure),
    };
    let message = OutputCommand { result: Some(result), name: String::new() };
    Frame::message(MessageType::OUTPUT_COMMAND, &message)
}

fn propose(result_completion_id: u32, text: &str, ack_requested: bool) -> Frame {
    let result = match outcome(text) {
        Outcome::Success(value) => propose_run_completion::Result::Value(value),
        Outcome::Failure(failure) => propose_run_completion::Result::Failure(failure),
    };
    let message = ProposeRunCompletion { result_completion_id, result: Some(result) };
    let frame = Frame::message(MessageType::PROPOSE_RUN_COMPLETION, &message);
    Frame { ack_requested, ..frame }
}

/// `call(id,result,target)` and `send(id,target)`; `ik=`, `at=+ms`, `scope=` may follow.
fn call(world: &World, awaited: bool, arguments: &[&str]) -> Frame {
    let option = |name: &str| arguments.iter().find_map(|word| word.strip_prefix(name));
    let target = target(arguments[if awaited { 2 } else { 1 }]);
    let command = CallCommand {
        service_name: target.service,
        handler_name: target.handler,
        parameter: "in".into(),
        headers: Vec::new(),
        key: target.key.unwrap_or_default(),
        idempotency_key: option("ik=").map(str::to_owned),
        scope: target.scope,
        limit_key: option("lk=").map(str::to_owned),
        invocation_id_notification_idx: arguments[0].parse().expect("a completion id"),
        result_completion_id: if awaited { arguments[1].parse().expect("an id") } else { 0 },
        name: String::new(),
    };
    if awaited {
        return Frame::message(MessageType::CALL_COMMAND, &command);
    }
    let command = OneWayCallCommand {
        service_name: command.service_name,
        handler_name: command.handler_name,
        parameter: command.parameter,
        invoke_time: option("at=").map_or(0, |at| time(world, at)),
        headers: command.headers,
        key: command.key,
        idempotency_key: command.idempotency_key,
        scope: command.scope,
        limit_key: command.limit_key,
        invocation_id_notification_idx: command.invocation_id_notification_idx,
        name: String::new(),
    };
    Frame::message(MessageType::ONE_WAY_CALL_COMMAND, &command)
}

fn fulfil(result_completion_id: u32, key: String, text: &str) -> Frame {
    let completion = match outcome(text) {
        Outcome::Success(content) => complete_promise_command::Completion::Value(Value { content }),
        Outcome::Failure(failure) => complete_promise_command::Completion::Failure(failure),
    };
    let message = CompletePromiseCommand {
        key,
        completion: Some(completion),
        result_completion_id,
        name: String::new(),
    };
    Frame::message(MessageType::COMPLETE_PROMISE_COMMAND, &message)
}

/// `signal(#2,name,value)`; a number instead of the name is an index.
fn signal(world: &World, arguments: &[&str]) -> Frame {
    use send_signal_command::{Result, SignalId};
    let target = world.ids.get(arguments[0]);
    let result = match arguments[2] {
        "void" => Result::Void(Void {}),
        text => match outcome(text) {
            Outcome::Success(content) => Result::Value(Value { content }),
            Outcome::Failure(failure) => Result::Failure(failure),
        },
    };
    let name = arguments[1].parse().map_or(SignalId::Name(arguments[1].to_owned()), SignalId::Idx);
    let message = SendSignalCommand {
        target_invocation_id: target.map_or(arguments[0].to_owned(), ToString::to_string),
        signal_id: Some(name),
        result: Some(result),
        entry_name: String::new(),
    };
    Frame::message(MessageType::SEND_SIGNAL_COMMAND, &message)
}

fn complete(world: &World, id: &str, text: &str) -> Frame {
    let result = match outcome(text) {
        Outcome::Success(content) => complete_awakeable_command::Result::Value(Value { content }),
        Outcome::Failure(failure) => complete_awakeable_command::Result::Failure(failure),
    };
    let known = id.starts_with(['#', '$']);
    let message = CompleteAwakeableCommand {
        awakeable_id: if known { awakeable(world, id).to_string() } else { id.to_owned() },
        result: Some(result),
        name: String::new(),
    };
    Frame::message(MessageType::COMPLETE_AWAKEABLE_COMMAND, &message)
}

/// `attach(1,#2)`, `attach(1,W/k/run)`, `attach(1,S/h,ik)`.
fn attach(world: &World, name: &str, result_completion_id: u32, arguments: &[&str]) -> Frame {
    use attach_invocation_command::Target;
    let invocation = match arguments {
        [id] if !id.contains('/') => {
            let known = world.ids.get(*id);
            Target::InvocationId(known.map_or((*id).to_owned(), ToString::to_string))
        }
        [workflow] => {
            let target = target(workflow);
            Target::WorkflowTarget(WorkflowTarget {
                workflow_name: target.service,
                workflow_key: target.key.expect("a workflow has a key"),
                scope: target.scope,
            })
        }
        [request, idempotency_key] => {
            let target = target(request);
            Target::IdempotentRequestTarget(IdempotentRequestTarget {
                service_name: target.service,
                service_key: target.key,
                handler_name: target.handler,
                idempotency_key: (*idempotency_key).to_owned(),
                scope: target.scope,
            })
        }
        _ => panic!("not an attach target: {arguments:?}"),
    };
    let (target, name_of_entry) = (Some(invocation), String::new());
    if name == "attach" {
        let message = AttachInvocationCommand { target, result_completion_id, name: name_of_entry };
        return Frame::message(MessageType::ATTACH_INVOCATION_COMMAND, &message);
    }
    let message = GetInvocationOutputCommand { target, result_completion_id, name: name_of_entry };
    Frame::message(MessageType::GET_INVOCATION_OUTPUT_COMMAND, &message)
}

/// `error(500,text)`; `delay=`, `pause`, `fail`, `trace=`, `at=name` may follow.
fn error(arguments: &[&str]) -> Frame {
    let option = |name: &str| arguments.iter().find_map(|word| word.strip_prefix(name));
    let behavior = match arguments {
        _ if arguments.contains(&"pause") => ErrorBehavior::Pause,
        _ if arguments.contains(&"fail") => ErrorBehavior::Fail,
        _ => ErrorBehavior::Retry,
    };
    let message = ErrorMessage {
        code: arguments[0].parse().expect("a code"),
        message: arguments[1].to_owned(),
        stacktrace: option("trace=").unwrap_or_default().to_owned(),
        related_command_index: option("at=").map(|_| 1),
        related_command_name: option("at=").map(str::to_owned),
        related_command_type: option("at=").map(|_| 0x0411),
        next_retry_delay: option("delay=").map(|ms| ms.parse().expect("milliseconds")),
        behavior: behavior.into(),
    };
    Frame::message(MessageType::ERROR, &message)
}

fn split_call(text: &str) -> (&str, &str) {
    match text.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')').expect("a closing parenthesis")),
        None => (text, ""),
    }
}

/// Splits at commas outside parentheses.
fn split_arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        found.push(&text[from..]);
    }
    found
}
