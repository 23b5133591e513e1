//! Await tree tests: a tree, what settles in turn, and whether the handler goes on each time.

use super::{Leaf, is_empty, leaves, settle};
use crate::tests::tree;

/// `+1` is a completion that succeeded, `-s17` a signal that failed, `+'go` a named signal.
fn parse(step: &str) -> (Leaf, bool) {
    let (failed, leaf) = (step.starts_with('-'), &step[1..]);
    let leaf = match (leaf.strip_prefix('s'), leaf.strip_prefix('\'')) {
        (Some(index), _) => Leaf::Signal(index.parse().expect("an index")),
        (_, Some(name)) => Leaf::Named(name.to_owned()),
        _ => Leaf::Completion(leaf.parse().expect("an id")),
    };
    (leaf, failed)
}

#[test]
fn combinators() {
    for (text, steps, expected) in [
        // First completed: anything, whatever its result.
        ("race(1,2)", "+3 +1", "-!"),
        ("race(1,2)", "-2", "!"),
        ("race(1,s17,'go)", "+s18 +'stop +'go", "--!"),
        ("race(1,s17,'go)", "+17 +s1 -s17", "-!!"),
        // Unknown: as first completed.
        ("unk(1,2)", "+3 -2", "-!"),
        // All completed: everything, whatever the results.
        ("all(1,2,3)", "+1 -3 +2", "--!"),
        ("all(1)", "-1", "!"),
        // First succeeded or all failed.
        ("any(1,2,3)", "-1 +3", "-!"),
        ("any(1,2,3)", "-1 -3 -2", "--!"),
        ("any(1)", "-1", "!"),
        // All succeeded or first failed.
        ("allok(1,2,3)", "+1 -3", "-!"),
        ("allok(1,2,3)", "+1 +3 +2", "--!"),
        ("allok(1)", "+1", "!"),
        // The same leaf twice, and a leaf that settled already.
        ("all(1,race(1,2))", "+1", "!"),
        ("all(1,2)", "+1 +1 +2", "--!"),
    ] {
        check(text, steps, expected);
    }
}

#[test]
fn nested() {
    for (text, steps, expected) in [
        ("race(s1,all(1,2))", "+1 +2", "-!"),
        ("race(s1,all(1,2))", "+s1", "!"),
        ("race(s1,any(1,2))", "-1 -2", "-!"),
        ("race(s1,any(1,2))", "-1 +2", "-!"),
        ("race(s1,allok(1,2))", "-2", "!"),
        ("all(race(1,2),race(3,4))", "+1 +2 -4", "--!"),
        ("all(race(1,2),race(3,4))", "+4 -2", "-!"),
        ("all(1,any(2,3))", "-2 -3 +1", "--!"),
        ("all(1,allok(2,3))", "-2 +1", "-!"),
        // The state of a child counts, not only that it is done.
        ("any(all(1,2),3)", "-1 -2", "-!"),
        ("any(any(1,2),3)", "-1 -2 -3", "--!"),
        ("any(any(1,2),3)", "-1 -2 +3", "--!"),
        ("any(race(1,2),3)", "-1 +3", "-!"),
        ("any(race(1,2),3)", "+1", "!"),
        ("allok(allok(1,2),3)", "+1 -2", "-!"),
        ("allok(any(1,2),3)", "-1 -2", "-!"),
        ("allok(race(1,2),3)", "+1 +3", "-!"),
        ("allok(race(1,2),3)", "-1", "!"),
        ("race(s1,race(all(1,any(2,3))))", "+1 -2 +3", "--!"),
    ] {
        check(text, steps, expected);
    }
}

#[test]
fn progress_of_an_unknown_node_is_enough() {
    for (text, steps, expected) in [
        ("race(s1,all(1,unk(2)))", "+1 +2", "-!"),
        ("race(s1,all(1,unk(2)))", "-2", "!"),
        ("all(unk(1),unk(2))", "+1", "!"),
        ("all(3,unk(all(1,2)))", "+1 +2", "-!"),
        ("all(3,unk(any(1,2)))", "-1 -2", "-!"),
        ("any(1,all(2,unk(3)))", "-3", "!"),
    ] {
        check(text, steps, expected);
    }
}

#[test]
fn a_cancel_is_enough_whatever_the_tree_says() {
    check("all(1,2)", "+s1", "!");
    check("1", "+s1", "!");
}

fn check(text: &str, steps: &str, expected: &str) {
    let mut tree = tree(&[text]);
    let goes_on = steps.split(' ').map(|step| {
        let (leaf, failed) = parse(step);
        if settle(&mut tree, &leaf, failed) { '!' } else { '-' }
    });
    assert_eq!(goes_on.collect::<String>(), expected, "{text}: {steps}");
}

#[test]
fn leaves_in_order_without_the_cancel_signal() {
    let tree = tree(&["race(s1,3,s17,'go,all(1,s1,any(2,s18)))"]);
    let expected = ["+3", "+s17", "+'go", "+1", "+2", "+s18"].map(|leaf| parse(leaf).0);
    assert_eq!(leaves(&tree), expected);
}

#[test]
fn what_is_left_shrinks() {
    let mut tree = tree(&["all(race(1,2),3,any(4,5))"]);
    for (step, left) in [("+2", 3), ("-4", 2), ("+5", 1), ("+3", 0)] {
        let (leaf, failed) = parse(step);
        settle(&mut tree, &leaf, failed);
        assert_eq!(leaves(&tree).len(), left, "after {step}");
    }
    assert!(is_empty(&tree));
}

#[test]
fn empty_trees() {
    for (text, expected) in
        [("race()", true), ("all(race(),any())", true), ("all(race(),1)", false)]
    {
        assert_eq!(is_empty(&tree(&[text])), expected, "{text}");
    }
}
