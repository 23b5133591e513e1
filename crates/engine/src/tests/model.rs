//! The naive model of suspension: the rule of the protocol, evaluated over the whole tree and all news
//! each time. The engine settles trees step by step; both must agree that a sleeper may sleep.

use std::collections::BTreeMap;

use reveille_protocol::message::{CombinatorType, Future, Notification};

use crate::await_tree::Leaf;
use crate::journal::is_failure;
use crate::keys::{self, tag};
use crate::level::Levels;
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

/// Units in use by level, counted from the records.
pub type Usage = BTreeMap<Vec<String>, u32>;

/// Counts the units in use in a partition, without the rows that the engine keeps for them.
pub fn usage(world: &World, partition: u16) -> Usage {
    let mut usage = Usage::new();
    for record in scoped(world, partition) {
        if matches!(record.status(), Status::Running | Status::BackingOff) {
            for level in Levels::of(&record).expect("only those with a scope").iter() {
                *usage.entry(owned(level)).or_default() += 1;
            }
        }
    }
    usage
}

/// Checks that no level went beyond its limit in a step, and that whoever queues would not fit.
pub fn limits_are_kept(world: &World, partition: u16, before: &Usage) {
    let after = usage(world, partition);
    let limit = |level: &[&str]| world.schema.rules.limit(level).map(|limit| limit.concurrency);
    for (level, used) in &after {
        let names: Vec<&str> = level.iter().map(String::as_str).collect();
        let grew = *used > before.get(level).copied().unwrap_or(0);
        let over = limit(&names).is_some_and(|limit| *used > limit);
        assert!(!(grew && over), "{level:?} uses {used}: {:#?}", world.output);
    }
    for record in scoped(world, partition) {
        let levels = Levels::of(&record).expect("only those with a scope");
        let used = |level: &[&str]| after.get(&owned(level)).copied().unwrap_or(0);
        let full = |level: &[&str]| limit(level).is_some_and(|limit| used(level) >= limit);
        let kept_back = record.status() != Status::Limited || levels.iter().any(full);
        assert!(kept_back, "{record:?} queues for nothing: {:#?}", world.output);
    }
}

fn owned(level: &[&str]) -> Vec<String> {
    level.iter().map(|name| (*name).to_owned()).collect()
}

fn scoped(world: &World, partition: u16) -> Vec<InvocationRecord> {
    let (start, end) = keys::table(tag::INVOCATION);
    let rows = world.partitions[usize::from(partition)].0.range(start..end);
    let records = rows.map(|(key, value)| decode(key, value).expect("a record decodes"));
    records.filter(|record: &InvocationRecord| record.scope.is_some()).collect()
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
