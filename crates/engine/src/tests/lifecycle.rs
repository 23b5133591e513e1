//! The table of transitions in `lib.rs`, row by row.

use expect_test::expect;

use super::check;

#[test]
fn an_invocation_runs_and_ends() {
    check(
        "invoke S/h #1
         #1 out(ok); show #1
         #1 end; show #1
         output #1",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            #1 Running [Input Output] pinned v7
            end(#1/1) completed(#1 ok) #1 Completed [Input Output] pinned v7
            reply(r2 #1 ok until @60000)
        "#]],
    );
}

#[test]
fn a_terminal_failure_is_a_result() {
    check(
        "send S/h #1
         #1 out(!418:teapot) end
         output #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            end(#1/1) completed(#1 418:teapot)
            reply(r2 #1 418:teapot until @60000)
        "#]],
    );
}

#[test]
fn a_handler_cannot_end_without_output() {
    check(
        "invoke S/h #1; #1 end",
        expect![[r#"
        start(#1/1 v7 [Input]) park(r1 #1) abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
}

#[test]
fn the_last_output_counts() {
    check(
        "invoke S/h #1; #1 out(a) out(b) end",
        expect![[r#"
        start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 b)
    "#]],
    );
}

#[test]
fn output_without_end_is_replayed() {
    check(
        "invoke S/h #1; #1 out(ok)
         failed #1 broken
         tick 200
         #1 end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            end(#1/1) retry(#1/1 @104)
            start(#1/2 v7 [Input Output] retries 1 over 104)
            end(#1/2) completed(#1 ok)
        "#]],
    );
}

#[test]
fn a_scheduled_invocation_starts_on_time() {
    check(
        "send S/h #1 at=+5000; show #1
         tick 4999
         tick 1
         refire",
        expect![[r#"
            reply(r1 accepted #1 @5000) #1 Scheduled [Input]
            -
            start(#1/1 v7 [Input])
            -
        "#]],
    );
}

#[test]
fn a_start_time_that_has_passed_is_now() {
    check(
        "pass 10; send S/h #1 at=+0",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1 @10)
    "#]],
    );
}

#[test]
fn scheduled_then_queued_then_running() {
    check(
        "invoke O/k/x #1
         send O/k/x #2 at=+100
         tick 100; show #2
         #1 out(a) end
         #2 out(b) end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            reply(r2 accepted #2 @100)
            #2 Queued [Input]
            end(#1/1) completed(#1 a) start(#2/1 v7 [Input])
            end(#2/1) completed(#2 b)
        "#]],
    );
}

#[test]
fn suspended_then_woken() {
    check(
        "invoke S/h #1; #1 sleep(1,+500) suspend(1,s1); show #1
         tick 499
         tick 1
         #1 out(ok) end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) #1 Suspended [Input Sleep] wait(timer 1 @0 attempt 1) pinned v7
            -
            start(#1/2 v7 [Input Sleep Sleep!1])
            end(#1/2) completed(#1 ok)
        "#]],
    );
}

#[test]
fn paused_then_resumed() {
    check(
        "with max=1
         invoke S/h #1
         #1 error(500,no); show #1
         resume #1
         #1 out(ok) end",
        expect![[r#"
            -
            start(#1/1 v7 [Input]) park(r1 #1)
            end(#1/1) #1 Paused [Input] failure(500 RT0007 no)
            start(#1/2 v7 [Input]) reply(r2 done)
            end(#1/2) completed(#1 ok)
        "#]],
    );
}

#[test]
fn a_restart_starts_everything_in_flight_again() {
    check(
        "send S/h #1; send S/h #2; send S/h #3; send S/h #4 at=+9000
         #2 error(500,no); #3 suspend(s17,s1)
         recover
         #1/1 out(late) end
         tick 200
         #1 out(ok) end; #2 out(ok) end; recover",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) start(#3/1 v7 [Input]) reply(r3 accepted #3) reply(r4 accepted #4 @9000)
            end(#2/1) retry(#2/1 @115) end(#3/1)
            start(#1/2 v7 [Input]) retry(#2/1 @115)
            -
            start(#2/2 v7 [Input] retries 1 over 115)
            end(#1/2) completed(#1 ok) end(#2/2) completed(#2 ok)
        "#]],
    );
}

#[test]
fn a_restart_after_the_retry_time_starts_at_once() {
    check(
        "send S/h #1; #1 error(500,no); pass 900; recover",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 900)
    "#]],
    );
}

#[test]
fn a_start_message_tells_what_the_sdk_must_know() {
    check(
        "invoke S/h #1 ik=once
         with v6; invoke S/h #2 ik=twice
         with v5 rr; invoke S/h #3
         invoke O/k/x #4; with lazy; invoke O/k2/x #5",
        expect![[r#"
            start(#1/1 v7 [Input] key once) park(r1 #1)
            start(#2/1 v6 [Input]) park(r2 #2)
            start(#3/1 v5 [Input]) park(r3 #3)
            start(#4/1 v5 [Input]) park(r4 #4) start(#5/1 v5 [Input] partial) park(r5 #5)
        "#]],
    );
}

#[test]
fn a_handler_that_is_not_registered_is_refused() {
    check(
        "with without=S; invoke S/h #1; send S/h #1
         with all; send S/h #1 at=+100; with without=S
         tick 100
         with all
         tick 1000
         #1 out(ok) end",
        expect![[r#"
            reply(r1 unavailable: the handler was removed a moment ago, register its deployment again) reply(r2 unavailable: the handler was removed a moment ago, register its deployment again)
            reply(r3 accepted #1 @100)
            end(#1/1) retry(#1/1 @694)
            -
            start(#1/2 v7 [Input] retries 1 over 694)
            end(#1/2) completed(#1 ok)
        "#]],
    );
}

#[test]
fn the_first_command_pins_deployment_and_version() {
    check(
        "send S/h #1; send S/h #2
         #1 run(1) propose(1,v) suspend(s17,s1); #2 suspend(s17,s1); show #1; show #2
         with v5 deployment=2; resume #1; resume #2; send S/h #3",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            forward(#1/1 Run!1=v) end(#1/1) end(#2/1) #1 Suspended [Input Run Run!1=v] wait(awakeable 17 @0 attempt 1) pinned v7 #2 Suspended [Input] wait(awakeable 17 @0 attempt 1)
            start(#1/2 v7 [Input Run Run!1=v]) reply(r3 done) start(#2/2 v5 [Input] deployment 2) reply(r4 done) start(#3/1 v5 [Input] deployment 2) reply(r5 accepted #3)
        "#]],
    );
}

#[test]
fn a_pinned_deployment_that_is_gone_is_a_failed_attempt() {
    check(
        "send S/h #1; #1 run(1) propose(1,v) suspend(s17,s1)
         with deployment=2 gone; resume #1; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 Run!1=v) end(#1/1)
            end(#1/2) retry(#1/2 @104) reply(r2 done) #1 BackingOff [Input Run Run!1=v] wait(awakeable 17 @0 attempt 1) failure(404 RT0018 deployment dp_10000000000000000000001 is gone, but this invocation started on it) pinned v7
        "#]],
    );
}

#[test]
fn an_attempt_that_queued_for_a_place_gets_a_fresh_replay() {
    check(
        "send S/h #1; resolve #1.17 v
         admitted #1
         admitted #1/1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=v) reply(r2 completed resolve @0)
            start(#1/2 v7 [Input s17=v])
            -
        "#]],
    );
}

#[test]
fn where_and_when_it_began_is_on_record() {
    check(
        "pass 7; send S/h #1; times #1
         send S/h #2 at=+5; times #2; tick 5; times #2
         send O/k/x #3; pass 1; send O/k/x #4; times #4; pass 2; #3 out(v) end; times #4
         send O/k/x #5 at=+1; tick 1; times #5
         #1 call(1,2,T/h) send(3,T/h); times #a; times #b",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ingress created @7 scheduled - queued - running @7
            reply(r2 accepted #2 @12) ingress created @7 scheduled @7 queued - running - start(#2/1 v7 [Input]) ingress created @7 scheduled @7 queued - running @12
            start(#3/1 v7 [Input]) reply(r3 accepted #3) reply(r4 accepted #4) ingress created @13 scheduled - queued @13 running - end(#3/1) completed(#3 v) start(#4/1 v7 [Input]) ingress created @13 scheduled - queued @13 running @15
            reply(r5 accepted #5 @16) ingress created @15 scheduled @15 queued @16 running -
            forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!3=#b) start(#a/1 v7 [Input]) start(#b/1 v7 [Input]) service created @16 scheduled - queued - running @16 service created @16 scheduled - queued - running @16
        "#]],
    );
}
