//! When the stream of a waiting attempt is closed: announced waits that are far, and silence.

use expect_test::expect;

use super::check;

#[test]
fn awaiting_what_is_far_closes_the_stream() {
    for (tree, expected) in [
        (
            "s17,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            close(#1/1)
        "#]],
        ),
        (
            "'go,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            close(#1/1)
        "#]],
        ),
        (
            "1,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            -
        "#]],
        ),
        (
            "2,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            close(#1/1)
        "#]],
        ),
        (
            "3,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            close(#1/1)
        "#]],
        ),
        (
            "4,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            -
        "#]],
        ),
        (
            "race(s1,all(s17,2))",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            close(#1/1)
        "#]],
        ),
        (
            "race(s1,all(s17,1))",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            -
        "#]],
        ),
        (
            "9,s1",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            -
        "#]],
        ),
    ] {
        let setup = "send W/k/run #1; #1 sleep(1,+1000) sleep(2,+1001) promise(3,p) run(4)";
        check(&format!("{setup}\n#1 awaiting({tree})"), expected);
    }
}

#[test]
fn awaiting_a_call_or_a_decided_awakeable_is_near() {
    check(
        "send S/h #1; #1 call(1,2,T/h)\n#1 awaiting(2,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input])
        -
    "#]],
    );
    check(
        "send S/h #1; resolve #1.17 v\n#1 awaiting(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=v) reply(r2 completed resolve @0)
        -
    "#]],
    );
}

#[test]
fn awaiting_while_a_side_effect_executes_closes_nothing() {
    check(
        "send S/h #1; #1 run(1)\n#1 awaiting!(s17,s1)\n#1 awaiting(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        -
        close(#1/1)
    "#]],
    );
}

#[test]
fn awaiting_on_a_closed_stream_is_no_news() {
    check(
        "with rr; send S/h #1\n#1 awaiting(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        -
    "#]],
    );
    check(
        "send S/h #1; #1 awaiting(s17,s1)\n#1 awaiting(s17,s1); idle #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) close(#1/1)
        -
    "#]],
    );
}

#[test]
fn an_idle_attempt_is_asked_to_suspend() {
    check(
        "with v6; send S/h #1\nidle #1\nidle #1; expired #1\n#1 flat(s1,s17)",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1)
        close(#1/1)
        -
        end(#1/1)
    "#]],
    );
}

#[test]
fn an_idle_attempt_that_executes_a_run_has_the_inactivity_timeout() {
    check(
        "send S/h #1; #1 run(1)
         idle #1
         expired #1
         #1 propose!(1,v) suspend(1,s1)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            -
            close(#1/1)
            end(#1/1) start(#1/2 v7 [Input Run Run!1=v])
        "#]],
    );
}
