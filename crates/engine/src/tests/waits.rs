//! The wait table, and the answers of administrators.

use expect_test::expect;

use super::check;

#[test]
fn every_kind_of_wait_is_listed() {
    check(
        "send W/k/run #1; #1 run(9) propose!(9,v) sleep(1,+5000) promise(2,p) call(3,4,O/k/x)
         tick 7; #1 suspend(race(s1,'go,s17,all(1,2,4,9))); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 9) forward(#1/1 CallInvocationId!3=#a) start(#a/1 v7 [Input])
            end(#1/1) #1 Suspended [Input Run Run!9=v Sleep GetPromise Call CallInvocationId!3=#a] wait(awakeable 17 @7 attempt 1) wait(signal go @7 attempt 1) wait(timer 1 @7 attempt 1) wait(promise p @7 attempt 1) wait(call 4 @7 attempt 1) pinned v7
        "#]],
    );
}

#[test]
fn a_wait_keeps_its_age_over_attempts() {
    check(
        "send S/h #1; #1 sleep(1,+100) suspend(1,s17,s1); show #1
         tick 100; tick 5; #1 suspend(s17,s18,s1); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) #1 Suspended [Input Sleep] wait(timer 1 @0 attempt 1) wait(awakeable 17 @0 attempt 1) pinned v7
            start(#1/2 v7 [Input Sleep Sleep!1]) end(#1/2) #1 Suspended [Input Sleep Sleep!1] wait(awakeable 17 @0 attempt 1) wait(awakeable 18 @105 attempt 2) pinned v7
        "#]],
    );
}

#[test]
fn a_wait_that_occurs_twice_is_listed_once() {
    check(
        "send S/h #1; #1 suspend(race(s1,s17,all(s17,'go,race('go,s18)))); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) #1 Suspended [Input] wait(awakeable 17 @0 attempt 1) wait(signal go @0 attempt 1) wait(awakeable 18 @0 attempt 1)
        "#]],
    );
}

#[test]
fn a_resume_keeps_the_age_of_what_is_still_awaited() {
    check(
        "send S/h #1; #1 suspend('go,s17,s1); tick 5; resume #1
         admin #1 go a; admin #1 go b
         #1 suspend('go,s17,s1); show #1
         #1/1 run(1); kill #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) start(#1/2 v7 [Input]) reply(r2 done)
            forward(#1/2 'go=a) reply(r3 completed resolve @5) reply(r4 unknown)
            end(#1/2) start(#1/3 v7 [Input 'go=a]) #1 Running [Input 'go=a] wait(awakeable 17 @0 attempt 1)
            abort(#1/3) completed(#1 409:killed) reply(r5 done)
        "#]],
    );
}

#[test]
fn what_is_settled_is_not_listed_any_more() {
    check(
        "send S/h #1; #1 suspend(race(s1,all(s17,s18,'go))); resolve #1.17 v; show #1
         admin #1 go x; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 completed resolve @0) #1 Suspended [Input s17=v] wait(awakeable 18 @0 attempt 1) wait(signal go @0 attempt 1)
            reply(r3 completed resolve @0) #1 Suspended [Input s17=v 'go=x] wait(awakeable 18 @0 attempt 1)
        "#]],
    );
}

#[test]
fn an_administrator_completes_an_awakeable() {
    check(
        "send S/h #1; #1 suspend(s17,s1); admin #1 17 v
         admin #1 17 v; admin #1 17 w; admin #1 16 v; admin #1 1 v
         #1 out(x) end; admin #1 18 v",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) start(#1/2 v7 [Input s17=v]) reply(r2 completed resolve @0)
            reply(r3 replayed resolve @0) reply(r4 conflict resolve @0) reply(r5 unknown) reply(r6 unknown)
            end(#1/2) completed(#1 x) reply(r7 gone @0)
        "#]],
    );
}

#[test]
fn an_administrator_completes_a_promise() {
    check(
        "send W/k/run #1; #1 promise(1,p) suspend(1,s1); tick 5; admin #1 p v
         admin #1 p v; admin #1 p w; admin #1 q v
         #1 out(x) end; admin #1 p v",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 completed resolve @5) start(#1/2 v7 [Input GetPromise GetPromise!1=v])
            reply(r3 replayed resolve @5) reply(r4 conflict resolve @5) reply(r5 unknown)
            end(#1/2) completed(#1 x) reply(r6 gone @5)
        "#]],
    );
    check(
        "send W/k/run #1; #1 promise(1,p) suspend(1,s1); admin #1 p !500:no
         admin #1 p v; send W/k/s #2; #2 peek(1,p)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 completed reject @0) start(#1/2 v7 [Input GetPromise GetPromise!1=500:no])
            reply(r3 conflict reject @0) start(#2/1 v7 [Input]) reply(r4 accepted #2) forward(#2/1 PeekPromise!1=500:no)
        "#]],
    );
}

#[test]
fn an_administrator_completes_a_promise_whose_run_has_expired() {
    check(
        "with workflow=1000; send W/k/run #1; #1 promise(1,q) fulfil(2,p,old) out(x) end
         send W/k/s #2; #2 promise(1,q) suspend(1,s1); send W/k/s #3; pass 1000
         admin #3 p new; admin #2 q v",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CompletePromise!2) end(#1/1) completed(#1 x)
            start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#2/1) start(#3/1 v7 [Input]) reply(r3 accepted #3)
            reply(r4 unknown) reply(r5 completed resolve @1000) start(#2/2 v7 [Input GetPromise GetPromise!1=v])
        "#]],
    );
}

#[test]
fn an_administrator_completes_a_named_signal() {
    check(
        "send S/h #1; #1 suspend('go,s1); admin #1 stop v
         admin #1 go v
         #1 suspend('go,s1); admin #1 go !500:no",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 unknown)
            start(#1/2 v7 [Input 'go=v]) reply(r3 completed resolve @0)
            end(#1/2) start(#1/3 v7 [Input 'go=v 'go=500:no]) reply(r4 completed reject @0)
        "#]],
    );
}

#[test]
fn a_value_that_no_attempt_has_consumed_can_be_replaced() {
    check(
        "with max=1; send S/h #1; #1 error(500,no); resolve #1.17 bad
         replace #1 17 good; describe #1.17; resolve #1.17 good; resolve #1.17 bad
         resume #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 completed resolve @0)
            reply(r3 completed resolve @0) reply(r4 completed resolve @0) reply(r5 replayed resolve @0) reply(r6 conflict resolve @0)
            start(#1/2 v7 [Input s17=good]) reply(r7 done)
        "#]],
    );
}

#[test]
fn a_value_that_an_attempt_has_consumed_cannot_be_replaced() {
    check(
        "send S/h #1; resolve #1.17 a\nreplace #1 17 b",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0)
        reply(r3 conflict: an attempt of '#1' has already consumed awakeable 17)
    "#]],
    );
    check(
        "with rr; send S/h #1; resolve #1.17 a\nreplace #1 17 b\n#1 suspend(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 completed resolve @0)
        reply(r3 completed resolve @0)
        end(#1/1) start(#1/2 v7 [Input s17=b])
    "#]],
    );
    check(
        "send S/h #1; #1 suspend(s17,s1); resolve #1.17 a\nreplace #1 17 b",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) start(#1/2 v7 [Input s17=a]) reply(r2 completed resolve @0)
        reply(r3 conflict: an attempt of '#1' has already consumed awakeable 17)
    "#]],
    );
    check(
        "send S/h #1; resolve #1.17 a; failed #1 x\nreplace #1 17 b",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0) end(#1/1) retry(#1/1 @104)
        reply(r3 conflict: an attempt of '#1' has already consumed awakeable 17)
    "#]],
    );
}

#[test]
fn what_cannot_be_replaced_at_all() {
    check(
        "send S/h #1; #1 suspend(race(s1,'go,s17)); replace #1 17 v
         replace #1 go v
         kill #1; replace #1 17 v",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 conflict: awakeable 17 of '#1' is still open, resolve or reject it)
            reply(r3 conflict: only the value of an awakeable can be replaced, name it by its index)
            completed(#1 409:killed) reply(r4 done) reply(r5 conflict: awakeable 17 of '#1' is still open, resolve or reject it)
        "#]],
    );
}

#[test]
fn a_replaced_verb_may_wake() {
    check(
        "send S/h #1; #1 suspend(race(s1,allok(s17,s18))); resolve #1.17 a
         replace #1 17 b
         replace #1 17 !500:no",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 completed resolve @0)
            reply(r3 completed resolve @0)
            start(#1/2 v7 [Input s17=500:no]) reply(r4 completed reject @0)
        "#]],
    );
}

#[test]
fn a_long_list_of_waits_is_cut() {
    let leaves: Vec<_> = (17..300).map(|index| format!("s{index}")).collect();
    let mut world = super::World::new();
    for statement in ["send S/h #1", &format!("#1 suspend(s1,{})", leaves.join(","))] {
        super::script::statement(&mut world, statement);
    }
    let record = world.record(world.id("#1")).expect("a record");
    assert_eq!(record.waits.len(), crate::wait::WAITS_LISTED_MAX);
    world.output.clear();
    super::script::statement(&mut world, "resolve #1.299 v");
    assert!(world.output[0].starts_with("start(#1/2"), "{:?}", world.output);
}
