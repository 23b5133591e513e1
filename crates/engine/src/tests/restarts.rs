//! Restarts of completed invocations as new ones: what is copied, and what cannot be restarted.

use expect_test::{Expect, expect};

use super::check;

#[test]
fn the_input_alone_runs_everything_again() {
    check(
        "invoke S/h #1 ik=a; #1 run(1) propose!(1,v) out(a) end
         restart #1 0; show #a; times #a; tick 5; #a run(1) propose!(1,w) out(b) end
         show #1; output #1; output #a",
        expect![[r#"
            start(#1/1 v7 [Input] key a) park(r1 #1) ack(#1/1 1) end(#1/1) completed(#1 a)
            start(#a/1 v7 [Input]) reply(r2 accepted #a) #a Running [Input] restarted from #1 pinned v7 restart_as_new created @0 scheduled - queued - running @0 ack(#a/1 1) end(#a/1) completed(#a b)
            #1 Completed [Input Run Run!1=v Output] pinned v7 reply(r3 #1 a until @60000) reply(r4 #a b until @60005)
        "#]],
    );
}

#[test]
fn what_was_done_is_not_done_again() {
    check(
        "send S/h #1; #1 run(1) run(2); #1 propose!(2,b); #1 sleep(3,+50) propose!(1,a); tick 50
         #1 run(4) propose!(4,d) out(x) end; show #1
         restart #1 1; restart #1 2; restart #1 3; restart #1 4; restart #1 6; restart #1 7; restart #1 9",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 2) ack(#1/1 1) forward(#1/1 Sleep!3)
            ack(#1/1 4) end(#1/1) completed(#1 x) #1 Completed [Input Run Run Run!2=b Sleep Run!1=a Sleep!3 Run Run!4=d Output] pinned v7
            start(#a/1 v7 [Input Run Run!1=a]) reply(r2 accepted #a) start(#b/1 v7 [Input Run Run Run!2=b Run!1=a]) reply(r3 accepted #b) start(#c/1 v7 [Input Run Run Run!2=b Run!1=a]) reply(r4 accepted #c) start(#d/1 v7 [Input Run Run Run!2=b Sleep Run!1=a Sleep!3]) reply(r5 accepted #d) start(#e/1 v7 [Input Run Run Run!2=b Sleep Run!1=a Sleep!3]) reply(r6 accepted #e) start(#f/1 v7 [Input Run Run Run!2=b Sleep Run!1=a Sleep!3 Run Run!4=d]) reply(r7 accepted #f) start(#g/1 v7 [Input Run Run Run!2=b Sleep Run!1=a Sleep!3 Run Run!4=d Output]) reply(r8 accepted #g)
        "#]],
    );
}

#[test]
fn calls_come_with_their_results() {
    check(
        "send S/h #1; #1 call(1,2,T/h); #a out(c) end; #1 send(3,T/h); #b out(d) end; #1 out(x) end
         restart #1 1; restart #1 3; restart #1 4",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input]) end(#a/1) completed(#a c) forward(#1/1 Call!2=c) forward(#1/1 CallInvocationId!3=#b) start(#b/1 v7 [Input]) end(#b/1) completed(#b d) end(#1/1) completed(#1 x)
            start(#c/1 v7 [Input Call CallInvocationId!1=#a Call!2=c]) reply(r2 accepted #c) start(#d/1 v7 [Input Call CallInvocationId!1=#a Call!2=c]) reply(r3 accepted #d) start(#e/1 v7 [Input Call CallInvocationId!1=#a Call!2=c OneWayCall CallInvocationId!3=#b]) reply(r4 accepted #e)
        "#]],
    );
}

#[test]
fn an_object_goes_through_the_lock() {
    check(
        "send O/k/x #1; #1 set(a,1) out(v) end; send O/k/x #2
         restart #1 1; show #a; times #a; #2 set(a,2) out(v) end; times #a; show #a",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) start(#2/1 v7 [Input] a=1) reply(r2 accepted #2)
            reply(r3 accepted #a) #a Queued [Input SetState] restarted from #1 pinned v7 restart_as_new created @0 scheduled - queued @0 running - end(#2/1) completed(#2 v) start(#a/1 v7 [Input SetState] a=2) restart_as_new created @0 scheduled - queued @0 running @0 #a Running [Input SetState] restarted from #1 pinned v7
        "#]],
    );
}

#[test]
fn signals_before_the_last_command_are_kept() {
    check(
        "send S/h #1; resolve #1.17 v; #1 run(1) propose!(1,a); resolve #1.18 w
         #1 run(2) propose!(2,b) out(x) end; resolve #1.17 v
         restart #1 2; resolve #a.17 other; resolve #a.17 v; resolve #a.18 new; show #a
         restart #1 4; restart #1 5; resolve #c.18 w",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=v) reply(r2 completed resolve @0) ack(#1/1 1) forward(#1/1 s18=w) reply(r3 completed resolve @0)
            ack(#1/1 2) end(#1/1) completed(#1 x) reply(r4 replayed resolve @0)
            start(#a/1 v7 [Input s17=v Run Run!1=a]) reply(r5 accepted #a) reply(r6 conflict resolve @0) reply(r7 replayed resolve @0) forward(#a/1 s18=new) reply(r8 completed resolve @0) #a Running [Input s17=v Run Run!1=a s18=new] restarted from #1 pinned v7
            start(#b/1 v7 [Input s17=v Run Run!1=a s18=w]) reply(r9 accepted #b) start(#c/1 v7 [Input s17=v Run Run!1=a s18=w Run Run!2=b]) reply(r10 accepted #c) reply(r11 replayed resolve @0)
        "#]],
    );
}

#[test]
fn the_output_can_be_kept_too() {
    check(
        "invoke S/h #1; #1 run(1) propose!(1,a) out(x) end; restart #1 3; #a end; show #a",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) ack(#1/1 1) end(#1/1) completed(#1 x) start(#a/1 v7 [Input Run Run!1=a Output]) reply(r2 accepted #a) end(#a/1) completed(#a x) #a Completed [Input Run Run!1=a Output] restarted from #1 pinned v7
        "#]],
    );
}

/// Restarts an invocation that cannot be restarted.
fn check_refusals<const N: usize>(refusals: [(&str, Expect); N]) {
    for (script, expected) in refusals {
        check(script, expected);
    }
}

#[test]
fn what_has_not_ended_cannot_be_restarted() {
    check_refusals([
        (
            "restart #9 0",
            expect![[r#"
            reply(r1 not found #9)
        "#]],
        ),
        (
            "send S/h #1 at=+100; restart #1 0",
            expect![[r#"
            reply(r1 accepted #1 @100) reply(r2 too early: The invocation '#1' cannot be restarted because it's not running yet.)
        "#]],
        ),
        (
            "send O/k/x #1; send O/k/x #2; restart #2 0",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 too early: The invocation '#2' cannot be restarted because it's not running yet.)
        "#]],
        ),
        (
            "send S/h #1; restart #1 0",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 conflict: The invocation '#1' is still running.)
        "#]],
        ),
        (
            "send S/h #1; #1 error(500,no); restart #1 0",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) reply(r2 conflict: The invocation '#1' is still running.)
        "#]],
        ),
        (
            "send S/h #1; #1 suspend(s17,s1); restart #1 0",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 conflict: The invocation '#1' is still running.)
        "#]],
        ),
        (
            "send S/h #1; #1 error(500,no,pause); restart #1 0; show #1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 conflict: The invocation '#1' is still running.) #1 Paused [Input] failure(500 RT0007 no)
        "#]],
        ),
        (
            "send W/k/run #1; restart #1 0; #1 out(v) end; restart #1 0",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 conflict: The invocation '#1' is still running.) end(#1/1) completed(#1 v) reply(r3 unsupported: Restarting the invocation '#1' is not supported. Restarting workflows is not supported: purge the run to run it again.)
            "#]],
        ),
    ]);
}

#[test]
fn a_journal_that_is_gone_or_not_completed_cannot_be_restarted() {
    check_refusals([
        (
            "send S/h #1; #1 out(v) end; purge-journal #1; restart #1 0; show #1",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 done) reply(r3 gone: The invocation '#1' cannot be restarted because the input is not available. This indicates that the journal was already purged, or not retained at all.) #1 Completed [] pinned v7
            "#]],
        ),
        (
            "with journal=0; send S/h #1; #1 out(v) end; restart #1 0",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 gone: The invocation '#1' cannot be restarted because the input is not available. This indicates that the journal was already purged, or not retained at all.)
            "#]],
        ),
        (
            "with journal=100; send S/h #1; #1 out(v) end; pass 99; restart #1 0
             pass 1; restart #1 0",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) start(#a/1 v7 [Input]) reply(r2 accepted #a)
                reply(r3 gone: The invocation '#1' cannot be restarted because the input is not available. This indicates that the journal was already purged, or not retained at all.)
            "#]],
        ),
        (
            "send S/h #1; #1 out(v) end; pass 60000; restart #1 0",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 not found #1)
        "#]],
        ),
        (
            "send S/h #1; #1 run(1) sleep(2,+900) out(v) end; restart #1 1; restart #1 3; restart #1 4",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 invalid: The prefix of the journal '#1' up to 'from' (included) contains some Commands without respective Completions.) reply(r3 invalid: The prefix of the journal '#1' up to 'from' (included) contains some Commands without respective Completions.) reply(r4 invalid: The prefix of the journal '#1' up to 'from' (included) contains some Commands without respective Completions.)
            "#]],
        ),
        (
            "send S/h #1; #1 call(1,2,T/h) out(v) end; restart #1 1",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) end(#1/1) completed(#1 v) start(#a/1 v7 [Input]) reply(r2 invalid: The prefix of the journal '#1' up to 'from' (included) contains some Commands without respective Completions.)
            "#]],
        ),
        (
            "send S/h #1; #1 out(v) end; with without=S; restart #1 0",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 invalid: The handler 'S/h' is not registered any more, register its deployment again)
        "#]],
        ),
    ]);
}

#[test]
fn a_restart_goes_where_it_is_told() {
    let done = "send S/h #1; #1 run(1) propose!(1,a) out(v) end; with deployment=2";
    for (restart, expected) in [
        (
            "restart #1 0; restart #1 1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v)
            start(#a/1 v7 [Input]) reply(r2 accepted #a) start(#b/1 v7 [Input Run Run!1=a]) reply(r3 accepted #b)
        "#]],
        ),
        (
            "restart #1 0 latest; restart #1 1 latest; show #b",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v)
            start(#a/1 v7 [Input] deployment 2) reply(r2 accepted #a) start(#b/1 v7 [Input Run Run!1=a] deployment 2) reply(r3 accepted #b) #b Running [Input Run Run!1=a] restarted from #1 pinned v7
        "#]],
        ),
        (
            "restart #1 1 2; show #a",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v)
            start(#a/1 v7 [Input Run Run!1=a] deployment 2) reply(r2 accepted #a) #a Running [Input Run Run!1=a] restarted from #1 pinned v7
        "#]],
        ),
        (
            "restart #1 1 3",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v)
                reply(r2 invalid: The given deployment was not found when trying to restart as new the invocation '#1'.)
            "#]],
        ),
        (
            "with missing=S; restart #1 1 2",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v)
                reply(r2 invalid: The deployment 'dp_10000000000000000000002' has no service 'S', cannot restart as new the invocation '#1' there.)
            "#]],
        ),
        (
            "with gone; restart #1 0",
            expect![[r#"
                start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v)
                reply(r2 invalid: The deployment of the invocation '#1' is gone, name another one to restart it there.)
            "#]],
        ),
    ] {
        check(&format!("{done}\n{restart}"), expected);
    }
}

#[test]
fn a_shared_workflow_handler_cannot_be_restarted_either() {
    check(
        "send W/k/s #1; #1 out(v) end; restart #1 0",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 unsupported: Restarting the invocation '#1' is not supported. Restarting workflows is not supported: purge the run to run it again.)
        "#]],
    );
}
