//! Idempotent invocations, workflow runs, attach and output.

use expect_test::expect;

use super::check;

#[test]
fn the_same_key_joins_while_it_runs_and_afterwards() {
    check(
        "invoke S/h #1 ik=x; invoke S/h #1 ik=x; send S/h #1 ik=x; send S/h #2 ik=y; send T/h #3 ik=x
         #1 out(ok) end
         tick 100; invoke S/h #1 ik=x; send S/h #1 ik=x at=+50",
        expect![[r#"
            start(#1/1 v7 [Input] key x) park(r1 #1) park(r2 #1) reply(r3 previously accepted #1) start(#2/1 v7 [Input] key y) reply(r4 accepted #2) start(#3/1 v7 [Input] key x) reply(r5 accepted #3)
            end(#1/1) completed(#1 ok)
            reply(r6 #1 ok until @60000) reply(r7 previously accepted #1)
        "#]],
    );
}

#[test]
fn a_call_joins_a_scheduled_invocation() {
    check(
        "send S/h #1 ik=x at=+100; invoke S/h #1 ik=x
         tick 100
         #1 out(!500:no) end",
        expect![[r#"
            reply(r1 accepted #1 @100) park(r2 #1)
            start(#1/1 v7 [Input] key x)
            end(#1/1) completed(#1 500:no)
        "#]],
    );
}

#[test]
fn an_object_key_is_part_of_the_scope() {
    check(
        "send O/k/s #1 ik=x; send O/k2/s #2 ik=x; send O/k/x #3 ik=x; send O/k/s #1 ik=x",
        expect![[r#"
            start(#1/1 v7 [Input] key x) reply(r1 accepted #1) start(#2/1 v7 [Input] key x) reply(r2 accepted #2) start(#3/1 v7 [Input] key x) reply(r3 accepted #3) reply(r4 previously accepted #1)
        "#]],
    );
}

#[test]
fn a_workflow_runs_once() {
    check(
        "invoke W/k/run #1; invoke W/k/run #1; send W/k/run #1; send W/k2/run #2
         #1 out(ok) end; invoke W/k/run #1
         attach #1; output #1",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) reply(r2 already invoked #1) reply(r3 previously accepted #1) start(#2/1 v7 [Input]) reply(r4 accepted #2)
            end(#1/1) completed(#1 ok) reply(r5 already invoked #1)
            reply(r6 #1 ok until @90000) reply(r7 #1 ok until @90000)
        "#]],
    );
}

#[test]
fn a_killed_workflow_counts_as_having_run() {
    check(
        "send W/k/run #1; kill #1\ninvoke W/k/run #1; send W/k/s #2",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) abort(#1/1) completed(#1 409:killed) reply(r2 done)
        reply(r3 already invoked #1) start(#2/1 v7 [Input]) reply(r4 accepted #2)
    "#]],
    );
}

#[test]
fn attach_and_output_of_an_invocation_in_every_state() {
    check(
        "attach #9; output #9",
        expect![[r#"
        reply(r1 not found #9) reply(r2 not found #9)
    "#]],
    );
    check(
        "send S/h #1 at=+10\nattach #1; output #1",
        expect![[r#"
        reply(r1 accepted #1 @10)
        park(r2 #1) reply(r3 not ready #1)
    "#]],
    );
    check(
        "send O/k/x #1; send O/k/x #2\nattach #2; output #2",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2)
        park(r3 #2) reply(r4 not ready #2)
    "#]],
    );
    check(
        "send S/h #1; #1 suspend(s17,s1)\nattach #1; output #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
        park(r2 #1) reply(r3 not ready #1)
    "#]],
    );
    check(
        "send S/h #1; #1 out(v) end\nattach #1; output #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v)
        reply(r2 #1 v until @60000) reply(r3 #1 v until @60000)
    "#]],
    );
    check(
        "send S/h #1; #1 out(v) end; pass 60000\nattach #1; output #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v)
        reply(r2 not found #1) reply(r3 not found #1)
    "#]],
    );
}
