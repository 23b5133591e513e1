//! What operators are answered in each state, and what it leads to: one table for all of it.

use expect_test::{Expect, expect};

use super::{World, script};

/// How to bring `#1` into a state.
const STATES: &[(&str, &str)] = &[
    ("scheduled", "send S/h #1 at=+1000"),
    ("queued", "send O/k/x #2; send O/k/x #1"),
    ("running", "send S/h #1"),
    ("pausing", "send S/h #1; pause #1"),
    ("backing off", "send S/h #1; #1 error(500,no)"),
    ("suspended", "send S/h #1; #1 suspend(s17,s1)"),
    ("paused", "send S/h #1; #1 error(500,no,pause)"),
    ("exhausted", "with max=1; send S/h #1; #1 error(500,no)"),
    ("completed", "send S/h #1; #1 out(v) end"),
    ("killed", "send S/h #1; kill #1"),
    ("expired", "send S/h #1; #1 out(v) end; pass 60000"),
    ("unknown", ""),
];

/// The verb in each state: its reply, then the state of the invocation and its output.
fn check(verb: &str, expected: Expect) {
    let mut lines = String::new();
    for (state, script) in STATES {
        let mut world = World::new();
        for statement in script.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            script::statement(&mut world, statement);
        }
        world.output.clear();
        script::statement(
            &mut world,
            &format!("{verb} #1{}", if verb == "restart" { " 0" } else { "" }),
        );
        let reply = world.output.iter().find(|shown| shown.starts_with("reply(")).cloned();
        let reply = reply.expect("each verb is answered");
        let (_, reply) = reply.split_once(' ').expect("a request and its reply");
        let reply = reply.trim_end_matches(')').replace("The invocation '#1'", "It");
        let id = world.id("#1");
        let status =
            world.record(id).map_or("gone".to_owned(), |record| format!("{:?}", record.status()));
        world.output.clear();
        script::statement(&mut world, "output #1");
        let output = world.output.pop().unwrap_or_default();
        let (_, output) = output.split_once(' ').expect("a request and its reply");
        let output = output.trim_end_matches(')');
        lines += &format!("{state:<11} | {reply} | {status} | {output}\n");
        world.forget_everything();
    }
    expected.assert_eq(&lines);
}

#[test]
fn cancel() {
    check(
        "cancel",
        expect![[r#"
        scheduled   | done | gone | not found #1
        queued      | done | gone | not found #1
        running     | accept | Running | not ready #1
        pausing     | accept | Running | not ready #1
        backing off | accept | BackingOff | not ready #1
        suspended   | accept | Running | not ready #1
        paused      | accept | Running | not ready #1
        exhausted   | accept | Running | not ready #1
        completed   | conflict: It was already completed. | Completed | #1 v until @60000
        killed      | conflict: It was already completed. | Completed | #1 409:killed until @60000
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}

#[test]
fn kill() {
    check(
        "kill",
        expect![[r#"
        scheduled   | done | gone | not found #1
        queued      | done | gone | not found #1
        running     | done | Completed | #1 409:killed until @60000
        pausing     | done | Completed | #1 409:killed until @60000
        backing off | done | Completed | #1 409:killed until @60000
        suspended   | done | Completed | #1 409:killed until @60000
        paused      | done | Completed | #1 409:killed until @60000
        exhausted   | done | Completed | #1 409:killed until @60000
        completed   | conflict: It was already completed. | Completed | #1 v until @60000
        killed      | conflict: It was already completed. | Completed | #1 409:killed until @60000
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}

#[test]
fn pause() {
    check(
        "pause",
        expect![[r#"
        scheduled   | conflict: It is not running, cannot be paused. | Scheduled | not ready #1
        queued      | conflict: It is not running, cannot be paused. | Queued | not ready #1
        running     | accept | Running | not ready #1
        pausing     | accept | Running | not ready #1
        backing off | accept | Paused | not ready #1
        suspended   | done | Suspended | not ready #1
        paused      | done | Paused | not ready #1
        exhausted   | done | Paused | not ready #1
        completed   | conflict: It is not running, cannot be paused. | Completed | #1 v until @60000
        killed      | conflict: It is not running, cannot be paused. | Completed | #1 409:killed until @60000
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}

#[test]
fn resume() {
    check(
        "resume",
        expect![[r#"
        scheduled   | too early: It is either inboxed or scheduled, cannot be resumed. | Scheduled | not ready #1
        queued      | too early: It is either inboxed or scheduled, cannot be resumed. | Queued | not ready #1
        running     | done | Running | not ready #1
        pausing     | done | Running | not ready #1
        backing off | done | Running | not ready #1
        suspended   | done | Running | not ready #1
        paused      | done | Running | not ready #1
        exhausted   | done | Running | not ready #1
        completed   | conflict: It is completed, cannot be resumed. | Completed | #1 v until @60000
        killed      | conflict: It is completed, cannot be resumed. | Completed | #1 409:killed until @60000
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}

#[test]
fn purge() {
    check(
        "purge",
        expect![[r#"
        scheduled   | conflict: It is not yet completed. | Scheduled | not ready #1
        queued      | conflict: It is not yet completed. | Queued | not ready #1
        running     | conflict: It is not yet completed. | Running | not ready #1
        pausing     | conflict: It is not yet completed. | Running | not ready #1
        backing off | conflict: It is not yet completed. | BackingOff | not ready #1
        suspended   | conflict: It is not yet completed. | Suspended | not ready #1
        paused      | conflict: It is not yet completed. | Paused | not ready #1
        exhausted   | conflict: It is not yet completed. | Paused | not ready #1
        completed   | done | gone | not found #1
        killed      | done | gone | not found #1
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}

#[test]
fn purge_journal() {
    check(
        "purge-journal",
        expect![[r#"
        scheduled   | conflict: It is not yet completed. | Scheduled | not ready #1
        queued      | conflict: It is not yet completed. | Queued | not ready #1
        running     | conflict: It is not yet completed. | Running | not ready #1
        pausing     | conflict: It is not yet completed. | Running | not ready #1
        backing off | conflict: It is not yet completed. | BackingOff | not ready #1
        suspended   | conflict: It is not yet completed. | Suspended | not ready #1
        paused      | conflict: It is not yet completed. | Paused | not ready #1
        exhausted   | conflict: It is not yet completed. | Paused | not ready #1
        completed   | done | Completed | #1 v until @60000
        killed      | done | Completed | #1 409:killed until @60000
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}

#[test]
fn restart() {
    check(
        "restart",
        expect![[r#"
        scheduled   | too early: It cannot be restarted because it's not running yet. | Scheduled | not ready #1
        queued      | too early: It cannot be restarted because it's not running yet. | Queued | not ready #1
        running     | conflict: It is still running. | Running | not ready #1
        pausing     | conflict: It is still running. | Running | not ready #1
        backing off | conflict: It is still running. | BackingOff | not ready #1
        suspended   | conflict: It is still running. | Suspended | not ready #1
        paused      | conflict: It is still running. | Paused | not ready #1
        exhausted   | conflict: It is still running. | Paused | not ready #1
        completed   | accepted #a | Completed | #1 v until @60000
        killed      | accepted #a | Completed | #1 409:killed until @60000
        expired     | not found #1 | gone | not found #1
        unknown     | not found #1 | gone | not found #1
    "#]],
    );
}
