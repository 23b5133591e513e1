//! What is kept of completed invocations, and for how long.

use expect_test::expect;

use super::check;

#[test]
fn expiry_is_exact_when_read() {
    check(
        "send S/h #1; #1 out(v) end
         pass 59999; output #1
         pass 1; output #1; show #1
         refire",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v)
            reply(r2 #1 v until @60000)
            reply(r3 not found #1) #1 unknown
            -
        "#]],
    );
}

#[test]
fn the_timer_cleans_up() {
    check(
        "send S/h #1; resolve #1.17 a; #1 out(v) end\ntick 60000; show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0) end(#1/1) completed(#1 v)
        #1 unknown
    "#]],
    );
}

#[test]
fn a_key_is_free_again_after_its_retention() {
    check(
        "invoke S/h #1 ik=x; #1 out(v) end
         pass 60000; invoke S/h #1 ik=x; refire
         #1 out(w) end",
        expect![[r#"
            start(#1/1 v7 [Input] key x) park(r1 #1) end(#1/1) completed(#1 v)
            start(#1/1 v7 [Input] key x) park(r2 #1)
            end(#1/1) completed(#1 w)
        "#]],
    );
}

#[test]
fn a_workflow_runs_again_after_its_retention() {
    check(
        "send W/k/run #1; #1 set(a,1) fulfil(1,p,v) out(v) end
         pass 89999; invoke W/k/run #1; state W/k
         pass 1; invoke W/k/run #1; state W/k",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CompletePromise!1) end(#1/1) completed(#1 v)
            reply(r2 already invoked #1) {a=1}
            start(#1/1 v7 [Input]) park(r3 #1) {}
        "#]],
    );
}

#[test]
fn a_purge_frees_everything_at_once() {
    check(
        "send W/k/run #1; #1 set(a,1); purge #1
         #1 out(v) end; purge #1; purge #1
         state W/k; send W/k/run #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 conflict: The invocation '#1' is not yet completed.)
            end(#1/1) completed(#1 v) reply(r3 done) reply(r4 not found #1)
            {} start(#1/1 v7 [Input]) reply(r5 accepted #1)
        "#]],
    );
}

#[test]
fn the_result_outlives_the_journal() {
    check(
        "with journal=1000; send S/h #1; #1 run(1) propose!(1,v) out(v) end; show #1
         tick 1000; show #1; output #1
         tick 59000; output #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1) end(#1/1) completed(#1 v) #1 Completed [Input Run Run!1=v Output] pinned v7
            #1 Completed [] pinned v7 reply(r2 #1 v until @60000)
            reply(r3 not found #1)
        "#]],
    );
}

#[test]
fn without_journal_retention_only_the_result_is_kept() {
    check(
        "with journal=0; send S/h #1; #1 out(v) end; show #1; output #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) #1 Completed [] pinned v7 reply(r2 #1 v until @60000)
    "#]],
    );
}

#[test]
fn a_failure_is_readable_after_the_journal() {
    check(
        "with journal=10; send S/h #1; kill #1\ntick 10; output #1; show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) abort(#1/1) completed(#1 409:killed) reply(r2 done)
        reply(r3 #1 409:killed until @60000) #1 Completed []
    "#]],
    );
}

#[test]
fn without_retention_nothing_is_kept() {
    check(
        "with idempotency=0; invoke S/h #1; #1 run(1) out(v) end; output #1
         refire; resolve #1.17 a",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 v) reply(r2 not found #1)
            reply(r3 unknown)
        "#]],
    );
}

#[test]
fn what_was_answered_is_kept_for_its_receipts() {
    check(
        "with idempotency=0; invoke S/h #1; resolve #1.17 a; #1 out(v) end
         resolve #1.17 a; resolve #1.17 b; resolve #1.18 a; show #1
         tick 86400000; resolve #1.17 a",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) forward(#1/1 s17=a) reply(r2 completed resolve @0) end(#1/1) completed(#1 v)
            reply(r3 replayed resolve @0) reply(r4 conflict resolve @0) reply(r5 gone @0) #1 Completed [] pinned v7
            reply(r6 unknown)
        "#]],
    );
    check(
        "with idempotency=0; invoke S/h #1; #1 suspend(s17,s1); kill #1
         resolve #1.17 a",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 409:killed) reply(r2 done)
            reply(r3 gone @0)
        "#]],
    );
}

#[test]
fn a_name_is_free_again_at_once_without_retention() {
    check(
        "with idempotency=0 workflow=0; send S/h #1 ik=x; resolve #1.17 a; #1 out(v) end
         send S/h #1 ik=x; send W/k/run #2; resolve #2.17 a; #2 out(v) end
         send W/k/run #2",
        expect![[r#"
            start(#1/1 v7 [Input] key x) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0) end(#1/1) completed(#1 v)
            start(#1/1 v7 [Input] key x) reply(r3 accepted #1) start(#2/1 v7 [Input]) reply(r4 accepted #2) forward(#2/1 s17=a) reply(r5 completed resolve @0) end(#2/1) completed(#2 v)
            start(#2/1 v7 [Input]) reply(r6 accepted #2)
        "#]],
    );
}

#[test]
fn what_never_started_leaves_no_trace() {
    check(
        "send S/h #1 at=+100; resolve #1.17 a; cancel #1; show #1; resolve #1.17 a
         send O/k/x #2; send O/k/x #3; resolve #3.17 a; kill #3; show #3",
        expect![[r#"
            reply(r1 accepted #1 @100) reply(r2 completed resolve @0) completed(#1 409:canceled) reply(r3 done) #1 unknown reply(r4 unknown)
            start(#2/1 v7 [Input]) reply(r5 accepted #2) reply(r6 accepted #3) reply(r7 completed resolve @0) completed(#3 409:killed) reply(r8 done) #3 unknown
        "#]],
    );
}

#[test]
fn a_called_handler_is_kept_only_with_an_idempotency_key() {
    check(
        "send S/h #1; #1 call(1,2,T/h) call(3,4,T/h,ik=x)
         #a out(v) end; #b out(v) end
         output #a; output #b",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!3=#b) start(#a/1 v7 [Input]) start(#b/1 v7 [Input] key x)
            end(#a/1) completed(#a v) forward(#1/1 Call!2=v) end(#b/1) completed(#b v) forward(#1/1 Call!4=v)
            reply(r2 not found #a) reply(r3 #b v until @60000)
        "#]],
    );
}

#[test]
fn a_late_purge_of_an_earlier_incarnation_does_nothing() {
    check(
        "with journal=500; send S/h #1 ik=x; #1 out(v) end; purge #1
         send S/h #1 ik=x; #1 run(1) out(w) end
         pass 500; refire; output #1",
        expect![[r#"
            start(#1/1 v7 [Input] key x) reply(r1 accepted #1) end(#1/1) completed(#1 v) reply(r2 done)
            start(#1/1 v7 [Input] key x) reply(r3 accepted #1) end(#1/1) completed(#1 w)
            reply(r4 #1 w until @60000)
        "#]],
    );
}

#[test]
fn a_purge_of_the_journal_keeps_result_and_receipts() {
    check(
        "with journal=1000; send S/h #1; resolve #1.17 a; #1 run(1) propose!(1,v) out(v) end
         purge-journal #1; show #1; output #1
         purge-journal #1; resolve #1.17 a; resolve #1.18 a
         tick 1000; refire; output #1
         purge #1; show #1; purge-journal #1
         send S/h #2; kill #2; purge-journal #2; output #2",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0) ack(#1/1 1) end(#1/1) completed(#1 v)
            reply(r3 done) #1 Completed [] pinned v7 reply(r4 #1 v until @60000)
            reply(r5 done) reply(r6 replayed resolve @0) reply(r7 gone @0)
            reply(r8 #1 v until @60000)
            reply(r9 done) #1 unknown reply(r10 not found #1)
            start(#2/1 v7 [Input]) reply(r11 accepted #2) abort(#2/1) completed(#2 409:killed) reply(r12 done) reply(r13 done) reply(r14 #2 409:killed until @61000)
        "#]],
    );
}
