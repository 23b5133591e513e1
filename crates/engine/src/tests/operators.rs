//! Cancel, kill, pause, resume and the purge of a journal in every state.

use expect_test::expect;

use super::check;

/// The states and how to get there.
const STATES: [(&str, &str); 7] = [
    ("scheduled", "invoke S/h #1 at=+1000"),
    ("queued", "send O/k/x #2; invoke O/k/x #1"),
    ("running", "invoke S/h #1"),
    ("suspended", "invoke S/h #1; #1 suspend(s17,s1)"),
    ("backing off", "invoke S/h #1; #1 error(500,no)"),
    ("paused", "invoke S/h #1; #1 error(500,no,pause)"),
    ("completed", "invoke S/h #1; #1 out(v) end"),
];

fn check_in_every_state(verb: &str, expected: [expect_test::Expect; 7]) {
    for ((_, setup), expected) in STATES.iter().zip(expected) {
        check(&format!("{setup}\n{verb} #1\noutput #1"), expected);
    }
}

#[test]
fn cancel() {
    check_in_every_state(
        "cancel",
        [
            expect![[r#"
                park(r1 #1)
                completed(#1 409:canceled) reply(r2 done)
                reply(r3 not found #1)
            "#]],
            expect![[r#"
                start(#2/1 v7 [Input]) reply(r1 accepted #2) park(r2 #1)
                completed(#1 409:canceled) reply(r3 done)
                reply(r4 not found #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1)
                forward(#1/1 cancel) reply(r2 accept)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                start(#1/2 v7 [Input cancel]) reply(r2 accept)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104)
                reply(r2 accept)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                start(#1/2 v7 [Input cancel]) reply(r2 accept)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 v)
                reply(r2 conflict: The invocation '#1' was already completed.)
                reply(r3 #1 v until @60000)
            "#]],
        ],
    );
}

#[test]
fn kill() {
    check_in_every_state(
        "kill",
        [
            expect![[r#"
                park(r1 #1)
                completed(#1 409:killed) reply(r2 done)
                reply(r3 not found #1)
            "#]],
            expect![[r#"
                start(#2/1 v7 [Input]) reply(r1 accepted #2) park(r2 #1)
                completed(#1 409:killed) reply(r3 done)
                reply(r4 not found #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1)
                abort(#1/1) completed(#1 409:killed) reply(r2 done)
                reply(r3 #1 409:killed until @60000)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                completed(#1 409:killed) reply(r2 done)
                reply(r3 #1 409:killed until @60000)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104)
                completed(#1 409:killed) reply(r2 done)
                reply(r3 #1 409:killed until @60000)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                completed(#1 409:killed) reply(r2 done)
                reply(r3 #1 409:killed until @60000)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 v)
                reply(r2 conflict: The invocation '#1' was already completed.)
                reply(r3 #1 v until @60000)
            "#]],
        ],
    );
}

#[test]
fn resume() {
    check_in_every_state(
        "resume",
        [
            expect![[r#"
                park(r1 #1)
                reply(r2 too early: The invocation '#1' is either inboxed or scheduled, cannot be resumed.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#2/1 v7 [Input]) reply(r1 accepted #2) park(r2 #1)
                reply(r3 too early: The invocation '#1' is either inboxed or scheduled, cannot be resumed.)
                reply(r4 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1)
                reply(r2 done)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                start(#1/2 v7 [Input]) reply(r2 done)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104)
                start(#1/2 v7 [Input] retries 1 over 0) reply(r2 done)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                start(#1/2 v7 [Input]) reply(r2 done)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 v)
                reply(r2 conflict: The invocation '#1' is completed, cannot be resumed.)
                reply(r3 #1 v until @60000)
            "#]],
        ],
    );
}

#[test]
fn pause() {
    check_in_every_state(
        "pause",
        [
            expect![[r#"
                park(r1 #1)
                reply(r2 conflict: The invocation '#1' is not running, cannot be paused.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#2/1 v7 [Input]) reply(r1 accepted #2) park(r2 #1)
                reply(r3 conflict: The invocation '#1' is not running, cannot be paused.)
                reply(r4 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1)
                close(#1/1) reply(r2 accept)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                reply(r2 done)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104)
                reply(r2 accept)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                reply(r2 done)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 v)
                reply(r2 conflict: The invocation '#1' is not running, cannot be paused.)
                reply(r3 #1 v until @60000)
            "#]],
        ],
    );
}

#[test]
fn purge_journal() {
    check_in_every_state(
        "purge-journal",
        [
            expect![[r#"
                park(r1 #1)
                reply(r2 conflict: The invocation '#1' is not yet completed.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#2/1 v7 [Input]) reply(r1 accepted #2) park(r2 #1)
                reply(r3 conflict: The invocation '#1' is not yet completed.)
                reply(r4 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1)
                reply(r2 conflict: The invocation '#1' is not yet completed.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                reply(r2 conflict: The invocation '#1' is not yet completed.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) retry(#1/1 @104)
                reply(r2 conflict: The invocation '#1' is not yet completed.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1)
                reply(r2 conflict: The invocation '#1' is not yet completed.)
                reply(r3 not ready #1)
            "#]],
            expect![[r#"
                start(#1/1 v7 [Input]) park(r1 #1) end(#1/1) completed(#1 v)
                reply(r2 done)
                reply(r3 #1 v until @60000)
            "#]],
        ],
    );
}

#[test]
fn a_kill_cascades_to_calls_not_to_sends() {
    check(
        "invoke S/h #1; #1 call(1,2,T/h) call(3,4,O/k/x) send(5,S/h); #a call(1,2,S/h)
         kill #1
         #c out(ok) end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) forward(#1/1 CallInvocationId!1=#a) forward(#1/1 CallInvocationId!3=#b) forward(#1/1 CallInvocationId!5=#c) start(#a/1 v7 [Input]) start(#b/1 v7 [Input]) start(#c/1 v7 [Input]) forward(#a/1 CallInvocationId!1=#d) start(#d/1 v7 [Input])
            abort(#1/1) completed(#1 409:killed) reply(r2 done) abort(#a/1) completed(#a 409:killed) abort(#b/1) completed(#b 409:killed) abort(#d/1) completed(#d 409:killed)
            end(#c/1) completed(#c ok)
        "#]],
    );
}

#[test]
fn a_kill_spares_calls_that_have_ended() {
    check(
        "send S/h #1; #1 call(1,2,T/h,ik=x); #a out(v) end; kill #1
         output #a",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input] key x) end(#a/1) completed(#a v) forward(#1/1 Call!2=v) abort(#1/1) completed(#1 409:killed) reply(r2 done)
            reply(r3 #a v until @60000)
        "#]],
    );
}

#[test]
fn a_kill_spares_calls_that_were_only_joined() {
    check(
        "send S/h #1; send S/h #2; #1 call(1,2,T/h,ik=x); #2 call(1,2,T/h,ik=x)
         kill #2
         send S/h #3; #3 call(1,2,T/h,ik=x); kill #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2) forward(#1/1 CallInvocationId!1=#a) start(#a/1 v7 [Input] key x) forward(#2/1 CallInvocationId!1=#a)
            abort(#2/1) completed(#2 409:killed) reply(r3 done)
            start(#3/1 v7 [Input]) reply(r4 accepted #3) forward(#3/1 CallInvocationId!1=#a) abort(#1/1) completed(#1 409:killed) reply(r5 done) abort(#a/1) completed(#a 409:killed) forward(#3/1 Call!2=409:killed)
        "#]],
    );
}

#[test]
fn the_caller_of_a_killed_call_is_told() {
    check(
        "send S/h #1; #1 call(1,2,T/h) suspend(2,s1); kill #a",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) forward(#1/1 CallInvocationId!1=#a) end(#1/1) start(#a/1 v7 [Input]) abort(#a/1) completed(#a 409:killed) reply(r2 done) start(#1/2 v7 [Input Call CallInvocationId!1=#a Call!2=409:killed])
    "#]],
    );
}

#[test]
fn a_cancelled_handler_decides_how_it_ends() {
    check(
        "invoke S/h #1; #1 call(1,2,T/h) suspend(2,s1); cancel #1
         #1 signal(#a,1,void) out(!409:Cancelled) end
         #a out(!409:Cancelled) end",
        expect![[r#"
            start(#1/1 v7 [Input]) park(r1 #1) forward(#1/1 CallInvocationId!1=#a) end(#1/1) start(#a/1 v7 [Input]) start(#1/2 v7 [Input Call CallInvocationId!1=#a cancel]) reply(r2 accept)
            end(#1/2) completed(#1 409:Cancelled) forward(#a/1 cancel)
            end(#a/1) completed(#a 409:Cancelled)
        "#]],
    );
}

#[test]
fn every_cancel_of_a_running_handler_is_stored() {
    check(
        "with rr; send S/h #1; cancel #1; cancel #1; show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept) reply(r3 accept) #1 Running [Input cancel cancel]
    "#]],
    );
}
