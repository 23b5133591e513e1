//! What faults do to a memory store, as tables: what is done, what is answered, what survives.

use super::{Fault, MemoryControl, MemoryStore};
use crate::{Batch, Commit, Lease, PartitionId, Store, StoreError};

const PARTITION: PartitionId = PartitionId(0);

/// Commits batches that each write their sequence number under its own key.
fn commit(store: &MemoryStore, lease: Lease, seqs: &[u64]) -> Vec<Result<(), StoreError>> {
    let batches: Vec<Batch> = seqs
        .iter()
        .map(|seq| {
            let mut batch = Batch::default();
            batch.put(format!("{seq}"), format!("{seq} of {}", lease.epoch.0));
            batch.put(format!("{seq} too"), "x");
            batch
        })
        .collect();
    let commits: Vec<Commit<'_>> = seqs
        .iter()
        .zip(&batches)
        .map(|(seq, batch)| Commit {
            partition: lease.partition,
            epoch: lease.epoch,
            seq: *seq,
            batch,
        })
        .collect();
    store.commit(&commits)
}

fn keys(store: &MemoryStore) -> String {
    let rows = store.scan(PARTITION, b"", b"\xFF", 99).expect("scan");
    let keys: Vec<_> = rows.iter().map(|(key, _)| String::from_utf8_lossy(key)).collect();
    keys.join(", ")
}

fn opened() -> (MemoryStore, MemoryControl, Lease) {
    let store = MemoryStore::new(2);
    let control = store.control();
    let lease = store.acquire(PARTITION).expect("acquire");
    commit(&store, lease, &[1]).into_iter().for_each(|answer| answer.expect("commit"));
    (store, control, lease)
}

fn all_are(answers: &[Result<(), StoreError>], expected: fn(&StoreError) -> bool) -> bool {
    answers.iter().all(|answer| answer.as_ref().is_err_and(expected))
}

#[test]
fn crashes_keep_whole_batches() {
    let table = [
        (Fault::CrashBeforeDurable, 1, "1, 1 too"),
        (Fault::TornGroup { survivors: 0 }, 1, "1, 1 too"),
        (Fault::TornGroup { survivors: 1 }, 2, "1, 1 too, 2, 2 too"),
        (Fault::TornGroup { survivors: 9 }, 3, "1, 1 too, 2, 2 too, 3, 3 too"),
        (Fault::CrashAfterDurable, 3, "1, 1 too, 2, 2 too, 3, 3 too"),
    ];
    for (fault, last_seq, survived) in table {
        let (store, control, lease) = opened();
        control.inject(fault);
        let poisoned = |error: &StoreError| matches!(error, StoreError::Poisoned);
        assert!(all_are(&commit(&store, lease, &[2, 3]), poisoned), "{fault:?}");
        assert!(all_are(&commit(&store, lease, &[last_seq + 1]), poisoned), "{fault:?}");
        assert!(matches!(store.get(PARTITION, b"1"), Err(StoreError::Poisoned)), "{fault:?}");
        assert!(matches!(store.acquire(PARTITION), Err(StoreError::Poisoned)), "{fault:?}");

        let store_new = control.reopen();
        assert_eq!(keys(&store_new), survived, "{fault:?}");
        let lease_new = store_new.acquire(PARTITION).expect("acquire");
        assert_eq!((lease_new.epoch.0, lease_new.last_seq), (2, last_seq), "{fault:?}");
        let fenced = |error: &StoreError| matches!(error, StoreError::Fenced { .. });
        assert!(all_are(&commit(&store, lease, &[2]), fenced), "{fault:?}");
        assert_eq!(control.commit_calls(), 2, "{fault:?}");
    }
}

#[test]
fn a_full_disk_writes_nothing_and_recovers() {
    let (store, control, lease) = opened();
    let full = |error: &StoreError| matches!(error, StoreError::Full);
    control.inject(Fault::DiskFull);
    assert!(all_are(&commit(&store, lease, &[2, 3]), full));
    control.set_disk_full(true);
    assert!(all_are(&commit(&store, lease, &[2]), full));
    assert!(matches!(store.acquire(PARTITION), Err(StoreError::Full)));
    assert_eq!(keys(&store), "1, 1 too");
    control.set_disk_full(false);
    assert!(commit(&store, lease, &[2]).iter().all(Result::is_ok));
    assert_eq!(keys(&store), "1, 1 too, 2, 2 too");
}

#[test]
fn refusals_come_before_faults() {
    let (store, control, lease) = opened();
    control.inject(Fault::DiskFull);
    let answers = commit(&store, lease, &[7, 2]);
    assert!(matches!(answers[..], [Err(StoreError::OutOfOrder { .. }), Err(StoreError::Full)]));
}

#[test]
fn a_crash_kills_every_clone_and_keeps_what_is_durable() {
    let (store, control, lease) = opened();
    let other = control.reopen();
    let clone = store.clone();
    control.crash();
    for dead in [&store, &other, &clone] {
        assert!(matches!(dead.get(PARTITION, b"1"), Err(StoreError::Poisoned)));
    }
    let store_new = control.reopen();
    assert_eq!(keys(&store_new), "1, 1 too");
    assert!(
        commit(&store_new, lease, &[2]).iter().all(Result::is_ok),
        "the epoch is still current"
    );
}

#[test]
fn a_paused_process_is_fenced_by_the_next_one() {
    let (store, control, lease) = opened();
    let store_new = control.reopen();
    assert!(commit(&store, lease, &[2]).iter().all(Result::is_ok), "nobody took over yet");
    let lease_new = store_new.acquire(PARTITION).expect("acquire");
    assert_eq!(lease_new.last_seq, 2);
    let fenced = |error: &StoreError| matches!(error, StoreError::Fenced { .. });
    assert!(all_are(&commit(&store, lease, &[3]), fenced));
    assert!(commit(&store_new, lease_new, &[3]).iter().all(Result::is_ok));
    assert_eq!(keys(&store), keys(&store_new), "reads see what others committed");
}

#[test]
fn broken_fencing_lets_a_superseded_owner_write() {
    let (store, control, lease) = opened();
    let store_new = control.reopen();
    let lease_new = store_new.acquire(PARTITION).expect("acquire");
    control.set_no_fence(true);
    assert!(commit(&store_new, lease_new, &[2]).iter().all(Result::is_ok));
    assert!(commit(&store, lease, &[2]).iter().all(Result::is_ok));
    let value = store_new.get(PARTITION, b"2").expect("get").expect("row");
    assert_eq!(value, "2 of 1", "the newer owner's row was overwritten");
}

#[test]
fn lies_about_durability_come_out_in_a_crash() {
    let (store, control, lease) = opened();
    control.set_durable_lie(true);
    assert!(commit(&store, lease, &[2]).iter().all(Result::is_ok));
    assert_eq!(keys(&store), "1, 1 too, 2, 2 too");
    control.crash();
    let store_new = control.reopen();
    assert_eq!(keys(&store_new), "1, 1 too");
    let lease_new = store_new.acquire(PARTITION).expect("acquire");
    assert_eq!((lease_new.epoch.0, lease_new.last_seq), (2, 1));

    // An honest flush makes durable what came before it.
    assert!(commit(&store_new, lease_new, &[2]).iter().all(Result::is_ok));
    control.set_durable_lie(false);
    assert!(commit(&store_new, lease_new, &[3]).iter().all(Result::is_ok));
    control.crash();
    assert_eq!(keys(&control.reopen()), "1, 1 too, 2, 2 too, 3, 3 too");
}
