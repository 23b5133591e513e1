//! Lives of handlers: calls without steps, a durable step, an awakeable.

use bytes::Bytes;
use reveille_engine::command::{AttemptId, Command, Outcome, WaitTarget};
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::message::{
    AwaitingOn, CombinatorType, Future, ProposeRunCompletion, RunCommand, Suspension,
    propose_run_completion,
};
use reveille_protocol::signal;

use crate::REPETITIONS;
use crate::world::{SECRET_KEY, World, frames, output_and_end};

/// Index of the first awakeable of an invocation.
const AWAKEABLE: u32 = signal::AWAKEABLE_FIRST;
/// Durable steps before an awakeable is awaited: with the input and the answer, a journal of ten.
const STEPS_BEFORE: u32 = 4;

/// A call arrives and an attempt is started.
pub fn invoke() {
    let mut world = World::new();
    for _ in 0..REPETITIONS {
        let command = world.invoke();
        world.count(command);
        let start = world.started();
        world.commit(frames(start.id, start.attempt, output_and_end()));
        world.ended();
    }
}

/// The handler answers and ends.
pub fn end_of_calls() {
    let mut world = World::new();
    for _ in 0..REPETITIONS {
        let (id, attempt) = world.running();
        world.count(frames(id, attempt, output_and_end()));
        world.ended();
    }
}

/// A durable step: its command, then its result, which arrive one after the other.
pub fn durable_step() {
    let mut world = World::new();
    for _ in 0..REPETITIONS {
        let (id, attempt) = world.running();
        for frame in step(1) {
            world.count(frames(id, attempt, [frame]));
        }
        assert_eq!(world.forwarded().ty, MessageType::PROPOSE_RUN_COMPLETION_ACK);
    }
}

/// A handler awaits an awakeable, is asked to suspend and does.
pub fn awakeable_suspension() {
    let mut world = World::new();
    for _ in 0..REPETITIONS {
        let (id, attempt) = after_steps(&mut world);
        let [awaiting, suspension] = wait();
        world.count(frames(id, attempt, [awaiting]));
        world.asked_to_suspend();
        world.count(frames(id, attempt, [suspension]));
        world.ended();
    }
}

/// The answer of an awakeable resumes its handler: the next attempt replays a journal of ten.
pub fn awakeable_answer() {
    let mut world = World::new();
    for _ in 0..REPETITIONS {
        let (id, attempt) = after_steps(&mut world);
        for frame in wait() {
            world.commit(frames(id, attempt, [frame]));
        }
        world.asked_to_suspend();
        world.ended();
        let secret = SECRET_KEY.secret(id, attempt.created_at);
        let awakeable = AwakeableId { invocation: id, secret, index: AWAKEABLE };
        let request = world.request();
        world.count(Command::CompleteWait {
            request,
            wait: WaitTarget::Awakeable(awakeable),
            completion: Outcome::Success(Bytes::from_static(b"\"Looks good!\"")),
            idempotency_key: None,
        });
        assert_eq!(world.started().frames.len(), 1 + 10, "Start and a journal of ten");
    }
}

/// Invokes a handler that has then done some durable steps.
fn after_steps(world: &mut World) -> (InvocationId, AttemptId) {
    let (id, attempt) = world.running();
    for number in 1..=STEPS_BEFORE {
        for frame in step(number) {
            world.commit(frames(id, attempt, [frame]));
        }
        world.forwarded();
    }
    (id, attempt)
}

fn step(number: u32) -> [Frame; 2] {
    let command = RunCommand { result_completion_id: number, name: "step".to_owned() };
    let result = propose_run_completion::Result::Value(Bytes::from_static(b"\"done\""));
    let proposal = ProposeRunCompletion { result_completion_id: number, result: Some(result) };
    let proposal = Frame::message(MessageType::PROPOSE_RUN_COMPLETION, &proposal);
    [Frame::message(MessageType::RUN_COMMAND, &command), Frame { ack_requested: true, ..proposal }]
}

/// What an SDK sends that awaits an awakeable or its cancellation, and then suspends.
fn wait() -> [Frame; 2] {
    let tree = Future {
        waiting_signals: vec![AWAKEABLE, signal::CANCEL],
        combinator_type: CombinatorType::FirstCompleted.into(),
        ..Future::default()
    };
    let awaiting = AwaitingOn { awaiting_on: Some(tree.clone()), executing_side_effects: false };
    let suspension = Suspension { awaiting_on: Some(tree), ..Suspension::default() };
    [
        Frame::message(MessageType::AWAITING_ON, &awaiting),
        Frame::message(MessageType::SUSPENSION, &suspension),
    ]
}
