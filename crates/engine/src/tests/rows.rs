//! The key table, and that [`crate::check::check_rows`] finds what is wrong.

use bytes::Bytes;
use expect_test::expect;
use reveille_protocol::id::{InvocationId, SubscriptionId};

use crate::check::check_rows;
use crate::command::{Caller, Target};
use crate::identity;
use crate::keys::{self, Instance, Timer, TimerKind, tag};
use crate::record::{InvocationRecord, decode, encode};

use super::{World, script};

fn ids() -> [InvocationId; 3] {
    [[0; 24], [9; 24], [255; 24]].map(InvocationId::from_bytes)
}

#[test]
fn timers_are_read_back_and_sorted_by_time() {
    let kinds = [TimerKind::Start, TimerKind::Sleep, TimerKind::Purge, TimerKind::PurgeJournal];
    let mut written = Vec::new();
    for due in [0, 1, 255, 256, u64::MAX] {
        for kind in kinds {
            for id in ids() {
                let timer = Timer { due, kind, id, number: 7 };
                let key = keys::timer(timer);
                assert_eq!(keys::parse_timer(&key), Some(timer));
                assert_eq!(keys::parse_timer(&key[1..]), None);
                written.push(key);
            }
        }
    }
    assert!(written.is_sorted());
    let mut unknown = written[0].to_vec();
    unknown[9] = 9;
    assert_eq!(keys::parse_timer(&unknown), None);
}

#[test]
fn outbox_keys_are_read_back_and_sorted_by_number() {
    let keys: Vec<_> = [(0, 1), (0, 256), (1, 0), (u16::MAX, u64::MAX)]
        .into_iter()
        .map(|(to, seq)| {
            assert_eq!(keys::parse_outbox(&keys::outbox(to, seq)), Some((to, seq)));
            keys::outbox(to, seq)
        })
        .collect();
    assert!(keys.is_sorted());
    assert_eq!(keys::parse_outbox(&keys::outbox_seq(1)), None);
}

#[test]
fn callers_are_read_back() {
    let instance = Instance { scope: None, service: "W", key: "k" };
    for id in ids() {
        let caller = Caller { id, created_at: u64::MAX - 1, completion_id: 3 };
        for key in [keys::attached(ids()[1], &caller), keys::promise_waiter(instance, "p", &caller)]
        {
            assert_eq!(keys::parse_caller(&key), Some(caller));
        }
        assert_eq!(keys::parse_id(&keys::invocation(id)[1..]), Some(id));
    }
    assert_eq!(keys::parse_caller(b"short"), None);
}

#[test]
fn ranges_hold_their_own_rows_and_no_others() {
    let contains = |range: &(Bytes, Bytes), key: &Bytes| *key >= range.0 && *key < range.1;
    for id in ids() {
        let range = keys::of_invocation(tag::JOURNAL, id);
        for other in ids() {
            for index in [0, 1, u32::MAX] {
                assert_eq!(contains(&range, &keys::journal(other, index)), other == id);
            }
            assert!(!contains(&range, &keys::pending(other, 1)));
        }
    }
    let instances = [("O", "k"), ("O", "k2"), ("O", ""), ("Ok", ""), ("", "Ok"), ("O", "\u{ff}")];
    let scopes = [None, Some("O"), Some("s"), Some("s2")];
    let instances: Vec<_> = instances
        .into_iter()
        .flat_map(|(service, key)| scopes.map(|scope| Instance { scope, service, key }))
        .collect();
    let name = |instance: &Instance<'_>| format!("{instance:?}");
    for own in &instances {
        let range = keys::of_instance_range(tag::STATE, *own);
        for instance in instances.iter().copied() {
            let row = keys::state(instance, b"a");
            assert_eq!(contains(&range, &row), name(&instance) == name(own));
            assert_eq!(&row[keys::instance_prefix_len(instance)..], b"a");
        }
    }
    let instance = Instance { scope: None, service: "W", key: "k" };
    let caller = Caller { id: ids()[1], created_at: 1, completion_id: 1 };
    let range = keys::promise_waiters(instance, "p");
    assert!(contains(&range, &keys::promise_waiter(instance, "p", &caller)));
    assert!(!contains(&range, &keys::promise_waiter(instance, "p2", &caller)));
    let (start, end) = keys::wait_range(5);
    let wait = |since| keys::wait(since, ids()[1], 1, 0);
    assert!(contains(&(start.clone(), end.clone()), &wait(5)));
    assert!(!contains(&(start, end), &wait(4)));
}

#[test]
fn queue_positions_sort_as_numbers() {
    let instance = Instance { scope: None, service: "O", key: "k" };
    let keys: Vec<_> = [0, 1, 255, 256, u64::MAX].map(|at| keys::queue(instance, at)).into();
    assert!(keys.is_sorted());
}

/// A world with at least one row in every table.
fn full_world() -> World {
    let mut world = World::new();
    for statement in [
        "partitions 2",
        "send O/a/x #1",
        "send O/a/x #2",
        "send W/a/run #3",
        "send S/h #4 at=+100",
        "send S/h #5",
        "send S/h #6",
        "#1 set(s,1) sleep(1,+50) signal(#3,go,x) attach(2,#5) attach(3,O/c/x)",
        "#3 promise(1,p) suspend(race(s1,s17,1))",
        "resolve #3.18 v",
        "#5 call(1,2,O/b/x) call(3,4,O/c/x)",
        "#6 out(v) end",
        "rules sc=1",
        "send sc@S/h #7 lk=a/b",
        "send sc@S/h #8 lk=a/b",
        "take O/a/x #9 0@1",
    ] {
        script::statement(&mut world, statement);
    }
    for (from, to, seq, _) in world.mail.clone() {
        script::statement(&mut world, &format!("hand {from} {to} {seq}"));
    }
    world
}

#[test]
fn every_missing_row_is_found() {
    let world = full_world();
    let free = [tag::STATE, tag::PROMISE, tag::OUTBOX, tag::INBOUND_SEQ, tag::OFFSET];
    let mut tags = std::collections::BTreeSet::new();
    for rows in world.partitions.iter().map(|partition| &partition.0) {
        let all = || rows.iter().map(|(key, value)| (key.clone(), value.clone()));
        assert_eq!(check_rows(all()), Ok(()));
        for missing in rows.keys() {
            tags.insert(missing[0]);
            let found = check_rows(all().filter(|(key, _)| key != missing)).is_err();
            assert_eq!(found, !free.contains(&missing[0]), "without {missing:?}");
        }
    }
    assert_eq!(tags.len(), 19, "a row of every table is needed: {tags:?}");
}

#[test]
fn offsets_are_read_back_and_ranged_by_subscription() {
    let table = [(0, 0, ""), (0, 1, "t"), (1, u32::MAX, "t"), (u128::MAX, 0, "topic")];
    let rows = table.map(|(id, partition, topic)| {
        let key = keys::offset(SubscriptionId(id), partition, topic);
        let at = keys::parse_offset(&key, &7_u64.to_be_bytes()).expect("an offset");
        assert_eq!((at.subscription.0, at.partition, at.topic.as_str()), (id, partition, topic));
        assert_eq!(at.offset, 7);
        assert_eq!(keys::parse_offset(&key, &[7]), None);
        key
    });
    assert!(rows.is_sorted());
    for (id, count) in [(0, 2), (1, 1), (2, 0), (u128::MAX, 1)] {
        let (start, end) = keys::of_subscription_range(SubscriptionId(id));
        assert_eq!(rows.iter().filter(|key| **key >= start && **key < end).count(), count, "{id}");
    }
}

#[test]
fn every_row_too_many_is_found() {
    let world = full_world();
    let [zero, nine, _] = ids();
    let instance = Instance { scope: None, service: "O", key: "other" };
    let caller = Caller { id: nine, created_at: 1, completion_id: 1 };
    let timer = Timer { due: 1, kind: TimerKind::Start, id: nine, number: 0 };
    let rows = &world.partitions[0].0;
    for (key, value) in [
        (keys::journal(nine, 0), Bytes::new()),
        (keys::pending(nine, 0), Bytes::new()),
        (keys::decision(nine, 17), Bytes::new()),
        (keys::attached(nine, &caller), Bytes::new()),
        (keys::lock(instance), encode(&crate::record::LockRecord::default())),
        (keys::queue(instance, 1), crate::message::id_bytes(zero)),
        (keys::promise_waiter(instance, "p", &caller), Bytes::new()),
        (keys::timer(timer), Bytes::new()),
        (keys::wait(1, nine, 1, 0), Bytes::new()),
        (keys::in_flight(nine), Bytes::new()),
        (keys::outbox(5, 1), Bytes::new()),
        (keys::level(&["other"]), encode(&crate::level::LevelRecord::default())),
        (keys::limited(["sc", "", ""], false, 7), crate::message::id_bytes(zero)),
        (keys::offset(SubscriptionId(1), 0, "topic"), Bytes::new()),
        (Bytes::from_static(b"k"), Bytes::from_static(&[0; 8])),
        (Bytes::from_static(b"?"), Bytes::new()),
        (Bytes::new(), Bytes::new()),
    ] {
        let all = rows.iter().map(|(key, value)| (key.clone(), value.clone()));
        assert!(check_rows(all.chain([(key.clone(), value)])).is_err(), "with {key:?}");
    }
}

#[test]
fn a_record_that_contradicts_itself_is_found() {
    let world = full_world();
    type Change = fn(&mut InvocationRecord);
    let changes: [(&str, Change); 10] = [
        ("#1", |record| record.journal_len += 1),
        ("#1", |record| record.commands_len += 1),
        ("#1", |record| record.pending_len += 1),
        ("#1", |record| record.seen = record.journal_len + 1),
        ("#1", |record| record.next_retry_at = Some(1)),
        ("#3", |record| record.awaiting = None),
        ("#3", |record| record.waits.clear()),
        ("#2", |record| record.queue_position += 1),
        ("#7", |record| record.limit_key = Some("a".to_owned())),
        ("#8", |record| record.limited_position += 1),
    ];
    for (at, (alias, change)) in changes.into_iter().enumerate() {
        let key = keys::invocation(world.id(alias));
        let rows = &world.partitions[usize::from(world.partition_of(world.id(alias)))].0;
        let all = rows.iter().map(|(row, value)| {
            if *row != key {
                return (row.clone(), value.clone());
            }
            let mut record: InvocationRecord = decode(row, value).expect("a record");
            change(&mut record);
            (row.clone(), encode(&record))
        });
        assert!(check_rows(all).is_err(), "change {at} of {alias}");
    }
}

/// Directories of older versions know no scopes: what is outside of them keeps its ids and keys.
#[test]
fn ids_and_keys_outside_of_scopes_never_change() {
    let target = |scope: Option<&str>, key: Option<&str>| Target {
        scope: scope.map(str::to_owned),
        service: "O".to_owned(),
        key: key.map(str::to_owned),
        handler: "x".to_owned(),
    };
    let id = |target: &Target| identity::idempotent_id(target, "ik").to_string();
    let key = |scope| {
        let row = keys::state(Instance { scope, service: "O", key: "k" }, b"a");
        String::from_utf8_lossy(&row).escape_debug().to_string()
    };
    let found = [
        identity::workflow_run_id(None, "W", "k").to_string(),
        id(&target(None, Some("k"))),
        id(&target(None, None)),
        key(None),
        identity::workflow_run_id(Some("s"), "W", "k").to_string(),
        id(&target(Some("s"), Some("k"))),
        id(&target(Some("s"), None)),
        key(Some("s")),
    ];
    expect![[r#"
        inv_1ewhPOopLQSx6M2aZB4jxQa0jt46miTt2M
        inv_1ewhPOopLQSx05lEPuUxNr9fN5Hz59p2Ru
        inv_1ltLvchm5dJD3Tatz5AdXEavO4ayyDuc7T
        s\0\u{1}O\0\u{1}ka
        inv_1iqYOKXxXA4P0KQ0UWEVT5QJfADKGzz8AX
        inv_1iqYOKXxXA4P056rR5NiG4UOIiYP3LgdCQ
        inv_1iqYOKXxXA4P3I3qVnD7wX2dMs9rBUpuuK
        s��\0\u{1}s\0\u{1}O\0\u{1}ka"#]]
    .assert_eq(&found.join("\n"));
}
