//! When a suspended invocation goes on.

use expect_test::expect;

use super::check;

#[test]
fn news_since_the_replay_wakes_at_once() {
    check(
        "with rr; send S/h #1; resolve #1.17 v\n#1 suspend(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 completed resolve @0)
        end(#1/1) start(#1/2 v7 [Input s17=v])
    "#]],
    );
}

#[test]
fn a_swallowed_cancel_does_not_make_a_hot_loop() {
    check(
        "with rr; send S/h #1; #1 suspend(s17,s1); cancel #1
         #1 suspend(s17,s1); show #1
         cancel #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) start(#1/2 v7 [Input cancel]) reply(r2 accept)
            end(#1/2) #1 Suspended [Input cancel] wait(awakeable 17 @0 attempt 1)
            start(#1/3 v7 [Input cancel cancel]) reply(r3 accept)
        "#]],
    );
}

#[test]
fn a_consumed_named_signal_does_not_make_a_hot_loop() {
    check(
        "with rr v6; send S/h #1; send S/h #2; #2 signal(#1,go,a)
         #1 flat(s1,'go)
         #1 flat(s1,'go); show #1
         tick 1; send S/h #3; #3 signal(#1,go,b)",
        expect![[r#"
            start(#1/1 v6 [Input]) reply(r1 accepted #1) start(#2/1 v6 [Input]) reply(r2 accepted #2)
            end(#1/1) start(#1/2 v6 [Input 'go=a])
            end(#1/2) #1 Suspended [Input 'go=a] wait(signal go @0 attempt 2)
            start(#3/1 v6 [Input]) reply(r3 accepted #3) start(#1/3 v6 [Input 'go=a 'go=b])
        "#]],
    );
}

#[test]
fn what_was_forwarded_before_the_close_counts_as_read() {
    check(
        "send S/h #1; cancel #1
         idle #1; #1 suspend(s17,s1); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 cancel) reply(r2 accept)
            close(#1/1) end(#1/1) #1 Suspended [Input cancel] wait(awakeable 17 @0 attempt 1)
        "#]],
    );
}

#[test]
fn a_named_signal_that_was_forwarded_before_the_close_counts_as_read() {
    check(
        "send S/h #1; send S/h #2; #2 signal(#1,go,a)
         #1 awaiting('go,s1)
         #1 suspend('go,s1); show #1
         #2 signal(#1,go,b)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) forward(#1/1 'go=a)
            close(#1/1)
            end(#1/1) #1 Suspended [Input 'go=a] wait(signal go @0 attempt 1)
            start(#1/2 v7 [Input 'go=a 'go=b])
        "#]],
    );
}

#[test]
fn an_answer_between_the_close_and_the_suspension_is_news() {
    check(
        "send S/h #1; #1 awaiting(s17,s1)
         resolve #1.17 v
         #1 suspend(s17,s1)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1)
            reply(r2 completed resolve @0)
            end(#1/1) start(#1/2 v7 [Input s17=v])
        "#]],
    );
}

#[test]
fn what_came_after_the_close_is_news() {
    check(
        "send S/h #1; idle #1\ncancel #1\n#1 suspend(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1)
        reply(r2 accept)
        end(#1/1) start(#1/2 v7 [Input cancel])
    "#]],
    );
}

#[test]
fn news_that_is_not_awaited_does_not_wake() {
    check(
        "send S/h #1; #1 suspend(s17,s1)
         resolve #1.18 early; show #1
         resolve #1.17 v",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
            reply(r2 completed resolve @0) #1 Suspended [Input s18=early] wait(awakeable 17 @0 attempt 1)
            start(#1/2 v7 [Input s18=early s17=v]) reply(r3 completed resolve @0)
        "#]],
    );
}

#[test]
fn a_flat_suspension_wakes_on_any_item() {
    check(
        "with v5; send S/h #1; #1 sleep(1,+100) flat(1,s1,s17,'go)\ntick 100",
        expect![[r#"
        start(#1/1 v5 [Input]) reply(r1 accepted #1) end(#1/1)
        start(#1/2 v5 [Input Sleep Sleep!1])
    "#]],
    );
    check(
        "with v6; send S/h #1; #1 flat(s1,s17,s18)\nresolve #1.18 v",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1) end(#1/1)
        start(#1/2 v6 [Input s18=v]) reply(r2 completed resolve @0)
    "#]],
    );
}

#[test]
fn an_empty_suspension_goes_on_at_once() {
    check(
        "with v6; send S/h #1\n#1 flat()",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1)
        end(#1/1) start(#1/2 v6 [Input])
    "#]],
    );
    check(
        "send S/h #1\n#1 suspend(all(race()))",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        end(#1/1) start(#1/2 v7 [Input])
    "#]],
    );
}

#[test]
fn all_wakes_when_the_last_one_is_there() {
    check(
        "send S/h #1; #1 suspend(race(s1,all(s17,s18)))
         resolve #1.17 a; show #1
         tick 10; resolve #1.18 b",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
            reply(r2 completed resolve @0) #1 Suspended [Input s17=a] wait(awakeable 18 @0 attempt 1)
            start(#1/2 v7 [Input s17=a s18=b]) reply(r3 completed resolve @10)
        "#]],
    );
}

#[test]
fn all_may_be_half_done_when_the_suspension_arrives() {
    check(
        "with rr; send S/h #1; resolve #1.17 a
         #1 suspend(race(s1,all(s17,s18))); show #1
         resolve #1.18 b",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 completed resolve @0)
            end(#1/1) #1 Suspended [Input s17=a] wait(awakeable 18 @0 attempt 1)
            start(#1/2 v7 [Input s17=a s18=b]) reply(r3 completed resolve @0)
        "#]],
    );
}

#[test]
fn any_waits_for_a_success() {
    check(
        "send S/h #1; #1 suspend(race(s1,any(s17,s18)))
         reject #1.17 no
         resolve #1.18 yes",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
            reply(r2 completed reject @0)
            start(#1/2 v7 [Input s17=500:no s18=yes]) reply(r3 completed resolve @0)
        "#]],
    );
    check(
        "send S/h #1; #1 suspend(race(s1,any(s17,s18)))
         reject #1.17 no
         reject #1.18 no",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
            reply(r2 completed reject @0)
            start(#1/2 v7 [Input s17=500:no s18=500:no]) reply(r3 completed reject @0)
        "#]],
    );
}

#[test]
fn a_failure_ends_an_all_that_must_succeed() {
    check(
        "send S/h #1; #1 suspend(race(s1,allok(s17,s18)))\nreject #1.18 no",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
        start(#1/2 v7 [Input s18=500:no]) reply(r2 completed reject @0)
    "#]],
    );
}

#[test]
fn user_code_behind_a_map_runs_while_the_root_is_pending() {
    check(
        "send S/h #1; #1 suspend(race(s1,all(s17,unk(s18))))\nresolve #1.18 v",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
        start(#1/2 v7 [Input s18=v]) reply(r2 completed resolve @0)
    "#]],
    );
}

#[test]
fn a_cancel_wakes_even_when_the_tree_does_not_list_it() {
    check(
        "send S/h #1; #1 suspend(s17)\ncancel #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
            start(#1/2 v7 [Input cancel]) reply(r2 accept)
        "#]],
    );
    check(
        "with rr; send S/h #1; cancel #1\n#1 suspend(s17)\n#1 suspend(s17)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept)
            end(#1/1) start(#1/2 v7 [Input cancel])
            end(#1/2)
        "#]],
    );
}

#[test]
fn a_suspension_ends_the_count_of_failed_attempts() {
    check(
        "send S/h #1; #1 error(500,no); tick 200
         #1 suspend(s17,s1)
         resume #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104)
            end(#1/2)
            start(#1/3 v7 [Input]) reply(r2 done)
        "#]],
    );
}

#[test]
fn a_stale_retry_or_timer_of_a_suspended_invocation_does_nothing() {
    check(
        "send S/h #1; #1 sleep(1,+100) suspend(1,s1); tick 100
         #1 suspend(s17,s1); refire; retry #1/2; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) start(#1/2 v7 [Input Sleep Sleep!1])
            end(#1/2) #1 Suspended [Input Sleep Sleep!1] wait(awakeable 17 @100 attempt 2) pinned v7
        "#]],
    );
}
