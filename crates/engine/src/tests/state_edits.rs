//! State edits: applied when no handler that may write is at work, in their turn, once.

use expect_test::expect;

use super::{check, check_after};
use crate::state_edit::{STATE_EDITS_WAITING_MAX, version_of};

#[test]
fn an_edit_of_an_idle_key_is_applied_at_once() {
    check(
        "edit O/k a=1 b=2; state O/k; edit O/k c=3; state O/k; send O/k/x #1; edit O/other; #1 out(v) end
         edit O/k; state O/k; edit W/k a=1; state W/k",
        expect![[r#"
            reply(r1 accept) {a=1 b=2} reply(r2 accept) {c=3} start(#1/1 v7 [Input] c=3) reply(r3 accepted #1) reply(r4 accept) end(#1/1) completed(#1 v)
            reply(r5 accept) {} reply(r6 accept) {a=1}
        "#]],
    );
}

#[test]
fn an_edit_waits_for_the_handler_that_holds_the_lock() {
    check(
        "send O/k/x #1; #1 set(a,1); edit O/k b=2; state O/k; #1 set(a,3); send O/k/x #2; edit O/k c=4
         edit O/k d=5; send O/k/x #3; state O/k
         #1 out(v) end; state O/k
         #2 set(e,6) out(v) end; state O/k
         #3 out(v) end; state O/k",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept) {a=1} reply(r3 accepted #2) reply(r4 accept)
            reply(r5 accept) reply(r6 accepted #3) {a=3}
            end(#1/1) completed(#1 v) start(#2/1 v7 [Input] b=2) {b=2}
            end(#2/1) completed(#2 v) start(#3/1 v7 [Input] d=5) {d=5}
            end(#3/1) completed(#3 v) {d=5}
        "#]],
    );
}

#[test]
fn however_the_handler_ends_the_edit_is_applied() {
    check(
        "send O/k/x #1; edit O/k a=1; kill #1; state O/k
         send O/k/x #2; #2 error(500,no,pause); edit O/k a=2; state O/k; cancel #2; #2 out(v) end; state O/k
         send O/k/x #3; #3 suspend(s17,s1); edit O/k a=3; state O/k; resolve #3.17 v; #3 out(v) end; state O/k
         send O/k/x #4; send O/k/x #5; edit O/k a=4; cancel #5; #4 out(v) end; state O/k",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept) abort(#1/1) completed(#1 409:killed) reply(r3 done) {a=1}
            start(#2/1 v7 [Input] a=1) reply(r4 accepted #2) end(#2/1) reply(r5 accept) {a=1} start(#2/2 v7 [Input cancel] a=1) reply(r6 accept) end(#2/2) completed(#2 v) {a=2}
            start(#3/1 v7 [Input] a=2) reply(r7 accepted #3) end(#3/1) reply(r8 accept) {a=2} start(#3/2 v7 [Input s17=v] a=2) reply(r9 completed resolve @0) end(#3/2) completed(#3 v) {a=3}
            start(#4/1 v7 [Input] a=3) reply(r10 accepted #4) reply(r11 accepted #5) reply(r12 accept) completed(#5 409:canceled) reply(r13 done) end(#4/1) completed(#4 v) {a=4}
        "#]],
    );
}

#[test]
fn shared_handlers_do_not_hold_edits_up() {
    check(
        "send O/k/s #1; edit O/k a=1; state O/k; send O/k/s #2",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept) {a=1} start(#2/1 v7 [Input] a=1) reply(r3 accepted #2)
    "#]],
    );
}

#[test]
fn an_edit_of_a_workflow_waits_for_the_run() {
    check(
        "send W/k/run #1; #1 set(a,1); edit W/k b=2; edit W/k c=3; state W/k; send W/k/s #2
         #1 out(v) end; state W/k; edit W/k d=4; state W/k; purge #1; state W/k
         send W/l/run #3 at=+10; edit W/l a=1; state W/l; tick 10; edit W/l b=2; kill #3; state W/l
         with workflow=0; send W/m/run #4; edit W/m a=1; #4 out(v) end; state W/m",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) reply(r2 accept) reply(r3 accept) {a=1} start(#2/1 v7 [Input] a=1) reply(r4 accepted #2)
            end(#1/1) completed(#1 v) {c=3} reply(r5 accept) {d=4} reply(r6 done) {}
            reply(r7 accepted #3 @10) reply(r8 accept) {a=1} start(#3/1 v7 [Input] a=1) reply(r9 accept) abort(#3/1) completed(#3 409:killed) reply(r10 done) {b=2}
            start(#4/1 v7 [Input]) reply(r11 accepted #4) reply(r12 accept) end(#4/1) completed(#4 v) {}
        "#]],
    );
}

#[test]
fn an_edit_of_an_expired_run_finds_no_state() {
    check(
        "with workflow=100; send W/k/run #1; #1 set(a,1) out(v) end; pass 100; state W/k; edit W/k v b=1
         edit W/k c=1; state W/k",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 v) {a=1} reply(r2 conflict: The state of 'W/k' has changed since the given version was read. Read it again, or leave the version out to replace it whatever it is.)
            reply(r3 accept) {c=1}
        "#]],
    );
}

#[test]
fn a_version_guards_against_what_happened_meanwhile() {
    check(
        "edit O/k a=1; state O/k; edit O/k v a=2; edit O/k v a=3; state O/k
         send O/k/x #1; edit O/k v a=4; #1 out(v) end; state O/k
         send O/k/x #2; edit O/k v a=5; #2 set(a,6) out(v) end; state O/k
         send O/k/x #3; edit O/k v a=7; edit O/k v a=8; #3 out(v) end; state O/k
         send W/k/run #4; state W/k; edit W/k v a=1; #4 set(a,2); edit W/k v a=3; #4 out(v) end; state W/k",
        expect![[r#"
            reply(r1 accept) {a=1} reply(r2 accept) reply(r3 conflict: The state of 'O/k' has changed since the given version was read. Read it again, or leave the version out to replace it whatever it is.) {a=2}
            start(#1/1 v7 [Input] a=2) reply(r4 accepted #1) reply(r5 accept) end(#1/1) completed(#1 v) {a=4}
            start(#2/1 v7 [Input] a=4) reply(r6 accepted #2) reply(r7 accept) end(#2/1) completed(#2 v) dropped(O/k) {a=6}
            start(#3/1 v7 [Input] a=6) reply(r8 accepted #3) reply(r9 accept) reply(r10 accept) end(#3/1) completed(#3 v) dropped(O/k) {a=7}
            start(#4/1 v7 [Input]) reply(r11 accepted #4) {} reply(r12 accept) reply(r13 conflict: The state of 'W/k' has changed since the given version was read. Read it again, or leave the version out to replace it whatever it is.) end(#4/1) completed(#4 v) dropped(W/k) {a=2}
        "#]],
    );
}

#[test]
fn what_has_no_state_cannot_be_edited() {
    check(
        "edit S/k a=1; edit X/k a=1; with without=O; edit O/k a=1",
        expect![[r#"
        reply(r1 invalid: Cannot modify state for service type Service) reply(r2 invalid: The service 'X' is not registered) reply(r3 invalid: The service 'O' is not registered)
    "#]],
    );
}

#[test]
fn edits_that_wait_are_bounded() {
    let edits = "edit O/k a=1; edit W/k a=1\n".repeat(STATE_EDITS_WAITING_MAX as usize);
    check_after(
        &format!("send O/k/x #1; send W/k/run #2\n{edits}"),
        "edit O/k a=2; edit W/k a=2
         #1 out(v) end; #2 out(v) end; state O/k; state W/k; edit O/k a=3; edit W/k a=3",
        expect![[r#"
            reply(r131 unavailable: 64 state edits of 'O/k' wait already, retry when its handler has ended) reply(r132 unavailable: 64 state edits of 'W/k' wait already, retry when its handler has ended)
            end(#1/1) completed(#1 v) end(#2/1) completed(#2 v) {a=1} {a=1} reply(r133 accept) reply(r134 accept)
        "#]],
    );
}

#[test]
fn versions_tell_states_apart() {
    let states: [&[(&[u8], &[u8])]; 6] = [
        &[],
        &[(b"", b"")],
        &[(b"a", b"1")],
        &[(b"a1", b"")],
        &[(b"a", b"1"), (b"b", b"")],
        &[(b"a", b""), (b"1b", b"")],
    ];
    let versions: std::collections::BTreeSet<_> =
        states.iter().map(|state| version_of(state.iter().copied())).collect();
    assert_eq!(versions.len(), states.len());
}
