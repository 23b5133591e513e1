//! What every attempt must be told in the same way: ids, seeds, and entries byte for byte.

use bytes::Bytes;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::AwakeableId;
use reveille_protocol::message::{InputCommand, Start};

use crate::effect::{AttemptStart, Effect};

use super::script;
use super::world::World;

/// Runs statements and returns the last attempt that the last one started.
fn attempt_of(world: &mut World, statements: &[&str]) -> AttemptStart {
    for statement in statements {
        script::statement(world, statement);
    }
    let started = world.effects.iter().rev().find_map(|effect| match effect {
        Effect::StartAttempt(start) => Some((**start).clone()),
        _ => None,
    });
    started.unwrap_or_else(|| panic!("no attempt after {statements:?}: {:?}", world.effects))
}

fn start_of(attempt: &AttemptStart) -> Start {
    attempt.frames[0].decode().expect("an attempt begins with Start")
}

#[test]
fn id_and_seed_are_those_of_the_incarnation() {
    let mut world = World::new();
    let first = attempt_of(&mut world, &["send S/h #1 ik=x"]);
    let second = attempt_of(&mut world, &["failed #1 gone", "tick 200"]);
    let rerun = ["#1 out(v) end", "tick 60000", "send S/h #1 ik=x"];
    let third = attempt_of(&mut world, &rerun);
    let [first, second, third] = [first, second, third].map(|attempt| start_of(&attempt));
    assert_eq!((&first.id, first.random_seed), (&second.id, second.random_seed));
    assert_eq!(first.debug_id, third.debug_id);
    assert_eq!(first.id[..24], third.id[..24]);
    assert_ne!(first.id, third.id);
    assert_ne!(first.random_seed, third.random_seed);
    assert_eq!(first.debug_id, world.id("#1").to_string());
}

#[test]
fn an_awakeable_id_is_the_start_id_and_an_index() {
    let mut world = World::new();
    let start = start_of(&attempt_of(
        &mut world,
        &["send S/h #1", "mint #1.17 $a", "failed #1 x", "tick 200"],
    ));
    let id = world.minted["$a"];
    let public_and_secret = [id.invocation.as_bytes().as_slice(), &id.secret].concat();
    assert_eq!(start.id, public_and_secret);
    assert_eq!(id.to_string().parse::<AwakeableId>().as_ref(), Ok(&id));
}

#[test]
fn entries_are_replayed_verbatim() {
    let mut world = World::new();
    // A run with id 33, an unknown field 15, and a field that is at its default.
    let payload = Bytes::from_static(b"X!x1b\0");
    let frame = format!("#1 raw(0411,{})", String::from_utf8_lossy(&payload));
    let attempt = attempt_of(&mut world, &["send S/h #1", &frame, "failed #1 gone", "tick 200"]);
    assert_eq!(attempt.frames[2].ty, MessageType::RUN_COMMAND);
    assert_eq!(attempt.frames[2].payload, payload);
}

#[test]
fn a_callee_gets_the_parameter_and_no_headers_of_its_own() {
    let mut world = World::new();
    let attempt = attempt_of(&mut world, &["send S/h #1", "#1 call(1,2,O/k/x)"]);
    let input: InputCommand = attempt.frames[1].decode().expect("an input");
    assert_eq!(input.value.unwrap_or_default().content, "in");
    assert!(input.headers.is_empty());
    assert_eq!((attempt.key.as_deref(), attempt.handler.as_str()), (Some("k"), "x"));
    assert_eq!((attempt.hold_timeout_ms, attempt.inactivity_timeout_ms), (1_000, 60_000));
}
