//! Awakeables and their receipts.

use expect_test::expect;

use super::check;

#[test]
fn the_first_completion_wins_before_the_handler_awaits() {
    check(
        "send S/h #1; resolve #1.17 a
         tick 5; resolve #1.17 b; reject #1.17 a
         describe #1.17; describe #1.18",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0)
            reply(r3 conflict resolve @0) reply(r4 conflict resolve @0)
            reply(r5 completed resolve @0) reply(r6 pending)
        "#]],
    );
}

#[test]
fn the_same_bytes_or_the_same_key_are_replayed() {
    check(
        "send S/h #1; resolve #1.17 a
         resolve #1.17 a; resolve #1.17 a key=k; resolve #1.17 b key=k
         resolve #1.18 a key=k; resolve #1.18 b key=k; reject #1.18 b key=k; resolve #1.18 b
         reject #1.19 no; reject #1.19 no; reject #1.19 other",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0)
            reply(r3 replayed resolve @0) reply(r4 replayed resolve @0) reply(r5 conflict resolve @0)
            forward(#1/1 s18=a) reply(r6 completed resolve @0) reply(r7 replayed resolve @0) reply(r8 replayed resolve @0) reply(r9 conflict resolve @0)
            forward(#1/1 s19=500:no) reply(r10 completed reject @0) reply(r11 replayed reject @0) reply(r12 conflict reject @0)
        "#]],
    );
}

#[test]
fn a_completion_of_an_ended_invocation_is_gone() {
    check(
        "send S/h #1; resolve #1.17 a; #1 out(x) end
         tick 9; resolve #1.17 a; resolve #1.17 b; resolve #1.18 a; describe #1.18",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 s17=a) reply(r2 completed resolve @0) end(#1/1) completed(#1 x)
            reply(r3 replayed resolve @0) reply(r4 conflict resolve @0) reply(r5 gone @0) reply(r6 gone @0)
        "#]],
    );
}

#[test]
fn a_completion_of_a_killed_invocation_is_gone() {
    check(
        "send S/h #1; #1 suspend(s17,s1); kill #1\nresolve #1.17 a",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 409:killed) reply(r2 done)
        reply(r3 gone @0)
    "#]],
    );
}

#[test]
fn a_wrong_secret_is_an_unknown_id() {
    check(
        "send S/h #1; #1 suspend(s17,s1)
         resolve #1.17? a; reject #1.17? a; describe #1.17?
         resolve #1.17 a; resolve #1.17? a; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1)
            reply(r2 unknown) reply(r3 unknown) reply(r4 unknown)
            start(#1/2 v7 [Input s17=a]) reply(r5 completed resolve @0) reply(r6 unknown) #1 Running [Input s17=a]
        "#]],
    );
}

#[test]
fn the_id_of_an_earlier_incarnation_is_unknown() {
    check(
        "send S/h #1 ik=x; mint #1.17 $old; #1 out(x) end
         tick 60000; resolve $old a
         send S/h #1 ik=x
         resolve $old a; describe $old
         resolve #1.17 a",
        expect![[r#"
            start(#1/1 v7 [Input] key x) reply(r1 accepted #1) end(#1/1) completed(#1 x)
            reply(r2 unknown)
            start(#1/1 v7 [Input] key x) reply(r3 accepted #1)
            reply(r4 unknown) reply(r5 unknown)
            forward(#1/1 s17=a) reply(r6 completed resolve @60000)
        "#]],
    );
}

#[test]
fn a_handler_completes_an_awakeable_of_another() {
    check(
        "send S/h #1; send S/h #2; #1 suspend(s17,s1)
         #2 complete(#1.17,v); show #2
         #2 complete(#1.17,w) complete(#1.18,!500:no)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#1/1)
            start(#1/2 v7 [Input s17=v]) #2 Running [Input CompleteAwakeable] pinned v7
            forward(#1/2 s18=500:no)
        "#]],
    );
}

#[test]
fn a_handler_with_a_wrong_secret_changes_nothing() {
    check(
        "send S/h #1; send S/h #2; #1 suspend(s17,s1)
         #2 complete(#1.17?,v); show #1; describe #1.17",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#1/1)
            #1 Suspended [Input] wait(awakeable 17 @0 attempt 1) reply(r3 pending)
        "#]],
    );
}

#[test]
fn a_malformed_awakeable_id_is_a_failed_attempt() {
    check(
        "send S/h #1\n#1 complete(foo,v); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: bad awakeable id 'foo': bad format)
    "#]],
    );
}

#[test]
fn a_handler_may_complete_its_own_awakeable() {
    check(
        "with rr; send S/h #1\n#1 complete(#1.17,v) suspend(s17,s1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        end(#1/1) start(#1/2 v7 [Input CompleteAwakeable s17=v])
    "#]],
    );
}

#[test]
fn secrets_are_masked_in_what_is_stored_of_a_failure() {
    let id = format!("sign_1{}{}", "A".repeat(32), "s".repeat(27));
    check(
        &format!("with max=1 kill; invoke S/h #1\n#1 error(500,{id},trace={id},at={id}); show #1"),
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1)
            end(#1/1) completed(#1 500:sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*** trace sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA***) #1 Completed [Input] failure(500 RT0007 sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA***) at sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA***
        "#]],
    );
    check(
        &format!("send S/h #1\nfailed #1 {id}; show #1"),
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0010 sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA***)
    "#]],
    );
    check(
        &format!("send S/h #1\n#1 complete({id}x,v); show #1"),
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: bad awakeable id 'sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA***': id doesn't match the expected type)
    "#]],
    );
    check(
        &format!("send S/h #1\n#1 signal({id},go,v); show #1"),
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0012 cannot decode entry: bad invocation id 'sign_1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA***': bad format)
    "#]],
    );
}
