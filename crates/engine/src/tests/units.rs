//! Limits of scopes and limit keys: who may run, and whose turn it is.
//!
//! After every step [`super::model::limits_are_kept`] says whether it is right.

use expect_test::expect;

use super::world::World;
use super::{check, script};
use crate::keys::{self, tag};
use crate::units::LevelUsage;

#[test]
fn without_rules_nobody_queues() {
    check(
        "send s@S/h #1; send s@S/h #2 lk=a; send s@S/h #3 lk=a/b
         #1 out(v) end; #2 out(v) end; #3 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) start(#2/1 v7 [Input] scope s limit key a) reply(r2 accepted #2) start(#3/1 v7 [Input] scope s limit key a/b) reply(r3 accepted #3)
            end(#1/1) completed(#1 v) end(#2/1) completed(#2 v) end(#3/1) completed(#3 v)
        "#]],
    );
}

#[test]
fn a_full_scope_lets_the_oldest_in() {
    check(
        "rules s=1; send s@S/h #1; send s@S/h #2; send s@S/h #3; send t@S/h #4; show #2
         #1 out(v) end
         #2 out(v) end; #3 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) start(#4/1 v7 [Input] scope t) reply(r4 accepted #4) #2 Limited [Input]
            end(#1/1) completed(#1 v) start(#2/1 v7 [Input] scope s)
            end(#2/1) completed(#2 v) start(#3/1 v7 [Input] scope s) end(#3/1) completed(#3 v)
        "#]],
    );
}

#[test]
fn every_level_has_to_have_room() {
    check(
        "rules s=3 s/*=2 s/a/*=1
         send s@S/h #1 lk=a/x; send s@S/h #2 lk=a/x; send s@S/h #3 lk=a/y; send s@S/h #4 lk=a/z
         send s@S/h #5 lk=b; send s@S/h #6 lk=c; send s@S/h #7
         #1 out(v) end
         #5 out(v) end
         #2 out(v) end; #3 out(v) end; #6 out(v) end",
        expect![[r#"
            -
            start(#1/1 v7 [Input] scope s limit key a/x) reply(r1 accepted #1) reply(r2 accepted #2) start(#3/1 v7 [Input] scope s limit key a/y) reply(r3 accepted #3) reply(r4 accepted #4)
            start(#5/1 v7 [Input] scope s limit key b) reply(r5 accepted #5) reply(r6 accepted #6) reply(r7 accepted #7)
            end(#1/1) completed(#1 v) start(#7/1 v7 [Input] scope s)
            end(#5/1) completed(#5 v) start(#2/1 v7 [Input] scope s limit key a/x)
            end(#2/1) completed(#2 v) start(#6/1 v7 [Input] scope s limit key c) end(#3/1) completed(#3 v) start(#4/1 v7 [Input] scope s limit key a/z) end(#6/1) completed(#6 v)
        "#]],
    );
}

#[test]
fn limit_keys_take_turns() {
    check(
        "rules s=1; send s@S/h #1
         send s@S/h #2 lk=a; send s@S/h #3 lk=a; send s@S/h #4 lk=a; send s@S/h #5 lk=b/x
         send s@S/h #6 lk=b/x; send s@S/h #7 lk=b/y; send s@S/h #8
         #1 out(v) end
         #8 out(v) end
         #2 out(v) end
         #5 out(v) end
         #3 out(v) end
         #7 out(v) end
         #4 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1)
            reply(r2 accepted #2) reply(r3 accepted #3) reply(r4 accepted #4) reply(r5 accepted #5)
            reply(r6 accepted #6) reply(r7 accepted #7) reply(r8 accepted #8)
            end(#1/1) completed(#1 v) start(#8/1 v7 [Input] scope s)
            end(#8/1) completed(#8 v) start(#2/1 v7 [Input] scope s limit key a)
            end(#2/1) completed(#2 v) start(#5/1 v7 [Input] scope s limit key b/x)
            end(#5/1) completed(#5 v) start(#3/1 v7 [Input] scope s limit key a)
            end(#3/1) completed(#3 v) start(#7/1 v7 [Input] scope s limit key b/y)
            end(#7/1) completed(#7 v) start(#4/1 v7 [Input] scope s limit key a)
            end(#4/1) completed(#4 v) start(#6/1 v7 [Input] scope s limit key b/x)
        "#]],
    );
}

#[test]
fn a_parked_handler_holds_no_unit_and_has_to_get_one_to_go_on() {
    check(
        "rules s=1; send s@S/h #1; send s@S/h #2; send s@S/h #3
         #1 suspend(s17,s1)
         resolve #1.17 v; show #1
         #2 out(v) end
         #1 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3)
            end(#1/1) start(#2/1 v7 [Input] scope s)
            reply(r4 completed resolve @0) #1 Limited [Input s17=v]
            end(#2/1) completed(#2 v) start(#1/2 v7 [Input s17=v] scope s)
            end(#1/2) completed(#1 v) start(#3/1 v7 [Input] scope s)
        "#]],
    );
}

#[test]
fn a_back_off_keeps_its_unit_and_a_pause_does_not() {
    check(
        "with max=2; rules s=1; send s@S/h #1; send s@S/h #2; #1 error(500,no)
         tick 200; #1 error(500,no); show #1
         resume #1; show #1; #2 suspend(s17,s1)",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) end(#1/1) retry(#1/1 @105)
            start(#1/2 v7 [Input] retries 1 over 105 scope s) end(#1/2) start(#2/1 v7 [Input] scope s) #1 Paused [Input] failure(500 RT0007 no)
            reply(r3 done) #1 Limited [Input] failure(500 RT0007 no) end(#2/1) start(#1/3 v7 [Input] scope s)
        "#]],
    );
}

#[test]
fn a_higher_limit_admits_at_once_and_a_lower_one_kills_nobody() {
    check(
        "rules s=1; send s@S/h #1; send s@S/h #2; send s@S/h #3; send s@S/h #4
         rules s=3
         rules s=1; #1 out(v) end; #2 out(v) end; show #4
         rules -s=1
         rules s=1 s/a=1; send s@S/h #5 lk=a; send s@S/h #6 lk=a
         rules s=!",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) reply(r4 accepted #4)
            start(#2/1 v7 [Input] scope s) start(#3/1 v7 [Input] scope s) admit later
            admit later end(#1/1) completed(#1 v) end(#2/1) completed(#2 v) #4 Limited [Input]
            start(#4/1 v7 [Input] scope s) admit later
            reply(r5 accepted #5) reply(r6 accepted #6)
            start(#5/1 v7 [Input] scope s limit key a) start(#6/1 v7 [Input] scope s limit key a) admit later
        "#]],
    );
}

#[test]
fn a_step_admits_few_and_the_rest_follows() {
    check(
        "rules *=1; send s@S/h #1; send s@S/h #2; send s@S/h #3; send s@S/h #4; send s@S/h #5
         send s@S/h #6; send s@S/h #7; send t@S/h #8; send t@S/h #9
         rules *=9",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) reply(r4 accepted #4) reply(r5 accepted #5)
            reply(r6 accepted #6) reply(r7 accepted #7) start(#8/1 v7 [Input] scope t) reply(r8 accepted #8) reply(r9 accepted #9)
            start(#2/1 v7 [Input] scope s) start(#3/1 v7 [Input] scope s) start(#4/1 v7 [Input] scope s) start(#5/1 v7 [Input] scope s) admit later start(#6/1 v7 [Input] scope s) start(#7/1 v7 [Input] scope s) admit later start(#9/1 v7 [Input] scope t) admit later
        "#]],
    );
}

#[test]
fn an_object_takes_its_lock_first() {
    check(
        "rules s=1; send s@S/h #1; send s@O/k/x #2; send s@O/k/x #3; send s@S/h #4; show #2; show #3
         #1 out(v) end
         #2 out(v) end
         #4 out(v) end
         #3 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) reply(r4 accepted #4) #2 Limited [Input] #3 Queued [Input]
            end(#1/1) completed(#1 v) start(#2/1 v7 [Input] scope s)
            end(#2/1) completed(#2 v) start(#4/1 v7 [Input] scope s)
            end(#4/1) completed(#4 v) start(#3/1 v7 [Input] scope s)
            end(#3/1) completed(#3 v)
        "#]],
    );
}

#[test]
fn a_long_queue_behind_a_lock_does_not_pass_others() {
    check(
        "rules s=1; send s@O/k/x #1 lk=a; send s@O/k/x #2 lk=a; send s@O/k/x #3 lk=a
         send s@S/h #4 lk=b; send s@S/h #5 lk=b
         #1 out(v) end
         #4 out(v) end; #2 out(v) end; #5 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s limit key a) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3)
            reply(r4 accepted #4) reply(r5 accepted #5)
            end(#1/1) completed(#1 v) start(#2/1 v7 [Input] scope s limit key a)
            end(#2/1) completed(#2 v) start(#4/1 v7 [Input] scope s limit key b)
        "#]],
    );
}

#[test]
fn a_caller_that_waits_for_a_callee_of_its_scope_makes_room() {
    check(
        "rules s=1; send s@S/h #1; #1 call(1,2,s@T/h); show #a
         idle #1; #1 suspend(race(s1,2))
         #a out(v) end
         #1 out(w) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) #a Limited [Input]
            close(#1/1) end(#1/1) start(#a/1 v7 [Input] scope s)
            end(#a/1) completed(#a v) start(#1/2 v7 [Input Call CallInvocationId!1=#a Call!2=v] scope s)
            end(#1/2) completed(#1 w)
        "#]],
    );
}

#[test]
fn whoever_queues_can_be_cancelled_killed_and_looked_at() {
    check(
        "rules s=1; send s@S/h #1; send s@S/h #2; send s@O/k/x #3; send s@O/k/x #4; invoke s@S/h #5
         pause #2; resume #2; output #2; purge #2
         cancel #2; kill #3; show #4
         #1 signal(#5,1,void); attach #4; kill #4
         #1 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) reply(r4 accepted #4) park(r5 #5)
            reply(r6 conflict: The invocation '#2' is not running, cannot be paused.) reply(r7 too early: The invocation '#2' is either inboxed or scheduled, cannot be resumed.) reply(r8 not ready #2) reply(r9 conflict: The invocation '#2' is not yet completed.)
            completed(#2 409:canceled) reply(r10 done) completed(#3 409:killed) reply(r11 done) #4 Limited [Input]
            completed(#5 409:canceled) park(r12 #4) completed(#4 409:killed) reply(r13 done)
            end(#1/1) completed(#1 v)
        "#]],
    );
}

#[test]
fn one_that_ran_before_keeps_its_work_when_it_is_cancelled_or_paused() {
    check(
        "rules s=1; send s@S/h #1; #1 run(1) propose(1,v) suspend(s17,s1); send s@S/h #2; resolve #1.17 v
         cancel #1; show #1
         pause #1; show #1; resume #1; resume #1 2; resume #1 latest; show #1
         #2 out(v) end
         kill #1",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) forward(#1/1 Run!1=v) end(#1/1) start(#2/1 v7 [Input] scope s) reply(r2 accepted #2) reply(r3 completed resolve @0)
            reply(r4 accept) #1 Limited [Input Run Run!1=v s17=v cancel] pinned v7
            reply(r5 accept) #1 Paused [Input Run Run!1=v s17=v cancel] pinned v7 reply(r6 done) reply(r7 invalid: The given deployment was not found when trying to resume the invocation '#1'.) reply(r8 done) #1 Limited [Input Run Run!1=v s17=v cancel] pinned v7
            end(#2/1) completed(#2 v) start(#1/2 v7 [Input Run Run!1=v s17=v cancel] scope s)
            abort(#1/2) completed(#1 409:killed) reply(r9 done)
        "#]],
    );
}

#[test]
fn a_signal_to_one_that_queues_is_kept_in_order() {
    check(
        "rules s=1; send s@S/h #1; send s@S/h #2; send S/h #3
         #3 signal(#2,go,a) signal(#2,go,b); resolve #2.17 v; resolve #2.17 v
         #2 out(x) end; #1 out(x) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) start(#3/1 v7 [Input]) reply(r3 accepted #3)
            reply(r4 completed resolve @0) reply(r5 replayed resolve @0)
            end(#1/1) completed(#1 x) start(#2/1 v7 [Input 'go=a 'go=b s17=v] scope s)
        "#]],
    );
}

#[test]
fn a_restart_keeps_the_queue_and_its_order() {
    check(
        "rules s=1; send s@S/h #1 lk=a; send s@S/h #2 lk=a; send s@S/h #3 lk=b
         recover; #1 out(v) end
         recover; #2 out(v) end; #3 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input] scope s limit key a) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3)
            start(#1/2 v7 [Input] scope s limit key a) admit later end(#1/2) completed(#1 v) start(#2/1 v7 [Input] scope s limit key a)
            start(#2/2 v7 [Input] scope s limit key a) admit later end(#2/2) completed(#2 v) start(#3/1 v7 [Input] scope s limit key b) end(#3/1) completed(#3 v)
        "#]],
    );
}

#[test]
fn delayed_ones_count_from_their_start() {
    check(
        "rules s=1; send s@S/h #1 at=+100; send s@S/h #2; tick 100; show #1
         #2 out(v) end",
        expect![[r#"
            reply(r1 accepted #1 @100) start(#2/1 v7 [Input] scope s) reply(r2 accepted #2) #1 Limited [Input]
            end(#2/1) completed(#2 v) start(#1/1 v7 [Input] scope s)
        "#]],
    );
}

#[test]
fn one_whose_handler_is_gone_backs_off_with_its_unit_or_gives_it_back() {
    check(
        "rules s=1; send s@S/h #1; send s@S/h #2; send s@T/h #3; with without=S; #1 error(500,no,fail)
         show #2; kill #2",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) end(#1/1) completed(#1 500:no) end(#2/1) retry(#2/1 @551)
            #2 BackingOff [Input] failure(404 RT0018 the handler S/h is not registered, register its deployment) completed(#2 409:killed) reply(r4 done) start(#3/1 v7 [Input] scope s)
        "#]],
    );
}

#[test]
fn usage_is_listed_by_level() {
    let mut world = World::new();
    for statement in [
        "rules s=3 s/*=1 t=!",
        "send s@S/h #1 lk=a/x",
        "send s@S/h #2 lk=a",
        "send s@S/h #3 lk=b",
        "send s@S/h #4",
        "send s@S/h #5",
        "send t@S/h #6",
    ] {
        script::statement(&mut world, statement);
    }
    let (start, end) = keys::table(tag::LEVEL);
    let mut listed = String::new();
    for (key, value) in world.partitions[0].0.range(start..end) {
        let level = LevelUsage::decode(key, value, &world.schema.rules).expect("a level");
        let limit = level.pattern.as_deref().map_or("no limit".to_owned(), |pattern| {
            let (limit, left) = (level.concurrency.unwrap_or(0), level.available().unwrap_or(0));
            format!("{limit} by {pattern}, {left} left")
        });
        let (names, usage, waiting) = (level.names.join("/"), level.usage, level.waiting);
        listed += &format!("{} {names}: {usage} in use, {waiting} queue, {limit}\n", level.level());
    }
    expect![[r#"
        scope s: 3 in use, 2 queue, 3 by s, 0 left
        l1 s/a: 1 in use, 1 queue, 1 by s/*, 0 left
        l2 s/a/x: 1 in use, 0 queue, no limit
        l1 s/b: 1 in use, 0 queue, 1 by s/*, 0 left
        scope t: 1 in use, 0 queue, no limit
    "#]]
    .assert_eq(&listed);
}
