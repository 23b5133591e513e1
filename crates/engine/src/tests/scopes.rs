//! Scopes are part of the identity: of ids, locks, state, promises. Limit keys are not.

use expect_test::expect;

use super::check;

#[test]
fn a_scope_has_its_own_locks_and_state() {
    check(
        "send O/k/x #1; send a@O/k/x #2; send b@O/k/x #3; send a@O/k/x #4
         #1 set(s,1); #2 set(s,2); state O/k; state a@O/k; state b@O/k
         #2 out(v) end; show #4
         #1 clearall; state O/k; state a@O/k; #4 clearall; state a@O/k",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input] scope a) reply(r2 accepted #2) start(#3/1 v7 [Input] scope b) reply(r3 accepted #3) reply(r4 accepted #4)
            {s=1} {s=2} {}
            end(#2/1) completed(#2 v) start(#4/1 v7 [Input] s=2 scope a) #4 Running [Input]
            {} {s=2} {}
        "#]],
    );
}

#[test]
fn a_scope_is_part_of_ids_and_a_limit_key_is_not() {
    check(
        "invoke S/h #1 ik=a; invoke s@S/h #2 ik=a; invoke s@S/h #3 ik=a lk=x; invoke t@S/h #4 ik=a
         send W/k/run #5; send s@W/k/run #6; invoke s@W/k/run #7; send t@W/k/run #8
         #5 promise(1,p) suspend(race(s1,1)); send s@W/k/s #9; #9 fulfil(1,p,v)
         send W/k/s #10; #10 fulfil(1,p,w)",
        expect![[r#"
            start(#1/1 v7 [Input] key a) park(r1 #1) start(#2/1 v7 [Input] key a scope s) park(r2 #2) park(r3 #2) start(#4/1 v7 [Input] key a scope t) park(r4 #4)
            start(#5/1 v7 [Input]) reply(r5 accepted #5) start(#6/1 v7 [Input] scope s) reply(r6 accepted #6) reply(r7 already invoked #6) start(#8/1 v7 [Input] scope t) reply(r8 accepted #8)
            end(#5/1) start(#9/1 v7 [Input] scope s) reply(r9 accepted #9) forward(#9/1 CompletePromise!1)
            start(#10/1 v7 [Input]) reply(r10 accepted #10) forward(#10/1 CompletePromise!1) start(#5/2 v7 [Input GetPromise GetPromise!1=w])
        "#]],
    );
}

#[test]
fn a_handler_calls_attaches_and_reads_within_a_scope() {
    check(
        "send S/h #1; #1 call(1,2,s@S/h,ik=a,lk=x/y) send(3,s@O/k/x) call(4,5,s@W/k/run)
         #1 attach(6,s@W/k/run) attach(7,s@S/h,a) attach(8,S/h,a) output(9,t@W/k/run)
         #a out(v) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!3=#b) forward(#1/1 CallInvocationId!4=#c) start(#a/1 v7 [Input] key a scope s limit key x/y) start(#b/1 v7 [Input] scope s) start(#c/1 v7 [Input] scope s)
            forward(#1/1 AttachInvocation!8=404:not found) forward(#1/1 GetInvocationOutput!9=404:not found)
            end(#a/1) completed(#a v) forward(#1/1 Call!2=v) forward(#1/1 AttachInvocation!7=v)
        "#]],
    );
}

#[test]
fn the_start_tells_scope_and_limit_key_from_version_7_on() {
    for (version, expected) in [
        (
            "v7",
            expect![[r#"
        -
        start(#1/1 v7 [Input] key i scope s limit key a/b) reply(r1 accepted #1)
    "#]],
        ),
        (
            "v6",
            expect![[r#"
        -
        start(#1/1 v6 [Input]) reply(r1 accepted #1)
    "#]],
        ),
    ] {
        check(&format!("with {version}\nsend s@S/h #1 lk=a/b ik=i"), expected);
    }
}

#[test]
fn bad_scopes_and_limit_keys_of_handlers_are_failed_attempts() {
    for (command, expected) in [
        (
            "call(1,2,a b@S/h)".replace(' ', "+"),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 failed precondition: bad scope value: value contains characters outside the allowed set [a-zA-Z0-9_.-])
        "#]],
        ),
        (
            "send(1,S/h,lk=a)".to_owned(),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 failed precondition: limit-key requires a scope to be set)
        "#]],
        ),
        (
            "send(1,s@S/h,lk=a/b/c)".to_owned(),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 failed precondition: invalid limit-key: too many path components in the given limit-key (max 2))
        "#]],
        ),
        (
            "call(1,2,s@S/h,lk=a//)".to_owned(),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 failed precondition: invalid limit-key: invalid limit-key component: value cannot be empty)
        "#]],
        ),
        (
            "attach(1,+@W/k/run)".to_owned(),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 failed precondition: bad scope value: value contains characters outside the allowed set [a-zA-Z0-9_.-])
        "#]],
        ),
        (
            "send(1,@S/h,lk=)".to_owned(),
            expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input]) #1 Running [Input OneWayCall CallInvocationId!1=#a] pinned v7
        "#]],
        ),
    ] {
        check(&format!("send S/h #1\n#1 {command}; show #1"), expected);
    }
    check(
        "with v6; send S/h #1; #1 call(1,2,s@S/h); show #1",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1) abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 a scope needs service protocol version 7, this attempt speaks 6; register the deployment again with a newer SDK)
    "#]],
    );
    check(
        "with v6; send S/h #1; #1 attach(1,s@W/k/run); show #1",
        expect![[r#"
        start(#1/1 v6 [Input]) reply(r1 accepted #1) abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0017 a scope needs service protocol version 7, this attempt speaks 6; register the deployment again with a newer SDK)
    "#]],
    );
}

#[test]
fn everything_of_a_scope_lives_in_one_partition() {
    check(
        "partitions 3; send s@S/h #1 p1; send s@S/h #2; send s@O/k/x #3; send s@W/k2/run #4
         invoke s@S/h #5 ik=a
         send S/h #6; #6 call(1,2,s@T/h)",
        expect![[r#"
            start(#1/1 v7 [Input] scope s) reply(r1 accepted #1) start(#2/1 v7 [Input] scope s) reply(r2 accepted #2) start(#3/1 v7 [Input] scope s) reply(r3 accepted #3) start(#4/1 v7 [Input] scope s) reply(r4 accepted #4)
            start(#5/1 v7 [Input] key a scope s) park(r5 #5)
            start(#6/1 v7 [Input]) reply(r6 accepted #6) forward(#6/1 CallInvocationId!1=#a) send(p2 1 invoke #a)
        "#]],
    );
}

#[test]
fn state_edits_and_restarts_stay_within_the_scope() {
    check(
        "send s@O/k/x #1 lk=a; edit s@O/k v=1; edit O/k v=2; state s@O/k; state O/k
         #1 out(v) end; state s@O/k
         restart #1 0; show #a; restart #1 9",
        expect![[r#"
            start(#1/1 v7 [Input] scope s limit key a) reply(r1 accepted #1) reply(r2 accept) reply(r3 accept) {} {v=2}
            end(#1/1) completed(#1 v) {v=1}
            start(#a/1 v7 [Input] v=1 scope s limit key a) reply(r4 accepted #a) #a Running [Input] restarted from #1 pinned v7 reply(r5 invalid: The prefix of the journal '#1' up to 'from' (included) contains some Commands without respective Completions.)
        "#]],
    );
}
