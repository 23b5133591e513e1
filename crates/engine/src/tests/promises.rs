//! Durable promises of workflows.

use expect_test::expect;

use super::check;

#[test]
fn get_waits_peek_does_not() {
    check(
        "send W/k/run #1; #1 promise(1,p) peek(2,p) suspend(1,s1)
         send W/k/s #2; #2 fulfil(1,p,v)
         #2 promise(2,p) peek(3,p) fulfil(4,p,w)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 PeekPromise!2) end(#1/1)
            start(#2/1 v7 [Input]) reply(r2 accepted #2) forward(#2/1 CompletePromise!1) start(#1/2 v7 [Input GetPromise PeekPromise PeekPromise!2 GetPromise!1=v])
            forward(#2/1 GetPromise!2=v) forward(#2/1 PeekPromise!3=v) forward(#2/1 CompletePromise!4=409:promise was already completed)
        "#]],
    );
}

#[test]
fn a_rejected_promise() {
    check(
        "send W/k/run #1; #1 fulfil(1,p,!500:no) peek(2,p) promise(3,p)
         #1 fulfil(4,p,!500:no)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CompletePromise!1) forward(#1/1 PeekPromise!2=500:no) forward(#1/1 GetPromise!3=500:no)
            forward(#1/1 CompletePromise!4=409:promise was already completed)
        "#]],
    );
}

#[test]
fn a_promise_completed_before_the_run() {
    check(
        "send W/k/s #2; #2 fulfil(1,p,v) out(x) end
         send W/k/run #1; #1 promise(1,p)",
        expect![[r#"
            start(#2/1 v7 [Input]) reply(r1 accepted #2) forward(#2/1 CompletePromise!1) end(#2/1) completed(#2 x)
            start(#1/1 v7 [Input]) reply(r2 accepted #1) forward(#1/1 GetPromise!1=v)
        "#]],
    );
}

#[test]
fn promises_after_the_run() {
    check(
        "send W/k/run #1; #1 fulfil(1,p,v) out(x) end
         send W/k/s #2; #2 promise(1,p) fulfil(2,p,w) fulfil(3,q,z) peek(4,q)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CompletePromise!1) end(#1/1) completed(#1 x)
            start(#2/1 v7 [Input]) reply(r2 accepted #2) forward(#2/1 GetPromise!1=v) forward(#2/1 CompletePromise!2=409:promise was already completed) forward(#2/1 CompletePromise!3) forward(#2/1 PeekPromise!4=z)
        "#]],
    );
}

#[test]
fn every_waiter_is_told() {
    check(
        "send W/k/run #1; send W/k/s #2; send W/k/s #3; send W/k2/s #4
         #1 promise(1,p) suspend(1,s1); #2 promise(5,p); #3 promise(7,p) error(500,x); #4 promise(1,p)
         send W/k/s #5; #5 fulfil(1,p,v)
         tick 200",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) start(#3/1 v7 [Input]) reply(r3 accepted #3) start(#4/1 v7 [Input]) reply(r4 accepted #4)
            end(#1/1) end(#3/1) retry(#3/1 @109)
            start(#5/1 v7 [Input]) reply(r5 accepted #5) forward(#5/1 CompletePromise!1) forward(#2/1 GetPromise!5=v) start(#1/2 v7 [Input GetPromise GetPromise!1=v])
            start(#3/2 v7 [Input GetPromise GetPromise!7=v])
        "#]],
    );
}

#[test]
fn a_waiter_that_ended_is_not_told() {
    check(
        "send W/k/run #1; send W/k/s #2; #2 promise(1,p); kill #2
         #1 fulfil(1,p,v)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) abort(#2/1) completed(#2 409:killed) reply(r3 done)
            forward(#1/1 CompletePromise!1)
        "#]],
    );
}

#[test]
fn a_waiter_survives_the_kill_of_the_run() {
    check(
        "send W/k/run #1; send W/k/s #2; #2 promise(1,p) suspend(1,s1); kill #1
         send W/k/s #3; #3 fulfil(1,p,v)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#2/1) abort(#1/1) completed(#1 409:killed) reply(r3 done)
            start(#3/1 v7 [Input]) reply(r4 accepted #3) forward(#3/1 CompletePromise!1) start(#2/2 v7 [Input GetPromise GetPromise!1=v])
        "#]],
    );
}

#[test]
fn promises_and_state_vanish_with_the_retention_of_the_run() {
    check(
        "with workflow=1000; send W/k/run #1; #1 fulfil(1,p,v) set(a,1) out(x) end
         pass 999; send W/k/s #2; #2 peek(1,p) get(2,a)
         pass 1; #2 peek(3,p) get(4,a) keys(5); state W/k
         send W/k/s #3; #3 peek(1,p)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CompletePromise!1) end(#1/1) completed(#1 x)
            start(#2/1 v7 [Input] a=1) reply(r2 accepted #2) forward(#2/1 PeekPromise!1=v) forward(#2/1 GetLazyState!2=1)
            forward(#2/1 PeekPromise!3) forward(#2/1 GetLazyState!4) forward(#2/1 GetLazyStateKeys!5={}) {}
            start(#3/1 v7 [Input]) reply(r3 accepted #3) forward(#3/1 PeekPromise!1)
        "#]],
    );
}

#[test]
fn lazy_state_of_an_expired_run_is_not_read() {
    check(
        "with workflow=1000; send W/k/run #1; #1 set(a,1) out(x) end; send W/k/s #2
         pass 1000; #2 get(1,a)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 x) start(#2/1 v7 [Input] a=1) reply(r2 accepted #2)
            forward(#2/1 GetLazyState!1)
        "#]],
    );
    check(
        "with workflow=1000; send W/k/run #1; #1 set(a,1) out(x) end; send W/k/s #2
         pass 1000; #2 keys(1)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 x) start(#2/1 v7 [Input] a=1) reply(r2 accepted #2)
            forward(#2/1 GetLazyStateKeys!1={})
        "#]],
    );
    check(
        "with workflow=1000; send W/k/run #1; #1 set(a,1) out(x) end; send W/k/s #2
         #2 error(500,no); pass 1000; tick 0",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 x) start(#2/1 v7 [Input] a=1) reply(r2 accepted #2)
            end(#2/1) retry(#2/1 @106) start(#2/2 v7 [Input] retries 1 over 1000)
        "#]],
    );
}

#[test]
fn a_waiter_of_an_expired_promise_is_told_by_the_next_one() {
    check(
        "with workflow=1000; send W/k/run #1; #1 out(x) end; send W/k/s #2; #2 promise(1,p)
         tick 1000
         send W/k/s #3; #3 fulfil(1,p,v)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 x) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            -
            start(#3/1 v7 [Input]) reply(r3 accepted #3) forward(#3/1 CompletePromise!1) forward(#2/1 GetPromise!1=v)
        "#]],
    );
}

#[test]
fn a_run_that_never_started_keeps_the_promises_of_its_key() {
    check(
        "send W/k/s #2; #2 fulfil(1,p,v); send W/k/run #1 at=+1000
         cancel #1; #2 peek(2,p)",
        expect![[r#"
            start(#2/1 v7 [Input]) reply(r1 accepted #2) forward(#2/1 CompletePromise!1) reply(r2 accepted #1 @1000)
            completed(#1 409:canceled) reply(r3 done) forward(#2/1 PeekPromise!2=v)
        "#]],
    );
}

#[test]
fn promises_exist_in_workflows_only() {
    check(
        "send S/h #1\n#1 promise(1,p)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send O/k/x #1\n#1 peek(1,p)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @113)
    "#]],
    );
    check(
        "send O/k/s #1\n#1 fulfil(1,p,v)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @113)
    "#]],
    );
}

#[test]
fn an_administrator_completes_a_promise_by_its_key_before_during_and_after_the_run() {
    check(
        "decide W/k early v; decide W/k early v; decide W/k early !500:no
         send W/k/run #1; #1 promise(1,early) promise(2,p) suspend(2,s2)
         decide W/k p !500:no; #1 out(x) end
         decide W/k late w; send W/k/s #2; #2 peek(1,late)",
        expect![[r#"
            reply(r1 completed resolve @0) reply(r2 replayed resolve @0) reply(r3 conflict resolve @0)
            start(#1/1 v7 [Input]) reply(r4 accepted #1) forward(#1/1 GetPromise!1=v) end(#1/1)
            reply(r5 completed reject @0) start(#1/2 v7 [Input GetPromise GetPromise!1=v GetPromise GetPromise!2=500:no]) end(#1/2) completed(#1 x)
            reply(r6 completed resolve @0) start(#2/1 v7 [Input]) reply(r7 accepted #2) forward(#2/1 PeekPromise!1=w)
        "#]],
    );
}

#[test]
fn promises_of_scopes_and_keys_are_apart_when_an_administrator_completes_them() {
    check(
        "decide t@W/k p a; decide W/k p b; decide W/k2 p c
         send t@W/k/s #1; send W/k/s #2; send W/k2/s #3
         #1 peek(1,p); #2 peek(1,p); #3 peek(1,p)",
        expect![[r#"
            reply(r1 completed resolve @0) reply(r2 completed resolve @0) reply(r3 completed resolve @0)
            start(#1/1 v7 [Input] scope t) reply(r4 accepted #1) start(#2/1 v7 [Input]) reply(r5 accepted #2) start(#3/1 v7 [Input]) reply(r6 accepted #3)
            forward(#1/1 PeekPromise!1=a) forward(#2/1 PeekPromise!1=b) forward(#3/1 PeekPromise!1=c)
        "#]],
    );
}

#[test]
fn a_run_whose_retention_is_over_leaves_no_promise_to_an_administrator() {
    check(
        "send W/k/run #1; #1 fulfil(1,p,v) out(x) end
         decide W/k p w; pass 90000; decide W/k p w; send W/k/s #2; #2 peek(1,p)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CompletePromise!1) end(#1/1) completed(#1 x)
            reply(r2 conflict resolve @0) reply(r3 completed resolve @90000) start(#2/1 v7 [Input]) reply(r4 accepted #2) forward(#2/1 PeekPromise!1=w)
        "#]],
    );
}
