//! Messages between partitions: exactly once, in order.

use expect_test::expect;

use super::check;

#[test]
fn a_call_to_another_partition() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1
         #0 attach(1,#1) signal(#1,go,v) complete(#1.17,w)
         deliver
         #1 out(ok) end
         deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1)
            send(p1 1 attach #1) send(p1 2 signal #1) send(p1 3 awakeable #1)
            acknowledge(p0 1) acknowledge(p0 2) forward(#1/1 'go=v) acknowledge(p0 3) forward(#1/1 s17=w)
            end(#1/1) send(p0 1 notify #0) completed(#1 ok)
            acknowledge(p1 1) forward(#0/1 AttachInvocation!1=ok)
        "#]],
    );
}

#[test]
fn a_repeated_message_changes_nothing_but_is_acknowledged() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1; #0 signal(#1,go,v)
         hand 0 1 1
         hand 0 1 1
         deliver; show #1",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) send(p1 1 signal #1)
            acknowledge(p0 1) forward(#1/1 'go=v)
            acknowledge(p0 1)
            acknowledge(p0 1) #1 Running [Input 'go=v]
        "#]],
    );
}

#[test]
fn a_gap_is_ignored_until_it_is_filled() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1; #0 signal(#1,go,a) signal(#1,go,b)
         hand 0 1 2
         hand 0 1 1
         hand 0 1 2
         deliver; show #1",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) send(p1 1 signal #1) send(p1 2 signal #1)
            -
            acknowledge(p0 1) forward(#1/1 'go=a)
            acknowledge(p0 2) forward(#1/1 'go=b)
            acknowledge(p0 1) acknowledge(p0 2) #1 Running [Input 'go=a 'go=b]
        "#]],
    );
}

#[test]
fn a_message_stays_in_the_outbox_until_it_is_durable_elsewhere() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1; #0 signal(#1,go,a) signal(#1,go,b); outbox
         hand 0 1 1; outbox
         recover; deliver; outbox",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) send(p1 1 signal #1) send(p1 2 signal #1) outbox(p0-p1-1 p0-p1-2)
            acknowledge(p0 1) forward(#1/1 'go=a) outbox(p0-p1-1 p0-p1-2)
            start(#0/2 v7 [Input SendSignal SendSignal]) start(#1/2 v7 [Input 'go=a]) acknowledge(p0 1) acknowledge(p0 2) forward(#1/2 'go=b) outbox()
        "#]],
    );
}

#[test]
fn a_wrong_secret_from_another_partition_changes_nothing() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1; #1 suspend(s17,s1)
         #0 complete(#1.17?,v); deliver; show #1
         #0 complete(#1.17,v) complete(#1.17,w); deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) end(#1/1)
            send(p1 1 awakeable #1) acknowledge(p0 1) #1 Suspended [Input] wait(awakeable 17 @0 attempt 1)
            send(p1 2 awakeable #1) send(p1 3 awakeable #1) acknowledge(p0 2) start(#1/2 v7 [Input s17=v]) acknowledge(p0 3)
        "#]],
    );
}

#[test]
fn a_call_from_another_partition_joins_a_scheduled_invocation() {
    check(
        "partitions 2; send O/c/s #1 ik=x at=+100; send S/h #0; #0 call(1,2,O/c/s,ik=x) suspend(2,s1)
         deliver
         tick 100
         #1 out(ok) end; deliver",
        expect![[r#"
            reply(r1 accepted #1 @100) start(#0/1 v7 [Input]) reply(r2 accepted #0) forward(#0/1 CallInvocationId!1=#1) send(p1 1 invoke #1) end(#0/1)
            acknowledge(p0 1)
            start(#1/1 v7 [Input] key x)
            end(#1/1) send(p0 1 notify #0) completed(#1 ok) acknowledge(p1 1) start(#0/2 v7 [Input Call CallInvocationId!1=#1 Call!2=ok])
        "#]],
    );
}

#[test]
fn sequence_numbers_go_on_after_the_outbox_is_empty() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1; #0 signal(#1,go,a)
         deliver
         #0 signal(#1,go,b)
         deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) send(p1 1 signal #1)
            acknowledge(p0 1) forward(#1/1 'go=a)
            send(p1 2 signal #1)
            acknowledge(p0 2) forward(#1/1 'go=b)
        "#]],
    );
}

#[test]
fn calls_to_object_keys_and_their_kill_cross_partitions() {
    check(
        "partitions 2; send S/h #0; #0 call(1,2,O/a/x) call(3,4,O/b/x) call(5,6,O/c/x) call(7,8,O/d/x)
         deliver
         kill #0
         deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) forward(#0/1 CallInvocationId!1=#a) send(p1 1 invoke #a) forward(#0/1 CallInvocationId!3=#b) forward(#0/1 CallInvocationId!5=#c) send(p1 2 invoke #c) forward(#0/1 CallInvocationId!7=#d) start(#b/1 v7 [Input]) start(#d/1 v7 [Input])
            acknowledge(p0 1) start(#a/1 v7 [Input]) acknowledge(p0 2) start(#c/1 v7 [Input])
            abort(#0/1) send(p1 3 kill #a) send(p1 4 kill #c) completed(#0 409:killed) reply(r2 done) abort(#b/1) completed(#b 409:killed) abort(#d/1) completed(#d 409:killed)
            acknowledge(p0 3) abort(#a/1) send(p0 1 notify #0) completed(#a 409:killed) acknowledge(p0 4) abort(#c/1) send(p0 2 notify #0) completed(#c 409:killed) acknowledge(p1 1) acknowledge(p1 2)
        "#]],
    );
}

#[test]
fn a_kill_that_overtakes_the_answer_spares_a_run_that_others_started() {
    check(
        "partitions 2; send W/a/run #1; send S/h #0; #0 call(1,2,W/a/run)
         kill #0
         deliver; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#0/1 v7 [Input]) reply(r2 accepted #0) forward(#0/1 CallInvocationId!1=#1) send(p1 1 invoke #1)
            abort(#0/1) send(p1 2 kill #1) completed(#0 409:killed) reply(r3 done)
            acknowledge(p0 1) send(p0 1 notify #0) acknowledge(p0 2) acknowledge(p1 1) #1 Running [Input]
        "#]],
    );
}

#[test]
fn an_answer_to_a_caller_that_ended_is_dropped() {
    check(
        "partitions 2; send S/h #0; send S/h #1 p1; #0 attach(1,#1); deliver
         #0 out(x) end; #1 out(y) end
         deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) send(p1 1 attach #1) acknowledge(p0 1)
            end(#0/1) completed(#0 x) end(#1/1) send(p0 1 notify #0) completed(#1 y)
            acknowledge(p1 1)
        "#]],
    );
}

#[test]
fn an_answer_to_an_earlier_incarnation_is_dropped() {
    check(
        "partitions 2; send W/a/run #0; send S/h #1 p1; send S/h #2; #0 attach(1,#1) attach(2,#2)
         show #0; deliver
         #0 out(x) end; purge #0
         tick 1; send W/a/run #0; #0 attach(1,#1) attach(2,#2); show #0
         #1 out(y) end; #2 out(z) end
         deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) start(#1/1 v7 [Input]) reply(r2 accepted #1) start(#2/1 v7 [Input]) reply(r3 accepted #2) send(p0 1 attach #2)
            #0 Running [Input AttachInvocation AttachInvocation] pinned v7 acknowledge(p1 1)
            end(#0/1) completed(#0 x) reply(r4 done)
            start(#0/1 v7 [Input]) reply(r5 accepted #0) send(p0 2 attach #2) #0 Running [Input AttachInvocation AttachInvocation] pinned v7
            end(#1/1) completed(#1 y) forward(#0/1 AttachInvocation!1=y) end(#2/1) send(p1 1 notify #0) completed(#2 z)
            acknowledge(p1 2) send(p1 2 notify #0) acknowledge(p0 1) acknowledge(p0 2) forward(#0/1 AttachInvocation!2=z)
        "#]],
    );
}

#[test]
fn a_handler_that_was_removed_meanwhile_is_a_failure_for_its_caller() {
    check(
        "partitions 2; send S/h #0; #0 call(1,2,O/c/x) call(3,4,O/a/x); with without=O
         deliver",
        expect![[r#"
            start(#0/1 v7 [Input]) reply(r1 accepted #0) forward(#0/1 CallInvocationId!1=#a) send(p1 1 invoke #a) forward(#0/1 CallInvocationId!3=#b) send(p1 2 invoke #b)
            acknowledge(p0 1) send(p0 1 notify #0) acknowledge(p0 2) send(p0 2 notify #0) acknowledge(p1 1) forward(#0/1 Call!2=404:the handler is not registered any more) acknowledge(p1 2) forward(#0/1 Call!4=404:the handler is not registered any more)
        "#]],
    );
}
