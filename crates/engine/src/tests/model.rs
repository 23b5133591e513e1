//! The naive model of suspension: the rule of the protocol, evaluated over the whole tree and all news
//! each time. The engine settles trees step by step; both must agree that a sleeper may sleep.

use reveille_protocol::message::{CombinatorType, Future, Notification};

use crate::await_tree::Leaf;
use crate::journal::is_failure;
use crate::keys::{self, tag};
use crate::record::{InvocationRecord, JournalEntry, Status, decode};

use super::world::World;

/// Checks that no suspended invocation has what it waits for.
pub fn nobody_sleeps_too_long(world: &World) {
    for rows in world.partitions.iter().map(|partition| &partition.0) {
        let (start, end) = keys::table(tag::INVOCATION);
        for (key, value) in rows.range(start..end) {
            let record: InvocationRecord = decode(key, value).expect("a record decodes");
            if record.status() != Status::Suspended {
                continue;
            }
            let id = keys::parse_id(&key[1..]).expect("an id");
            let news = (record.seen..record.journal_len).filter_map(|index| {
                let key = keys::journal(id, index);
                let entry = JournalEntry::decode(&key, &rows[&key]).expect("an entry");
                let notification = entry.frame.ty.is_notification();
                notification.then(|| entry.frame.decode().expect("a notification"))
            });
            let news: Vec<Notification> = news.collect();
            let tree = &world.trees[&id];
            assert!(!goes_on(tree, &news), "{tree:?} sleeps on {news:?}: {:#?}", world.output);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Pending,
    Succeeded,
    Failed,
}

fn goes_on(tree: &Future, news: &[Notification]) -> bool {
    state(tree, news) != State::Pending || unknown_is_done(tree, news)
}

fn unknown_is_done(node: &Future, news: &[Notification]) -> bool {
    let unknown = node.combinator_type() == CombinatorType::Unknown;
    unknown && state(node, news) != State::Pending
        || node.nested_futures.iter().any(|nested| unknown_is_done(nested, news))
}

fn state(node: &Future, news: &[Notification]) -> State {
    let completions = node.waiting_completions.iter().map(|id| Leaf::Completion(*id));
    let signals = node.waiting_signals.iter().map(|index| Leaf::Signal(*index));
    let names = node.waiting_named_signals.iter().map(|name| Leaf::Named(name.clone()));
    let leaves = completions.chain(signals).chain(names).map(|leaf| leaf_state(&leaf, news));
    let nested = node.nested_futures.iter().map(|nested| state(nested, news));
    let children: Vec<State> = leaves.chain(nested).collect();
    let any = |wanted| children.contains(&wanted);
    let all = |wanted| children.iter().all(|child| *child == wanted);
    match node.combinator_type() {
        CombinatorType::Unknown | CombinatorType::FirstCompleted => {
            let done = children.iter().find(|child| **child != State::Pending);
            done.copied().unwrap_or(State::Pending)
        }
        CombinatorType::AllCompleted if any(State::Pending) => State::Pending,
        CombinatorType::AllCompleted => State::Succeeded,
        CombinatorType::FirstSucceededOrAllFailed if any(State::Succeeded) => State::Succeeded,
        CombinatorType::FirstSucceededOrAllFailed if all(State::Failed) => State::Failed,
        CombinatorType::AllSucceededOrFirstFailed if any(State::Failed) => State::Failed,
        CombinatorType::AllSucceededOrFirstFailed if all(State::Succeeded) => State::Succeeded,
        _ => State::Pending,
    }
}

fn leaf_state(leaf: &Leaf, news: &[Notification]) -> State {
    match news.iter().find(|notification| Leaf::of(notification).as_ref() == Some(leaf)) {
        None => State::Pending,
        Some(notification) if is_failure(notification) => State::Failed,
        Some(_) => State::Succeeded,
    }
}
