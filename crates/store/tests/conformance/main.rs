//! The conformance suite: the same scripts and the same random model run against every backend.
//!
//! - `script`: the little language of the tables, and the beds in which backends are opened.
//! - `model`: random steps, compared with ordered maps.
//! - Add a backend by adding a [`script::Bed`] to [`script::beds`].

mod model;
mod script;

use bytes::Bytes;
use reveille_store::{Batch, Commit, Epoch, KEY_BYTES_MAX, PartitionId, StoreError};
use script::{beds, check};

#[test]
fn commits_are_read_back() {
    check(&[
        ("x = acquire 0", "epoch 1 seq 0"),
        ("get 0 a", "-"),
        ("commit x#1 a=1 b=2", "ok"),
        ("get 0 a; get 0 b; get 0 c", "1; 2; -"),
        ("commit x#2 a=3", "ok"),
        ("get 0 a; get 0 b", "3; 2"),
        ("commit x#3", "ok"),
        ("commit x#4 !a !nothing", "ok"),
        ("get 0 a; get 0 b", "-; 2"),
        ("y = acquire 0", "epoch 2 seq 4"),
    ]);
}

#[test]
fn later_writes_of_a_key_win() {
    check(&[
        ("x = acquire 0", "epoch 1 seq 0"),
        ("commit x#1 a=1 a=2 b=1 !b c=1 !c c=3", "ok"),
        ("scan 0 a..z 9", "a=2 c=3"),
        ("commit x#2 a=4 | x#3 !a d=1 | x#4 a=5 !d", "ok ok ok"),
        ("scan 0 a..z 9", "a=5 c=3"),
        ("reopen; scan 0 a..z 9", "reopened; a=5 c=3"),
    ]);
}

#[test]
fn scans_have_bounds_limit_and_order() {
    check(&[
        ("x = acquire 1", "epoch 1 seq 0"),
        ("scan 1 ..z 9", ""),
        ("commit x#1 d=4 b=2 a=1 c=3 bb=22", "ok"),
        ("scan 1 a..e 9", "a=1 b=2 bb=22 c=3 d=4"),
        ("scan 1 b..d 9", "b=2 bb=22 c=3"),
        ("scan 1 b..b 9; scan 1 d..b 9; scan 1 e..z 9", "; ; "),
        ("scan 1 ..b 9", "a=1"),
        ("scan 1 ..z 2", "a=1 b=2"),
        ("scan 1 ba..z 1", "bb=22"),
        ("scan 1 ..z 0", ""),
        ("commit x#2 !b !c", "ok"),
        ("scan 1 ..z 2", "a=1 bb=22"),
    ]);
}

#[test]
fn keys_and_values_are_any_bytes() {
    check(&[
        ("x = acquire 0", "epoch 1 seq 0"),
        (r"commit x#1 =empty \00=1 \00\00=2 \ff=3 \ff\ff=4 a\00b= \fe\ff=\00\ff", "ok"),
        (r"get 0 ; get 0 \00; get 0 \00\00; get 0 \ff; get 0 \ff\ff", "empty; 1; 2; 3; 4"),
        (r"get 0 a\00b; get 0 a; get 0 \fe\ff", r"; -; \00\ff"),
        (r"scan 0 ..\00\00 9", r"=empty \00=1"),
        (r"scan 0 b..\ff\ff\ff 9", r"\fe\ff=\00\ff \ff=3 \ff\ff=4"),
        ("reopen; get 0 ", "reopened; empty"),
        (r"scan 0 \00..b 9", r"\00=1 \00\00=2 a\00b="),
    ]);
}

#[test]
fn superseded_leases_are_fenced() {
    check(&[
        ("x = acquire 0", "epoch 1 seq 0"),
        ("commit x#1 a=1", "ok"),
        ("y = acquire 0", "epoch 2 seq 1"),
        ("commit x#2 a=2", "fenced 1 by 2"),
        ("commit x#9 a=2", "fenced 1 by 2"),
        ("get 0 a", "1"),
        ("commit y#2 a=3 | x#3 a=4 | y#3 b=1", "ok fenced 1 by 2 ok"),
        ("scan 0 ..z 9", "a=3 b=1"),
        ("reopen; commit x#4 a=5; commit y#4 a=6", "reopened; fenced 1 by 2; ok"),
        ("z = acquire 0; commit y#5 a=7", "epoch 3 seq 4; fenced 2 by 3"),
        ("reopen; z = acquire 0", "reopened; epoch 4 seq 4"),
    ]);
}

#[test]
fn batches_follow_each_other() {
    check(&[
        ("x = acquire 0", "epoch 1 seq 0"),
        ("commit x#2 a=1; commit x#0 a=1", "order 2 for 1; order 0 for 1"),
        ("commit x#1 a=1; commit x#1 a=2", "ok; order 1 for 2"),
        ("commit x#2 b=1 | x#4 c=1 | x#3 d=1 | x#3 e=1", "ok order 4 for 3 ok order 3 for 4"),
        ("scan 0 ..z 9", "a=1 b=1 d=1"),
        ("reopen; y = acquire 0", "reopened; epoch 2 seq 3"),
    ]);
}

#[test]
fn partitions_are_isolated() {
    check(&[
        (
            "x = acquire 0; y = acquire 1; m = acquire meta",
            "epoch 1 seq 0; epoch 1 seq 0; epoch 1 seq 0",
        ),
        ("commit x#1 a=x | y#1 a=y b=y | m#1 a=m", "ok ok ok"),
        ("scan 0 ..z 9; scan 1 ..z 9; scan meta ..z 9", "a=x; a=y b=y; a=m"),
        ("scan 2 ..z 9; get 2 a", "; -"),
        ("y2 = acquire 1", "epoch 2 seq 1"),
        ("commit x#2 c=x | y#2 c=y | m#2 c=m", "ok fenced 1 by 2 ok"),
        (r"scan 0 ..\ff\ff 9; scan 1 ..\ff\ff 9", "a=x c=x; a=y b=y"),
        ("commit x#3 !a", "ok"),
        ("reopen; get 0 a; get 1 a; get meta a", "reopened; -; y; m"),
        ("get 4 a; scan 4 a..b 1; commit x#4 | y2#2", "none 4; none 4; ok ok"),
        ("v = acquire 4", "none 4"),
    ]);
}

#[test]
fn a_snapshot_shows_one_moment_of_all_partitions() {
    for mut bed in beds() {
        let lease = |store: &dyn reveille_store::Store, number| {
            store.acquire(PartitionId(number)).expect("acquire").epoch
        };
        let write = |store: &dyn reveille_store::Store, number, epoch, seq, value: &[u8]| {
            let mut batch = Batch::default();
            batch.put("a", value.to_vec());
            batch.put(format!("b{seq}"), "x");
            let partition = PartitionId(number);
            store.commit(&[Commit { partition, epoch, seq, batch: &batch }]).remove(0)
        };
        let epochs = [lease(bed.store(), 0), lease(bed.store(), 1)];
        for number in [0, 1] {
            write(bed.store(), number, epochs[usize::from(number)], 1, b"old").expect("commit");
        }
        let snapshot = bed.store().snapshot().expect("snapshot");
        for number in [0, 1] {
            write(bed.store(), number, epochs[usize::from(number)], 2, b"new").expect("commit");
        }
        for number in [0, 1].map(PartitionId) {
            assert_eq!(snapshot.get(number, b"a").expect("get"), Some("old".into()));
            assert_eq!(snapshot.get(number, b"b2").expect("get"), None, "{}", bed.name());
            let rows = snapshot.scan(number, b"", b"z", 9).expect("scan");
            assert_eq!(rows, [("a".into(), "old".into()), ("b1".into(), "x".into())]);
            assert_eq!(snapshot.scan(number, b"", b"z", 1).expect("scan").len(), 1);
            assert_eq!(snapshot.scan(number, b"z", b"a", 9).expect("scan").len(), 0);
            assert_eq!(bed.store().get(number, b"a").expect("get"), Some("new".into()));
        }
        assert_eq!(snapshot.partition_count(), 4);
        let nowhere = snapshot.get(PartitionId(4), b"a").expect_err("no such partition");
        assert!(matches!(nowhere, StoreError::NoSuchPartition { .. }), "{nowhere}");
        drop(snapshot);
        bed.reopen();
        let snapshot = bed.store().snapshot().expect("snapshot");
        assert_eq!(snapshot.get(PartitionId(1), b"a").expect("get"), Some("new".into()));
    }
}

#[test]
fn large_values_and_keys_are_kept_or_refused() {
    for mut bed in beds() {
        let partition = PartitionId(0);
        let epoch = bed.store().acquire(partition).expect("acquire").epoch;
        let value = Bytes::from(vec![0xA7; 1024 * 1024]);
        let key = Bytes::from(vec![0xFF; KEY_BYTES_MAX]);
        let commit = |store: &dyn reveille_store::Store, seq, batch: &Batch| {
            store.commit(&[Commit { partition, epoch, seq, batch }]).remove(0)
        };
        let mut batch = Batch::default();
        (0..4u8).for_each(|index| batch.put(vec![index], value.clone()));
        batch.put(key.clone(), value.clone());
        commit(bed.store(), 1, &batch).expect("large batch");

        let mut too_long = Batch::default();
        too_long.put("kept out", "x");
        too_long.put(vec![0; KEY_BYTES_MAX + 1], "x");
        let refusal = commit(bed.store(), 2, &too_long).expect_err("a key above the bound");
        let length_max = KEY_BYTES_MAX;
        assert!(
            matches!(refusal, StoreError::TooLarge { length_max: bound, .. } if bound == length_max),
            "{refusal}"
        );

        bed.reopen();
        assert_eq!(bed.store().get(partition, b"kept out").expect("get"), None);
        assert_eq!(bed.store().get(partition, &key).expect("get"), Some(value.clone()));
        let rows = bed.store().scan(partition, b"", b"\xFE", 9).expect("scan");
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|(_, found)| *found == value), "{}", bed.name());
        commit(bed.store(), 2, &Batch::default()).expect("the refused number is still free");
    }
}

#[test]
fn empty_calls_and_unknown_epochs() {
    for mut bed in beds() {
        assert_eq!(bed.store().commit(&[]).len(), 0);
        assert_eq!(bed.store().partition_count(), 4);
        let batch = Batch::default();
        let commit = Commit { partition: PartitionId(0), epoch: Epoch(0), seq: 1, batch: &batch };
        // Nobody ever took the partition over: epoch zero is no lease either.
        for epoch in [Epoch(0), Epoch(1), Epoch(u64::MAX)] {
            let answer = bed.store().commit(&[Commit { epoch, ..commit }]).remove(0);
            assert!(matches!(answer, Err(StoreError::Fenced { .. })), "{}: {answer:?}", bed.name());
        }
        let epoch = bed.store().acquire(PartitionId(0)).expect("acquire").epoch;
        for seq in [0, 2, u64::MAX] {
            let answer = bed.store().commit(&[Commit { epoch, seq, ..commit }]).remove(0);
            let expected = matches!(answer, Err(StoreError::OutOfOrder { expected: 1, .. }));
            assert!(expected, "{}: {answer:?}", bed.name());
        }
        bed.reopen();
        assert_eq!(bed.store().partition_count(), 4);
    }
}
