//! One exclusive invocation per object key, the others in order.

use expect_test::expect;

use super::check;

#[test]
fn exclusive_invocations_run_in_order() {
    check(
        "send O/k/x #1; send O/k/x #2; send O/k/x #3; send O/k2/x #4; send O/k/s #5
         #1 out(a) end
         #2 out(b) end
         #3 out(c) end; send O/k/x #6",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) reply(r3 accepted #3) start(#4/1 v7 [Input]) reply(r4 accepted #4) start(#5/1 v7 [Input]) reply(r5 accepted #5)
            end(#1/1) completed(#1 a) start(#2/1 v7 [Input])
            end(#2/1) completed(#2 b) start(#3/1 v7 [Input])
            end(#3/1) completed(#3 c) start(#6/1 v7 [Input]) reply(r6 accepted #6)
        "#]],
    );
}

#[test]
fn the_lock_is_kept_while_the_holder_waits() {
    check(
        "with max=1; send O/k/x #1; send O/k/x #2
         #1 suspend(s17,s1)
         resume #1; #1 error(500,no); show #1; show #2
         resume #1; #1 out(a) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2)
            end(#1/1)
            start(#1/2 v7 [Input]) reply(r3 done) end(#1/2) #1 Paused [Input] wait(awakeable 17 @0 attempt 1) failure(500 RT0007 no) #2 Queued [Input]
            start(#1/3 v7 [Input]) reply(r4 done) end(#1/3) completed(#1 a) start(#2/1 v7 [Input])
        "#]],
    );
}

#[test]
fn killing_the_holder_starts_the_next() {
    check(
        "send O/k/x #1; send O/k/x #2; #1 error(500,no)\nkill #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) end(#1/1) retry(#1/1 @113)
        completed(#1 409:killed) start(#2/1 v7 [Input]) reply(r3 done)
    "#]],
    );
    check(
        "with max=1; send O/k/x #1; send O/k/x #2; #1 error(500,no)\nkill #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) end(#1/1)
        completed(#1 409:killed) start(#2/1 v7 [Input]) reply(r3 done)
    "#]],
    );
    check(
        "send O/k/x #1; send O/k/x #2; #1 suspend(s17,s1)\nkill #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) end(#1/1)
        completed(#1 409:killed) start(#2/1 v7 [Input]) reply(r3 done)
    "#]],
    );
}

#[test]
fn a_queued_invocation_that_is_cancelled_or_killed_leaves_the_queue() {
    check(
        "send O/k/x #1; invoke O/k/x #2; invoke O/k/x #3; send O/k/x #4
         cancel #2; kill #3
         output #2; #1 out(a) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) park(r2 #2) park(r3 #3) reply(r4 accepted #4)
            completed(#2 409:canceled) reply(r5 done) completed(#3 409:killed) reply(r6 done)
            reply(r7 not found #2) end(#1/1) completed(#1 a) start(#4/1 v7 [Input])
        "#]],
    );
}

#[test]
fn the_head_of_the_queue_may_leave_before_the_holder_ends() {
    check(
        "send O/k/x #1; send O/k/x #2; cancel #2; send O/k/x #3
         #1 out(a) end
         send O/k/x #4; #3 out(b) end; cancel #4; send O/k/x #5",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) completed(#2 409:canceled) reply(r3 done) reply(r4 accepted #3)
            end(#1/1) completed(#1 a) start(#3/1 v7 [Input])
            reply(r5 accepted #4) end(#3/1) completed(#3 b) start(#4/1 v7 [Input]) forward(#4/1 cancel) reply(r6 accept) reply(r7 accepted #5)
        "#]],
    );
}

#[test]
fn a_call_to_its_own_key_waits_and_a_shared_one_does_not() {
    check(
        "send O/k/x #1; #1 call(1,2,O/k/s) call(3,4,O/k/x); show #1
         cancel #b
         #a out(ok) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!3=#b) start(#a/1 v7 [Input]) #1 Running [Input Call CallInvocationId!1=#a Call CallInvocationId!3=#b] pinned v7
            completed(#b 409:canceled) reply(r2 done) forward(#1/1 Call!4=409:canceled)
            end(#a/1) completed(#a ok) forward(#1/1 Call!2=ok)
        "#]],
    );
}

#[test]
fn the_next_in_the_queue_whose_handler_is_gone_backs_off_with_the_lock() {
    check(
        "send O/k/x #1; send O/k/x #2; with without=O
         #1 out(a) end; show #2
         with all; tick 1000",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2)
            end(#1/1) completed(#1 a) end(#2/1) retry(#2/1 @533) #2 BackingOff [Input] failure(404 RT0018 the handler O/x is not registered, register its deployment)
            start(#2/2 v7 [Input] retries 1 over 533)
        "#]],
    );
}

#[test]
fn an_expired_instance_does_not_disturb_a_lock() {
    check(
        "with idempotency=10; send O/k/x #1; #1 out(a) end
         send O/k/x #2; tick 10; send O/k/x #3; #2 out(b) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 a)
            start(#2/1 v7 [Input]) reply(r2 accepted #2) reply(r3 accepted #3) end(#2/1) completed(#2 b) start(#3/1 v7 [Input])
        "#]],
    );
}
