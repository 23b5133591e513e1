//! Signals reach their target in every state, and none is lost.

use expect_test::expect;

use super::check;

#[test]
fn a_signal_to_a_scheduled_invocation_is_kept() {
    check(
        "send S/h #1 at=+100; send S/h #2
         #2 signal(#1,go,a) signal(#1,go,void) signal(#1,go,!500:no); resolve #1.17 v
         tick 100",
        expect![[r#"
            reply(r1 accepted #1 @100) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            reply(r3 completed resolve @0)
            start(#1/1 v7 [Input 'go=a 'go 'go=500:no s17=v])
        "#]],
    );
}

#[test]
fn a_signal_to_a_queued_invocation_is_kept() {
    check(
        "send O/k/x #1; send O/k/x #2; send S/h #3
         #3 signal(#2,go,a); resolve #2.17 v; show #2
         #1 out(x) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2) start(#3/1 v7 [Input]) reply(r3 accepted #3)
            reply(r4 completed resolve @0) #2 Queued [Input 'go=a s17=v]
            end(#1/1) completed(#1 x) start(#2/1 v7 [Input 'go=a s17=v])
        "#]],
    );
}

#[test]
fn a_signal_to_a_paused_invocation_is_kept() {
    check(
        "with max=1; send S/h #1; send S/h #2; #1 error(500,no)
         #2 signal(#1,go,a); resolve #1.17 v
         resume #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#1/1)
            reply(r3 completed resolve @0)
            start(#1/2 v7 [Input 'go=a s17=v]) reply(r4 done)
        "#]],
    );
}

#[test]
fn a_signal_does_not_shorten_a_back_off() {
    check(
        "send S/h #1; #1 error(500,no); resolve #1.17 v
         cancel #1
         tick 200",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) reply(r2 completed resolve @0)
            reply(r3 accept)
            start(#1/2 v7 [Input s17=v cancel])
        "#]],
    );
}

#[test]
fn a_running_bidirectional_attempt_gets_signals_in_order() {
    check(
        "send S/h #1; send S/h #2
         #2 signal(#1,go,a) signal(#1,go,b); resolve #1.17 v; cancel #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            forward(#1/1 'go=a) forward(#1/1 'go=b) forward(#1/1 s17=v) reply(r3 completed resolve @0) forward(#1/1 cancel) reply(r4 accept)
        "#]],
    );
}

#[test]
fn a_signal_to_one_that_backs_off_or_is_suspended_is_kept_in_order() {
    check(
        "with rr; send S/h #1; send S/h #2; #1 error(500,no)
         #2 signal(#1,go,a) signal(#1,stop,b) signal(#1,go,c); show #1
         tick 200; #1 suspend(all('late,'go))
         #2 signal(#1,go,d) signal(#1,late,e) signal(#1,late,f)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#1/1) retry(#1/1 @104)
            #1 BackingOff [Input 'go=a 'stop=b 'go=c] failure(500 RT0007 no)
            start(#1/2 v7 [Input 'go=a 'stop=b 'go=c]) end(#1/2)
            start(#1/3 v7 [Input 'go=a 'stop=b 'go=c 'go=d 'late=e])
        "#]],
    );
}

#[test]
fn a_signal_from_another_partition_arrives_once_and_in_order() {
    check(
        "partitions 2; send S/h #1; send S/h #2 p1; #1 suspend('go)
         #2 signal(#1,go,a) signal(#1,go,b)
         hand 1 0 2; show #1; hand 1 0 1; hand 1 0 1; hand 1 0 2; hand 1 0 1; hand 1 0 2; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#1/1)
            send(p0 1 signal #1) send(p0 2 signal #1)
            #1 Suspended [Input] wait(signal go @0 attempt 1) acknowledge(p1 1) start(#1/2 v7 [Input 'go=a]) acknowledge(p1 1) acknowledge(p1 2) forward(#1/2 'go=b) acknowledge(p1 1) acknowledge(p1 2) #1 Running [Input 'go=a 'go=b]
        "#]],
    );
}

#[test]
fn a_signal_to_nobody_is_ignored() {
    check(
        "send S/h #1; send S/h #2; #2 out(x) end
         #1 signal(#2,go,a) signal(inv_1000000000000000000000000000000000,go,b)
         #1 signal(#2,1,void)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#2/1) completed(#2 x)
            -
            -
        "#]],
    );
}

#[test]
fn a_handler_cancels_another_by_signal_1() {
    check(
        "send S/h #1; send S/h #2 at=+9000; send S/h #3
         #1 signal(#3,1,void)
         #1 signal(#2,1,void)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accepted #2 @9000) start(#3/1 v7 [Input]) reply(r3 accepted #3)
            forward(#3/1 cancel)
            completed(#2 409:canceled)
        "#]],
    );
}

#[test]
fn an_invocation_id_is_not_enough_to_answer_an_awakeable() {
    for (index, expected) in [
        (
            0,
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 signal 0 cannot be sent, complete the awakeable by its id) #2 Running [Input]
        "#]],
        ),
        (
            2,
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 signal 2 cannot be sent, complete the awakeable by its id) #2 Running [Input]
        "#]],
        ),
        (
            16,
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 signal 16 cannot be sent, complete the awakeable by its id) #2 Running [Input]
        "#]],
        ),
        (
            17,
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 signal 17 cannot be sent, complete the awakeable by its id) #2 Running [Input]
        "#]],
        ),
        (
            18,
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 signal 18 cannot be sent, complete the awakeable by its id) #2 Running [Input]
        "#]],
        ),
    ] {
        check(
            &format!("send S/h #1; send S/h #2\n#1 signal(#2,{index},v); show #1; show #2"),
            expected,
        );
    }
}

#[test]
fn a_signal_to_a_malformed_id_is_a_failed_attempt() {
    check(
        "send S/h #1\n#1 signal(foo,go,v); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: bad invocation id 'foo': bad format)
    "#]],
    );
}
