//! Runs: proposals, acknowledgements and full notifications.

use expect_test::expect;

use super::check;

#[test]
fn a_proposal_is_acknowledged_when_it_asks_for_it() {
    check(
        "send S/h #1; #1 run(1)\n#1 propose!(1,v); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        ack(#1/1 1) #1 Running [Input Run Run!1=v] pinned v7
    "#]],
    );
}

#[test]
fn a_proposal_without_the_flag_gets_the_full_notification() {
    check(
        "with v6; send S/h #1; #1 run(1,name)\n#1 propose(1,v)",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1)
        forward(#1/1 Run!1=v)
    "#]],
    );
    check(
        "send S/h #1; #1 run(1)\n#1 propose(1,!500:no)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        forward(#1/1 Run!1=500:no)
    "#]],
    );
}

#[test]
fn a_proposal_on_a_closed_stream_leads_to_the_next_attempt_at_once() {
    check(
        "with rr; send S/h #1
         #1 run(1) propose!(1,v) suspend(1,s1)
         #1 out(ok) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            end(#1/1) start(#1/2 v7 [Input Run Run!1=v])
            end(#1/2) completed(#1 ok)
        "#]],
    );
}

#[test]
fn runs_may_be_proposed_out_of_order() {
    check(
        "send S/h #1; #1 run(1) run(2) run(3)
         #1 propose!(3,c) propose!(1,a); show #1
         failed #1 gone; tick 200
         #1 propose!(2,b)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            ack(#1/1 3) ack(#1/1 1) #1 Running [Input Run Run Run Run!3=c Run!1=a] pinned v7
            end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input Run Run Run Run!3=c Run!1=a] retries 1 over 104)
            ack(#1/2 2)
        "#]],
    );
}

#[test]
fn a_result_for_a_run_that_is_not_open_is_a_violation() {
    check(
        "send S/h #1; #1 run(1) propose!(1,v)\n#1 propose!(1,v); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) ack(#1/1 1)
        abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input Run Run!1=v] failure(500 RT0012 a result was proposed for run 1, which is not open) pinned v7
    "#]],
    );
    check(
        "send S/h #1\n#1 propose!(3,v)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
}

#[test]
fn the_log_order_is_the_wire_order() {
    check(
        "send S/h #1; #1 sleep(1,+100) sleep(2,+200) run(3)
         tick 100; #1 propose!(3,v); tick 100
         show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            forward(#1/1 Sleep!1) ack(#1/1 3) forward(#1/1 Sleep!2)
            #1 Running [Input Sleep Sleep Run Sleep!1 Run!3=v Sleep!2] pinned v7
        "#]],
    );
}
