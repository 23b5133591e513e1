//! A partition in memory: months pass at once, and a crash loses nothing but attempts.

use std::sync::Arc;

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{OutputCommand, SleepCommand, Suspension, Value, output_command};

use crate::command::{AttemptId, Command, Invoke, Millis, Outcome, Source, Target};
use crate::effect::{AttemptStart, Reply};
use crate::identity::SecretKey;
use crate::memory::{Demand, MemoryPartition};
use crate::wait::WaitKind;

use super::schema;
use super::tree;

const MONTH_MS: Millis = 30 * 24 * 60 * 60 * 1000;

fn partition() -> MemoryPartition {
    let schema = schema::build(&schema::Options::default());
    MemoryPartition::new(Arc::new(schema), SecretKey([7; 32]), 1_000)
}

fn invoke(id: InvocationId) -> Box<Invoke> {
    Box::new(Invoke {
        id,
        fresh: true,
        target: Target { scope: None, service: "S".into(), key: None, handler: "h".into() },
        input: Bytes::new(),
        idempotency_key: None,
        limit_key: None,
        start_at: None,
        caller: None,
        source: Source::Ingress,
        trace: None,
    })
}

fn started(partition: &mut MemoryPartition) -> Box<AttemptStart> {
    match partition.next_demand() {
        Some(Demand::Start(start)) => start,
        other => panic!("no attempt was started, but {other:?}"),
    }
}

fn sleep(until: Millis) -> Vec<Frame> {
    let sleep =
        SleepCommand { wake_up_time: until, result_completion_id: 1, ..SleepCommand::default() };
    let awaited = Suspension { awaiting_on: Some(tree(&["1"])), ..Suspension::default() };
    vec![
        Frame::message(MessageType::SLEEP_COMMAND, &sleep),
        Frame::message(MessageType::SUSPENSION, &awaited),
    ]
}

fn done() -> Vec<Frame> {
    let value = Value { content: Bytes::from_static(b"done") };
    let output =
        OutputCommand { result: Some(output_command::Result::Value(value)), name: String::new() };
    vec![
        Frame::message(MessageType::OUTPUT_COMMAND, &output),
        Frame::new(MessageType::END, Bytes::new()),
    ]
}

fn act(partition: &mut MemoryPartition, id: InvocationId, attempt: AttemptId, frames: Vec<Frame>) {
    partition.submit(Command::Frames { id, attempt, frames }).expect("the rows are sound");
}

#[test]
fn months_pass_at_once_and_a_crash_loses_attempts_only() {
    let (mut partition, id) = (partition(), InvocationId::from_parts(1, 2));
    let request = partition.request();
    let command = Command::Invoke { request, invoke: invoke(id), wait: true };
    partition.submit(command).expect("accepted");
    let first = started(&mut partition);
    assert_eq!(first.frames.len(), 2, "Start and Input: {:?}", first.frames);

    // The attempt is lost before it did anything.
    partition.crash().expect("the rows are sound");
    let second = started(&mut partition);
    assert_eq!((second.id, second.attempt.number), (id, first.attempt.number + 1));

    let due = partition.now() + MONTH_MS;
    act(&mut partition, id, second.attempt, sleep(due));
    assert!(matches!(partition.next_demand(), Some(Demand::End(..))));
    let waits = partition.waits().expect("the rows are sound");
    assert_eq!(waits.iter().map(|wait| wait.kind).collect::<Vec<_>>(), [WaitKind::Timer]);
    partition.crash().expect("the rows are sound");
    assert!(partition.next_demand().is_none(), "what sleeps is not woken by a crash");

    assert_eq!(partition.next_due(), Some(due));
    partition.advance_to(due - 1).expect("nothing is due");
    assert!(partition.next_demand().is_none());
    partition.advance_to(due).expect("the timer is due");
    let third = started(&mut partition);
    assert_eq!(third.frames.len(), 4, "Start, Input, Sleep and its notification");

    let request = partition.request();
    partition.submit(Command::Attach { request, id }).expect("it runs");
    act(&mut partition, id, third.attempt, done());
    let Some(Reply::Result { completed, .. }) = partition.take_reply(request) else {
        panic!("no result");
    };
    assert_eq!(completed.outcome, Outcome::Success(Bytes::from_static(b"done")));
    assert!(partition.take_reply(request).is_none(), "a reply is taken once");
    let request = partition.request();
    partition.submit(Command::Purge { request, id }).expect("it has ended");
    let left: Vec<&Bytes> = partition.rows().keys().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_due_at_the_same_time_comes_one_by_one() {
    let mut partition = partition();
    let due = partition.now() + 5;
    for number in 0..3 {
        let id = InvocationId::from_parts(number, 1);
        let request = partition.request();
        let command = Command::Invoke { request, invoke: invoke(id), wait: false };
        partition.submit(command).expect("accepted");
        let attempt = started(&mut partition).attempt;
        act(&mut partition, id, attempt, sleep(due));
        assert!(matches!(partition.next_demand(), Some(Demand::End(..))));
    }
    for left in (0..3).rev() {
        partition.advance_to(due).expect("a timer is due");
        started(&mut partition);
        assert_eq!(partition.waits().expect("the rows are sound").len(), left);
    }
    partition.advance_to(due - 5).expect("the clock never goes back");
    assert_eq!((partition.now(), partition.next_due()), (due, None));
}
