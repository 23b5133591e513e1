//! What snapshots and reads show while buffers are sealed, and tables written and merged.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use reveille_store::{Snapshot, Store, StoreError, embedded::EmbeddedStore};

use super::{acquire, commit, open, partition, short_key};

/// Enough for dozens of tables with the write buffer of these tests.
const COMMITS: u64 = 3000;

#[test]
fn snapshots_keep_their_moment() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let store = open(directory.path()).expect("open");
    let (epochs, _) = acquire(&store).expect("acquire");
    let mut kept: VecDeque<(u64, Arc<dyn Snapshot>)> = VecDeque::new();
    for seq in 1..=COMMITS {
        commit(&store, epochs, seq).expect("commit");
        if seq % 50 == 0 {
            kept.push_back((seq, store.snapshot().expect("snapshot")));
        }
        if kept.len() > 10 {
            let (seq, snapshot) = kept.pop_front().expect("a snapshot");
            check(&*snapshot, seq);
        }
    }
    // Some live until the end, whatever was merged since.
    for (seq, snapshot) in &kept {
        check(&**snapshot, *seq);
    }
    let (_, snapshot) = kept.pop_front().expect("a snapshot");
    store.close().expect("close");
    let closed = snapshot.get(partition(0), b"last");
    assert!(matches!(closed, Err(StoreError::Poisoned)), "{closed:?}");
}

fn check(snapshot: &dyn Snapshot, seq: u64) {
    for index in 0..2 {
        let rows = snapshot.scan(partition(index), b"row", b"row\xFF", usize::MAX).expect("scan");
        assert_eq!(rows.len() as u64, seq, "rows at {seq}");
        let last = snapshot.get(partition(index), b"last").expect("get");
        assert_eq!(last.as_deref(), Some(&seq.to_be_bytes()[..]), "at {seq}");
    }
}

/// A commit writes its rows in both partitions, and nobody sees some of them only.
#[test]
fn reads_see_whole_commits() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let store = open(directory.path()).expect("open");
    let (epochs, _) = acquire(&store).expect("acquire");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut reads) = (0, 0_u64);
            while !done.load(Ordering::Acquire) {
                let snapshot = store.snapshot().expect("snapshot");
                let numbers = [0, 1].map(|index| number(&*snapshot, index));
                assert_eq!(numbers[0], numbers[1], "one commit wrote both");
                assert!(numbers[0] >= seen, "{} after {seen}", numbers[0]);
                seen = numbers[0];
                let last = store.get(partition(0), b"last").expect("get");
                assert!(last.map_or(0, decode) >= seen);
                check_scan(&store);
                reads += 1;
            }
            reads
        });
        for seq in 1..=COMMITS {
            commit(&store, epochs, seq).expect("commit");
        }
        done.store(true, Ordering::Release);
        assert!(reader.join().expect("the reader") > 0);
    });
}

/// One scan, without a snapshot: the last number, a row for each, and the one that lasts for one commit.
fn check_scan(store: &EmbeddedStore) {
    let rows = store.scan(partition(0), b"last", b"short\xFF", usize::MAX).expect("scan");
    let last = rows.first().map_or(0, |(_, value)| decode(value.clone()));
    let with = |prefix: &'static [u8]| rows.iter().filter(move |(key, _)| key.starts_with(prefix));
    assert_eq!(with(b"row").count() as u64, last);
    let short: Vec<_> = with(b"short").map(|(key, _)| key.to_vec()).collect();
    assert_eq!(short, (last > 0).then(|| short_key(last)).into_iter().collect::<Vec<_>>());
}

fn number(snapshot: &dyn Snapshot, index: usize) -> u64 {
    let rows = snapshot.scan(partition(index), b"last", b"last\xFF", 9).expect("scan");
    assert!(rows.len() <= 1);
    rows.into_iter().next().map_or(0, |(_, value)| decode(value))
}

fn decode(value: bytes::Bytes) -> u64 {
    u64::from_be_bytes(value.as_ref().try_into().expect("eight bytes"))
}
