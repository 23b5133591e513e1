//! What a requested pause leads to, what ends it, and where a resumed invocation goes on.

use expect_test::expect;

use super::check;

#[test]
fn a_suspension_becomes_a_pause() {
    check(
        "invoke S/h #1; pause #1; show #1
         pause #1
         #1 suspend(s17,s1); show #1
         resolve #1.17 v; show #1; pause #1
         resume #1; #1 out(v) end; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) close(#1/1) reply(r2 accept) #1 Running [Input] to pause
            reply(r3 accept)
            end(#1/1) #1 Paused [Input] wait(awakeable 17 @0 attempt 1)
            reply(r4 completed resolve @0) #1 Paused [Input s17=v] reply(r5 done)
            start(#1/2 v7 [Input s17=v]) reply(r6 done) end(#1/2) completed(#1 v) #1 Completed [Input s17=v Output] pinned v7
        "#]],
    );
}

#[test]
fn a_suspension_with_news_becomes_a_pause() {
    check(
        "send S/h #1; #1 run(1); pause #1
         #1 propose!(1,v)
         #1 suspend(1,s1); show #1
         resume #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1) reply(r2 accept)
            -
            end(#1/1) #1 Paused [Input Run Run!1=v] pinned v7
            start(#1/2 v7 [Input Run Run!1=v]) reply(r3 done)
        "#]],
    );
}

#[test]
fn a_failed_attempt_becomes_a_pause() {
    check(
        "send S/h #1; pause #1; #1 error(500,no); show #1
         resume #1; pause #1; failed #1 gone; show #1
         resume #1; pause #1; #1 error(500,no,fail)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1) reply(r2 accept) end(#1/1) #1 Paused [Input] failure(500 RT0007 no)
            start(#1/2 v7 [Input]) reply(r3 done) close(#1/2) reply(r4 accept) end(#1/2) #1 Paused [Input] failure(500 RT0010 gone)
            start(#1/3 v7 [Input]) reply(r5 done) close(#1/3) reply(r6 accept) end(#1/3) completed(#1 500:no)
        "#]],
    );
    check(
        "with max=1 kill; send S/h #1; pause #1; #1 error(500,no); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1) reply(r2 accept) end(#1/1) completed(#1 500:no) #1 Completed [Input] failure(500 RT0007 no)
    "#]],
    );
}

#[test]
fn a_pause_out_of_the_back_off_is_not_retried() {
    check(
        "send S/h #1; #1 error(500,no); pause #1; show #1
         tick 1000; retry #1/1; show #1
         resume #1; #1 error(500,no)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) reply(r2 accept) #1 Paused [Input] failure(500 RT0007 no)
            #1 Paused [Input] failure(500 RT0007 no)
            start(#1/2 v7 [Input]) reply(r3 done) end(#1/2) retry(#1/2 @1115)
        "#]],
    );
}

#[test]
fn an_end_still_completes() {
    check(
        "invoke S/h #1; pause #1; #1 out(v) end; show #1
         invoke S/h #2; pause #2; kill #2; show #2",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) close(#1/1) reply(r2 accept) end(#1/1) completed(#1 v) #1 Completed [Input Output] pinned v7
            start(#2/1 v7 [Input]) park(r3 #2) close(#2/1) reply(r4 accept) abort(#2/1) completed(#2 409:killed) reply(r5 done) #2 Completed [Input]
        "#]],
    );
}

#[test]
fn resume_and_cancel_take_the_request_back() {
    check(
        "send S/h #1; pause #1; resume #1; show #1; #1 suspend(s17,s1); show #1
         send S/h #2; pause #2; cancel #2; show #2; #2 suspend(s17,s1)
         send S/h #3; send S/h #4; pause #3; #4 signal(#3,go,a); #3 flat(s1,'go); show #3
         cancel #3",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1) reply(r2 accept) reply(r3 done) #1 Running [Input] end(#1/1) #1 Suspended [Input] wait(awakeable 17 @0 attempt 1)
            start(#2/1 v7 [Input]) reply(r4 accepted #2) close(#2/1) reply(r5 accept) reply(r6 accept) #2 Running [Input cancel] end(#2/1) start(#2/2 v7 [Input cancel])
            start(#3/1 v7 [Input]) reply(r7 accepted #3) start(#4/1 v7 [Input]) reply(r8 accepted #4) close(#3/1) reply(r9 accept) end(#3/1) #3 Paused [Input 'go=a]
            start(#3/2 v7 [Input 'go=a cancel]) reply(r10 accept)
        "#]],
    );
}

#[test]
fn without_a_stream_there_is_nothing_to_close() {
    check(
        "with rr; send S/h #1; pause #1; #1 suspend(s17,s1); show #1
         send S/h #2; pause #2; #2 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept) end(#1/1) #1 Paused [Input] wait(awakeable 17 @0 attempt 1)
            start(#2/1 v7 [Input]) reply(r3 accepted #2) reply(r4 accept) end(#2/1) completed(#2 v)
        "#]],
    );
}

#[test]
fn a_request_outlives_a_restart_and_a_queue_for_a_place() {
    check(
        "send S/h #1; pause #1; recover; show #1
         send S/h #2; pause #2; admitted #2; show #2; recover
         resume #1; resume #2",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1) reply(r2 accept) #1 Paused [Input]
            start(#2/1 v7 [Input]) reply(r3 accepted #2) close(#2/1) reply(r4 accept) #2 Paused [Input]
            start(#1/2 v7 [Input]) reply(r5 done) start(#2/2 v7 [Input]) reply(r6 done)
        "#]],
    );
}

#[test]
fn what_a_paused_handler_awaits_is_answered_by_name() {
    check(
        "send S/h #1; pause #1; #1 suspend(s1,'go); show #1
         admin #1 go v; show #1
         resume #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1) reply(r2 accept) end(#1/1) #1 Paused [Input] wait(signal go @0 attempt 1)
            reply(r3 completed resolve @0) #1 Paused [Input 'go=v]
            start(#1/2 v7 [Input 'go=v]) reply(r4 done)
        "#]],
    );
}

#[test]
fn a_paused_object_keeps_its_lock() {
    check(
        "send O/k/x #1; send O/k/x #2; pause #1; pause #2; #1 suspend(s17,s1)
         resume #1; #1 out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) close(#1/1) reply(r3 accept) reply(r4 conflict: The invocation '#2' is not running, cannot be paused.) end(#1/1)
            start(#1/2 v7 [Input]) reply(r5 done) end(#1/2) completed(#1 v) start(#2/1 v7 [Input])
        "#]],
    );
}

/// Runs each resume on an invocation that is paused and pinned.
fn check_resumes<const N: usize>(resumes: [(&str, expect_test::Expect); N]) {
    let paused = "with v6; send S/h #1; #1 run(1) propose!(1,v) error(500,no); pause #1";
    for (resume, expected) in resumes {
        check(&format!("{paused}\n{resume}\nshow #1; #1 error(500,no); show #1"), expected);
    }
}

#[test]
fn a_resume_goes_on_where_it_is_told() {
    check_resumes([
        (
            "with v7 deployment=2; resume #1",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            start(#1/2 v6 [Input Run Run!1=v]) reply(r3 done)
            #1 Running [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 end(#1/2) retry(#1/2 @115) #1 BackingOff [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
        (
            "with v7 deployment=2; resume #1 1",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            start(#1/2 v6 [Input Run Run!1=v]) reply(r3 done)
            #1 Running [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 end(#1/2) retry(#1/2 @115) #1 BackingOff [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
        (
            "with v7 deployment=2; resume #1 latest",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            start(#1/2 v7 [Input Run Run!1=v] deployment 2) reply(r3 done)
            #1 Running [Input Run Run!1=v] failure(500 RT0007 no) pinned v7 end(#1/2) retry(#1/2 @115) #1 BackingOff [Input Run Run!1=v] failure(500 RT0007 no) pinned v7
        "#]],
        ),
        (
            "with v7 deployment=2; resume #1 2",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            start(#1/2 v7 [Input Run Run!1=v] deployment 2) reply(r3 done)
            #1 Running [Input Run Run!1=v] failure(500 RT0007 no) pinned v7 end(#1/2) retry(#1/2 @115) #1 BackingOff [Input Run Run!1=v] failure(500 RT0007 no) pinned v7
        "#]],
        ),
        (
            "with deployment=2 gone; resume #1 latest",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            start(#1/2 v6 [Input Run Run!1=v] deployment 2) reply(r3 done)
            #1 Running [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 end(#1/2) retry(#1/2 @115) #1 BackingOff [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
    ]);
}

#[test]
fn a_resume_on_a_deployment_that_is_not_there_changes_nothing() {
    check_resumes([
        (
            "with v7 deployment=2; resume #1 3",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            reply(r3 invalid: The given deployment was not found when trying to resume the invocation '#1'.)
            #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
        (
            "with v7 deployment=2 missing=S; resume #1 2",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            reply(r3 invalid: The deployment 'dp_10000000000000000000002' has no service 'S', cannot resume the invocation '#1' there.)
            #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
        (
            "with v7 deployment=2 missing=S; resume #1 latest",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            reply(r3 invalid: The deployment 'dp_10000000000000000000002' has no service 'S', cannot resume the invocation '#1' there.)
            #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
        (
            "with deployment=2 gone; resume #1 1",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            reply(r3 invalid: The given deployment was not found when trying to resume the invocation '#1'.)
            #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
        (
            "with without=S; resume #1 latest",
            expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) retry(#1/1 @104) reply(r2 accept)
            reply(r3 invalid: The given deployment was not found when trying to resume the invocation '#1'.)
            #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6 #1 Paused [Input Run Run!1=v] failure(500 RT0007 no) pinned v6
        "#]],
        ),
    ]);
}

#[test]
fn only_an_attempt_to_start_moves_an_invocation() {
    check(
        "send S/h #1; #1 run(1) suspend(1,s1); with deployment=2; resume #1 latest
         send S/h #2; #2 run(1) error(500,no); resume #2 1
         send S/h #3; resume #3 1; #3 run(1) error(500,no); tick 200
         send S/h #4 at=+1000; resume #4 1
         send S/h #5; #5 out(v) end; resume #5 1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) start(#1/2 v7 [Input Run] deployment 2) reply(r2 done)
            start(#2/1 v7 [Input] deployment 2) reply(r3 accepted #2) end(#2/1) retry(#2/1 @118) start(#2/2 v7 [Input Run] retries 1 over 0) reply(r4 done)
            start(#3/1 v7 [Input] deployment 2) reply(r5 accepted #3) reply(r6 done) end(#3/1) retry(#3/1 @109) start(#3/2 v7 [Input Run] deployment 2 retries 1 over 109)
            reply(r7 accepted #4 @1200) reply(r8 too early: The invocation '#4' is either inboxed or scheduled, cannot be resumed.)
            start(#5/1 v7 [Input] deployment 2) reply(r9 accepted #5) end(#5/1) completed(#5 v) reply(r10 conflict: The invocation '#5' is completed, cannot be resumed.)
        "#]],
    );
}

#[test]
fn what_is_not_pinned_stays_so_unless_it_is_told_where() {
    check(
        "send S/h #1; #1 error(500,no); resume #1 latest; show #1
         #1 error(500,no); with deployment=2; resume #1 1; show #1; #1 error(500,no); tick 500",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 0) reply(r2 done) #1 Running [Input] failure(500 RT0007 no)
            end(#1/2) retry(#1/2 @230) start(#1/3 v7 [Input] retries 2 over 0) reply(r3 done) #1 Running [Input] failure(500 RT0007 no) pinned v7 end(#1/3) retry(#1/3 @485) start(#1/4 v7 [Input] retries 3 over 485)
        "#]],
    );
}
