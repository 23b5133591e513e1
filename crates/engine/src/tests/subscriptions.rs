//! Records of topics: taken once, in order, and never lost behind one that was refused.

use std::fmt::Write;

use expect_test::expect;
use prost::Message as _;
use reveille_protocol::id::SubscriptionId;
use reveille_protocol::message::{InputCommand, Value};

use crate::command::{Command, Invoke, Source};
use crate::identity;
use crate::keys::{self, tag};
use crate::subscription::Position;

use super::world::World;
use super::{check, check_after, script};

/// `take O/k/x #1 0@5 after=4 sub=2`: a record of partition 0 at offset 5.
pub fn take(world: &mut World, words: &[&str]) {
    let target = script::target(words[0]);
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let (partition, offset) = words[2].split_once('@').expect("a partition and an offset");
    let subscription = SubscriptionId(option("sub=").map_or(1, number).into());
    let at = Position {
        subscription,
        topic: "topic".to_owned(),
        partition: partition.parse().expect("a number"),
        offset: number(offset),
        previous: option("after=").map(number),
    };
    let id = match &target.key {
        Some(key) if target.handler == "run" => {
            identity::workflow_run_id(None, &target.service, key)
        }
        _ => identity::record_id(&at, target.routing_text()),
    };
    world.name(id, words[1]);
    let value = Some(Value { content: "in".into() });
    let input = InputCommand { headers: Vec::new(), value, name: String::new() };
    let invoke = Invoke {
        id,
        fresh: false,
        target,
        input: input.encode_to_vec().into(),
        idempotency_key: None,
        limit_key: None,
        start_at: None,
        caller: None,
        source: Source::Subscription(subscription),
        trace: None,
    };
    let request = world.request();
    world.apply_to(id, Command::TakeRecord { request, invoke: Box::new(invoke), at: Box::new(at) });
}

/// `forget 2`: no partition knows any more what that subscription took.
pub fn forget(world: &mut World, words: &[&str]) {
    let subscription = SubscriptionId(words[0].parse().expect("a number"));
    for partition in 0..world.partitions_len() {
        let request = world.request();
        world.apply(partition, Command::ForgetSubscription { request, subscription });
    }
}

/// `offsets`: what was taken, as partition of ours, subscription, partition and offset.
pub fn offsets(world: &mut World) {
    let (start, end) = keys::table(tag::OFFSET);
    let mut shown = String::from("taken(");
    for (number, rows) in world.partitions.iter().enumerate() {
        for (key, value) in rows.0.range(start.clone()..end.clone()) {
            let at = keys::parse_offset(key, value).expect("an offset");
            let (sub, partition, offset) = (at.subscription.0, at.partition, at.offset);
            write!(shown, " p{number} {sub}:{partition}@{offset}").expect("a string takes it");
        }
    }
    world.output.push(shown + " )");
}

#[test]
fn a_record_is_taken_once() {
    check(
        "take S/h #1 0@5; show #1; offsets
         take S/h #1 0@5
         take S/h #0 0@4
         #1 out(ok) end
         take S/h #1 0@5; purge #1; take S/h #1 0@5; offsets
         take S/h #2 0@9 after=5; take S/h #3 1@5; offsets",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 created #1) #1 Running [Input] taken( p0 1:0@5 )
            reply(r2 before #1)
            reply(r3 before #0)
            end(#1/1) completed(#1 ok)
            reply(r4 before #1) reply(r5 done) reply(r6 before #1) taken( p0 1:0@5 )
            start(#2/1 v7 [Input]) reply(r7 created #2) start(#3/1 v7 [Input]) reply(r8 created #3) taken( p0 1:0@9 p0 1:1@5 )
        "#]],
    );
}

#[test]
fn what_stands_behind_a_record_that_was_refused_waits_for_it() {
    check(
        "take S/gone #1 0@5; offsets
         take S/h #2 0@6 after=5; take S/h #3 0@7 after=6; offsets
         take S/h #1 0@5; take S/h #2 0@6 after=5; take S/h #3 0@7 after=6; offsets",
        expect![[r#"
            reply(r1 unavailable: the handler was removed a moment ago, register its deployment again) taken( )
            reply(r2 too early) reply(r3 too early) taken( )
            start(#1/1 v7 [Input]) reply(r4 created #1) start(#2/1 v7 [Input]) reply(r5 created #2) start(#3/1 v7 [Input]) reply(r6 created #3) taken( p0 1:0@7 )
        "#]],
    );
}

#[test]
fn records_of_a_key_queue_in_order() {
    check(
        "take O/k/x #1 0@1; take O/k/x #2 0@2 after=1; take O/k2/x #3 0@3 after=2
         #1 out(a) end
         take O/k/x #1 0@1; take O/k/x #2 0@2 after=1; #2 out(b) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 created #1) reply(r2 created #2) start(#3/1 v7 [Input]) reply(r3 created #3)
            end(#1/1) completed(#1 a) start(#2/1 v7 [Input])
            reply(r4 before #1) reply(r5 before #2) end(#2/1) completed(#2 b)
        "#]],
    );
}

#[test]
fn a_workflow_runs_once_per_key() {
    check(
        "send W/k/run #1; take W/k/run #1 0@1; offsets
         take W/k/run #1 0@1; take W/k2/run #2 0@2 after=1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 joined #1) taken( p0 1:0@1 )
            reply(r3 before #1) start(#2/1 v7 [Input]) reply(r4 created #2)
        "#]],
    );
}

#[test]
fn each_partition_keeps_what_it_took() {
    check_after(
        "partitions 2",
        "take O/a/x #1 0@1; take O/b/x #2 0@2; take O/c/x #3 0@3; take O/d/x #4 0@4; offsets
         take O/a/x #1 0@1; take O/b/x #2 0@2; take O/c/x #3 0@3; take O/d/x #4 0@4",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 created #1) start(#2/1 v7 [Input]) reply(r2 created #2) start(#3/1 v7 [Input]) reply(r3 created #3) start(#4/1 v7 [Input]) reply(r4 created #4) taken( p0 1:0@4 p1 1:0@3 )
            reply(r5 before #1) reply(r6 before #2) reply(r7 before #3) reply(r8 before #4)
        "#]],
    );
}

#[test]
fn a_subscription_that_is_gone_leaves_nothing() {
    check(
        "take S/h #1 0@1; take S/h #2 7@1 sub=2; take S/h #3 8@1 sub=2; offsets
         forget 2; offsets
         forget 2; take S/h #1 0@1; forget 1; offsets",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 created #1) start(#2/1 v7 [Input]) reply(r2 created #2) start(#3/1 v7 [Input]) reply(r3 created #3) taken( p0 1:0@1 p0 2:7@1 p0 2:8@1 )
            reply(r4 done) taken( p0 1:0@1 )
            reply(r5 done) reply(r6 before #1) reply(r7 done) taken( )
        "#]],
    );
}
