//! Bounds on names and on eager state.

use expect_test::expect;

use crate::attempt::EAGER_STATE_BYTES_MAX;
use crate::effect::Effect;
use crate::keys::{self, Instance, NAME_BYTES_MAX};

use super::world::World;
use super::{check, script};

#[test]
fn names_that_do_not_fit_into_a_key_are_violations() {
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    for (frame, expected) in [
        (
            format!("set({long},v)"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the state key has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("clear({long})"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the state key has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("get(1,{long})"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the state key has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("promise(1,{long})"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the promise name has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("peek(1,{long})"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the promise name has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("fulfil(1,{long},v)"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the promise name has 16385 bytes, at most 16384 fit)
        "#]],
        ),
    ] {
        check(&format!("send W/k/run #1\n#1 {frame}; show #1"), expected);
    }
}

#[test]
fn keys_of_callees_that_do_not_fit_are_violations() {
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let fits = "n".repeat(NAME_BYTES_MAX);
    for (frame, expected) in [
        (
            format!("call(1,2,O/{long}/x)"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the object key has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("send(1,T/h,ik={long})"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @113) #1 BackingOff [Input] failure(500 RT0017 the idempotency key has 16385 bytes, at most 16384 fit)
        "#]],
        ),
        (
            format!("set({fits},v) promise(1,{fits})"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            #1 Running [Input SetState GetPromise] pinned v7
        "#]],
        ),
    ] {
        check(&format!("send W/k/run #1\n#1 {frame}; show #1"), expected);
    }
}

#[test]
fn state_beyond_the_bound_is_sent_partially() {
    let mut world = World::new();
    let half = bytes::Bytes::from(vec![b'x'; EAGER_STATE_BYTES_MAX / 2]);
    let instance = Instance { scope: None, service: "O", key: "k" };
    for (state_key, expected) in [("a", 1), ("b", 1), ("c", 1)] {
        let row = keys::state(instance, state_key.as_bytes());
        world.partitions[0].0.insert(row, half.clone());
        script::statement(&mut world, "send O/k/s #1");
        let Some(Effect::StartAttempt(start)) = world.effects.first() else {
            panic!("no attempt: {:?}", world.effects)
        };
        let message: reveille_protocol::message::Start =
            start.frames[0].decode().expect("an attempt begins with Start");
        assert_eq!(message.state_map.len(), expected);
        assert_eq!(message.partial_state, state_key != "a");
        script::statement(&mut world, "kill #1");
    }
}

/// A fan-in of many waits is answered one by one; each answer must cost its own row, not all of them.
#[test]
fn an_answer_costs_the_same_however_many_are_left() {
    let mut world = World::new();
    let waits: Vec<String> = (17..317).map(|index| format!("s{index}")).collect();
    script::statement(&mut world, "send S/h #1");
    script::statement(&mut world, &format!("#1 suspend(race(s1,all({})))", waits.join(",")));
    for index in 17..316 {
        script::statement(&mut world, &format!("resolve #1.{index} v"));
        // The record, the entry, the decision, the wait; once, what did not fit before is listed.
        let listed = if index == 17 + 255 { 300 - 256 } else { 0 };
        assert!(world.writes_len <= 4 + listed, "{} rows at {index}", world.writes_len);
    }
    script::statement(&mut world, "resolve #1.316 v");
    let started = world.output.iter().any(|shown| shown.contains("start(#1/2"));
    assert!(started, "the last answer wakes it: {:?}", world.output.last());
}
