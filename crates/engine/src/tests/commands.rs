//! Calls, sends, attach, and preconditions that fail.

use expect_test::expect;

use super::check;

#[test]
fn a_call_announces_its_id_then_its_result() {
    check(
        "invoke S/h #1
         #1 call(1,2,T/h); show #1
         #a out(ok) end
         #1 out(done) end; output #a",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input]) #1 Running [Input Call CallInvocationId!1=#a] pinned v7
            end(#a/1) completed(#a ok) forward(#1/1 Call!2=ok)
            end(#1/1) completed(#1 done) reply(r2 not found #a)
        "#]],
    );
}

#[test]
fn a_failed_call_tells_its_caller() {
    check(
        "invoke S/h #1; #1 call(1,2,T/h) suspend(2,s1)
         #a out(!404:none) end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) forward(#1/1 CallInvocationId!1=#a) end(#1/1) start(#a/1 v7 [Input])
            end(#a/1) completed(#a 404:none) start(#1/2 v7 [Input Call CallInvocationId!1=#a Call!2=404:none])
        "#]],
    );
}

#[test]
fn a_suspension_on_the_callee_id_alone_wakes_at_once() {
    check(
        "with rr; invoke S/h #1; #1 call(1,2,O/k/x) suspend(1)",
        expect![[r#"
        start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) start(#1/2 v7 [Input Call CallInvocationId!1=#a]) start(#a/1 v7 [Input])
    "#]],
    );
}

#[test]
fn a_send_is_detached() {
    check(
        "invoke S/h #1
         #1 send(1,T/h) send(2,O/k/x,at=+1000); show #1
         #1 out(done) end
         tick 1000; #a out(ok) end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!2=#b) start(#a/1 v7 [Input]) #1 Running [Input OneWayCall CallInvocationId!1=#a OneWayCall CallInvocationId!2=#b] pinned v7
            end(#1/1) completed(#1 done)
            start(#b/1 v7 [Input]) end(#a/1) completed(#a ok)
        "#]],
    );
}

#[test]
fn two_equal_calls_are_two_invocations() {
    check(
        "send S/h #1; #1 call(1,2,T/h) call(3,4,T/h)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!3=#b) start(#a/1 v7 [Input]) start(#b/1 v7 [Input])
    "#]],
    );
}

#[test]
fn a_call_with_an_idempotency_key_joins() {
    check(
        "send S/h #1; send S/h #2
         #1 call(1,2,T/h,ik=x); #2 call(1,2,T/h,ik=x); show #2
         #a out(ok) end
         send S/h #3; #3 call(1,2,T/h,ik=x)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input] key x) forward(#2/1 CallInvocationId!1=#a) #2 Running [Input Call CallInvocationId!1=#a] pinned v7
            end(#a/1) completed(#a ok) forward(#1/1 Call!2=ok) forward(#2/1 Call!2=ok)
            start(#3/1 v7 [Input]) reply(r3 accepted #3) forward(#3/1 CallInvocationId!1=#a) forward(#3/1 Call!2=ok)
        "#]],
    );
}

#[test]
fn a_second_workflow_run_fails_as_a_call_and_is_ignored_as_a_send() {
    check(
        "send S/h #1; #1 call(1,2,W/k/run)
         #1 call(3,4,W/k/run)
         #1 send(5,W/k/run); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input])
            forward(#1/1 CallInvocationId!3=#a) forward(#1/1 Call!4=409:the workflow method was already invoked)
            forward(#1/1 CallInvocationId!5=#a) #1 Running [Input Call CallInvocationId!1=#a Call CallInvocationId!3=#a Call!4=409:the workflow method was already invoked OneWayCall CallInvocationId!5=#a] pinned v7
        "#]],
    );
}

#[test]
fn an_invalid_command_drops_itself_and_what_follows() {
    check(
        "invoke S/h #1
         #1 run(1) call(2,3,X/h) run(4) out(ok) end; show #1
         tick 1000",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input Run] failure(500 RT0018 failed precondition: the service handler X/h was not found; the call is retried until its deployment is registered) pinned v7
            start(#1/2 v7 [Input Run] retries 1 over 104)
        "#]],
    );
}

#[test]
fn preconditions_of_calls() {
    for (frame, expected) in [
        (
            "call(1,2,T/k/h)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @111) #1 BackingOff [Input] failure(500 RT0017 failed precondition: a key was provided, but the callee 'T' is a Service)
        "#]],
        ),
        (
            "call(1,2,T/x)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @111) #1 BackingOff [Input] failure(500 RT0018 failed precondition: the service handler T/x was not found; the call is retried until its deployment is registered)
        "#]],
        ),
        (
            "send(1,T/h,ik=)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @111) #1 BackingOff [Input] failure(500 RT0017 failed precondition: the idempotency key is empty)
        "#]],
        ),
        (
            "call(1,2,W/k/run,ik=x)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @111) #1 BackingOff [Input] failure(500 RT0017 failed precondition: an idempotency key was given for the run handler of workflow 'W', which is idempotent by its key already)
        "#]],
        ),
    ] {
        check(&format!("send S/h #1; pass 7\n#1 {frame}; show #1"), expected);
    }
}

#[test]
fn frames_that_an_sdk_may_not_send() {
    for (frame, expected) in [
        (
            "raw(0400)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 unexpected command Input (0x0400) from the SDK)
        "#]],
        ),
        (
            "raw(0000)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 unexpected message Start (0x0000) from the SDK)
        "#]],
        ),
        (
            "raw(800c)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 unexpected message Sleep (0x800c) from the SDK)
        "#]],
        ),
        (
            "raw(0200)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 unexpected message GetStateEphemeral (0x0200) from the SDK)
        "#]],
        ),
        (
            "raw(0433)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 unexpected command Unknown (0x0433) from the SDK)
        "#]],
        ),
        (
            "raw(fc01)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 unexpected message Unknown (0xfc01) from the SDK)
        "#]],
        ),
    ] {
        check(&format!("send S/h #1\n#1 {frame}; show #1"), expected);
    }
}

#[test]
fn payloads_that_an_sdk_may_not_send() {
    for (frame, expected) in [
        (
            "raw(0411,!!)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: failed to decode Protobuf message: buffer underflow)
        "#]],
        ),
        (
            "raw(0001,!!)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: failed to decode Protobuf message: Suspension.awaiting_on: invalid wire type: SixtyFourBit (expected LengthDelimited))
        "#]],
        ),
        (
            "raw(0401)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 an output command has no result)
        "#]],
        ),
        (
            "raw(0410)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: bad invocation id '': bad length)
        "#]],
        ),
        (
            "raw(0412)",
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 an attach command has no target)
        "#]],
        ),
    ] {
        check(&format!("send S/h #1\n#1 {frame}; show #1"), expected);
    }
}

#[test]
fn attach_and_output_of_others() {
    check(
        "send S/h #1; send S/h #2
         #1 attach(1,#2) output(2,#2)
         #2 out(ok) end
         #1 attach(3,#2) output(4,#2)
         #1 attach(5,W/k/run) output(6,T/h,key)
         #1 attach(7,inv_1); show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            forward(#1/1 GetInvocationOutput!2)
            end(#2/1) completed(#2 ok) forward(#1/1 AttachInvocation!1=ok)
            forward(#1/1 AttachInvocation!3=ok) forward(#1/1 GetInvocationOutput!4=ok)
            forward(#1/1 AttachInvocation!5=404:not found) forward(#1/1 GetInvocationOutput!6=404:not found)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input AttachInvocation GetInvocationOutput GetInvocationOutput!2 AttachInvocation!1=ok AttachInvocation GetInvocationOutput AttachInvocation!3=ok GetInvocationOutput!4=ok AttachInvocation GetInvocationOutput AttachInvocation!5=404:not found GetInvocationOutput!6=404:not found] failure(500 RT0012 cannot decode entry: bad invocation id 'inv_1': bad length) pinned v7
        "#]],
    );
}

#[test]
fn attach_to_what_an_idempotency_key_or_a_workflow_key_names() {
    check(
        "send S/h #1; send O/k/s #2 ik=a; send W/k/run #3
         #1 attach(1,O/k/s,a) attach(2,W/k/run)
         #2 out(x) end
         #3 out(!500:y) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input] key a) reply(r2 accepted #2) start(#3/1 v7 [Input]) reply(r3 accepted #3)
            -
            end(#2/1) completed(#2 x) forward(#1/1 AttachInvocation!1=x)
            end(#3/1) completed(#3 500:y) forward(#1/1 AttachInvocation!2=500:y)
        "#]],
    );
}

#[test]
fn an_attached_handler_that_ends_first_is_forgotten() {
    check(
        "send S/h #1; send S/h #2; #1 attach(1,#2) out(x) end
         #2 out(y) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#1/1) completed(#1 x)
            end(#2/1) completed(#2 y)
        "#]],
    );
}

#[test]
fn a_completion_id_in_use_is_a_violation() {
    check(
        "send S/h #1; #1 sleep(1,+500)
         #1 call(2,1,T/h)
         tick 500",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104)
            start(#1/2 v7 [Input Sleep] retries 1 over 104) forward(#1/2 Sleep!1)
        "#]],
    );
    check(
        "send S/h #1; #1 run(1)\n#1 sleep(1,+10)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send S/h #1; #1 run(1)\n#1 run(1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send W/k/run #1; #1 promise(1,p)\n#1 promise(1,q)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @113)
    "#]],
    );
    check(
        "send S/h #1; #1 sleep(1,+10)\n#1 attach(1,#1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
}

#[test]
fn a_sleep_that_is_over_completes_at_once() {
    check(
        "pass 9; send S/h #1; #1 sleep(1,9) sleep(2,10)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 Sleep!1)
    "#]],
    );
}
