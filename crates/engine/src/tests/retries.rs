//! Failed attempts: back-off, pause and kill.

use expect_test::expect;

use super::check;

#[test]
fn delays_grow_up_to_the_maximum() {
    check(
        "send S/h #1; #1 error(500,a)
         tick 1000; failed #1 b
         tick 1000; failed #1 c
         tick 1000; failed #1 d
         tick 1000; failed #1 e
         tick 1300; failed #1 f",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104)
            start(#1/2 v7 [Input] retries 1 over 104) end(#1/2) retry(#1/2 @1230)
            start(#1/3 v7 [Input] retries 2 over 1230) end(#1/3) retry(#1/3 @2485)
            start(#1/4 v7 [Input] retries 3 over 2485) end(#1/4) retry(#1/4 @3888)
            start(#1/5 v7 [Input] retries 4 over 3888) end(#1/5) retry(#1/5 @5209)
            start(#1/6 v7 [Input] retries 5 over 5209) end(#1/6) retry(#1/6 @6452)
        "#]],
    );
}

#[test]
fn the_sdk_may_choose_the_next_delay() {
    check(
        "send S/h #1; #1 error(500,a,delay=7000)
         tick 6999
         tick 1
         #1 error(500,a)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @7000)
            -
            start(#1/2 v7 [Input] retries 1 over 7000)
            end(#1/2) retry(#1/2 @7230)
        "#]],
    );
}

#[test]
fn any_stored_entry_resets_the_count() {
    check(
        "send S/h #1; #1 error(500,a); tick 500
         #1 error(500,b)
         tick 500; #1 run(1) error(500,c)
         tick 500",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104)
            end(#1/2) retry(#1/2 @730)
            start(#1/3 v7 [Input] retries 2 over 730) end(#1/3) retry(#1/3 @1121)
            start(#1/4 v7 [Input Run] retries 1 over 121)
        "#]],
    );
}

#[test]
fn used_up_attempts_pause() {
    check(
        "with max=2; invoke S/h #1; #1 error(500,a); tick 500
         #1 error(500,b); show #1; output #1
         resume #1; #1 error(500,c)",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104)
            end(#1/2) #1 Paused [Input] failure(500 RT0007 b) reply(r2 not ready #1)
            start(#1/3 v7 [Input]) reply(r3 done) end(#1/3) retry(#1/3 @621)
        "#]],
    );
}

#[test]
fn used_up_attempts_kill_with_a_stack_trace() {
    check(
        "with max=2 kill; invoke S/h #1; #1 error(500,a); tick 500
         #1 error(503,b,trace=line,at=name,delay=5); show #1
         output #1",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104)
            end(#1/2) completed(#1 503:b trace line) #1 Completed [Input] failure(503 RT0007 b) at name
            reply(r2 #1 503:b trace line until @60500)
        "#]],
    );
}

#[test]
fn used_up_attempts_leave_calls_alone() {
    check(
        "with max=1 kill; send S/h #1; #1 call(1,2,T/h)
         failed #1 gone; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input])
            end(#1/1) completed(#1 500:gone) #1 Completed [Input Call CallInvocationId!1=#a] failure(500 RT0010 gone) pinned v7
        "#]],
    );
}

#[test]
fn an_sdk_may_pause_on_v7() {
    check(
        "send S/h #1\n#1 error(500,a,pause,delay=5); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        end(#1/1) #1 Paused [Input] failure(500 RT0007 a)
    "#]],
    );
}

#[test]
fn an_sdk_may_fail_on_v7() {
    check(
        "invoke S/h #1\n#1 error(418,a,fail,trace=line); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            end(#1/1) completed(#1 418:a) #1 Completed [Input] failure(418 RT0007 a)
        "#]],
    );
}

#[test]
fn behaviors_are_ignored_before_v7() {
    check(
        "with v6; send S/h #1\n#1 error(500,a,fail,delay=5)",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1)
        end(#1/1) retry(#1/1 @5)
    "#]],
    );
    check(
        "with v6; send S/h #1\n#1 error(500,a,pause,delay=5)",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1)
        end(#1/1) retry(#1/1 @5)
    "#]],
    );
}

#[test]
fn a_journal_mismatch_has_its_own_code() {
    check(
        "send S/h #1\n#1 error(570,a); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(570 RT0016 a)
    "#]],
    );
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let text = "ä".repeat(9_000);
    let mut world = super::World::new();
    for statement in ["send S/h #1", &format!("failed #1 {text}")] {
        super::script::statement(&mut world, statement);
    }
    let record = world.record(world.id("#1")).expect("a record");
    let failure = record.last_failure.expect("a failure");
    assert_eq!(failure.message.len(), crate::retry::FAILURE_TEXT_BYTES_MAX);
}
