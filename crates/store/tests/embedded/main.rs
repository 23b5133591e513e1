//! What only the embedded store has: a directory, its damage, and processes that are killed.
//!
//! - `directory`: creation, lock, format, a full disk.
//! - `damage`: flipped and missing bytes are reported or harmless.
//! - `snapshots`: what a snapshot and a read show while tables are written and merged.
//! - `kill`: acknowledged rows survive `kill -9`.

mod damage;
mod directory;
mod kill;
mod snapshots;

use std::path::Path;

use reveille_store::{
    Batch, Commit, Epoch, PartitionId, Store, StoreError,
    embedded::{EmbeddedOptions, EmbeddedStore},
};

/// A small write buffer, so that tables are written as well as the log.
const OPTIONS: EmbeddedOptions =
    EmbeddedOptions { partitions_new: 4, cache_bytes: 1024 * 1024, write_buffer_bytes: 32 * 1024 };

fn open(directory: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(directory, OPTIONS)
}

/// Commits rows in each of two partitions under one number: a row of its own, one that every commit
/// overwrites, one that exactly two commits write, and one that lasts until the next commit.
fn commit(store: &EmbeddedStore, epochs: [Epoch; 2], seq: u64) -> Result<(), StoreError> {
    let mut batches = [Batch::default(), Batch::default()];
    for batch in &mut batches {
        batch.create(key(seq), value(seq));
        batch.put("last", seq.to_be_bytes().to_vec());
        batch.put(pair_key(seq), seq.to_be_bytes().to_vec());
        batch.delete(short_key(seq - 1));
        batch.create(short_key(seq), value(seq));
    }
    let commits: Vec<Commit<'_>> = epochs
        .into_iter()
        .zip(&batches)
        .enumerate()
        .map(|(index, (epoch, batch))| Commit { partition: partition(index), epoch, seq, batch })
        .collect();
    store.commit(&commits).into_iter().collect()
}

fn acquire(store: &EmbeddedStore) -> Result<([Epoch; 2], u64), StoreError> {
    let leases = [store.acquire(partition(0))?, store.acquire(partition(1))?];
    assert_eq!(leases[0].last_seq, leases[1].last_seq, "one group, one fate");
    Ok((leases.map(|lease| lease.epoch), leases[0].last_seq))
}

/// Checks that the rows `1..=last` and nothing behind them are there, each with its newest value.
fn check_rows(store: &EmbeddedStore, last: u64, at: &str) -> Result<(), StoreError> {
    for index in 0..2 {
        let rows = store.scan(partition(index), b"row", b"row\xFF", usize::MAX)?;
        let count = u64::try_from(rows.len()).expect("count");
        assert_eq!(count, last, "{at}: rows of {}", partition(index));
        for (seq, (found_key, found)) in (1..).zip(rows) {
            assert_eq!(found_key, key(seq), "{at}");
            assert_eq!(found, value(seq), "{at}: row {seq}");
            let newest = (seq | 1).min(last).to_be_bytes().to_vec();
            let pair = store.get(partition(index), &pair_key(seq))?;
            assert_eq!(pair.map(|pair| pair.to_vec()), Some(newest), "{at}: pair of {seq}");
        }
        let short = store.scan(partition(index), b"short", b"short\xFF", usize::MAX)?;
        let short: Vec<_> = short.into_iter().map(|(key, _)| key.to_vec()).collect();
        let expected: Vec<_> = (last > 0).then(|| short_key(last)).into_iter().collect();
        assert_eq!(short, expected, "{at}: rows that last until the next commit");
        let marker = store.get(partition(index), b"last")?;
        let expected = (last > 0).then(|| last.to_be_bytes().to_vec());
        assert_eq!(marker.map(|marker| marker.to_vec()), expected, "{at}: the row `last`");
    }
    Ok(())
}

fn partition(index: usize) -> PartitionId {
    PartitionId(u16::try_from(index).expect("small index"))
}

fn key(seq: u64) -> Vec<u8> {
    let mut key = b"row".to_vec();
    key.extend(seq.to_be_bytes());
    key
}

fn pair_key(seq: u64) -> Vec<u8> {
    let mut key = b"pair".to_vec();
    key.extend((seq / 2).to_be_bytes());
    key
}

fn short_key(seq: u64) -> Vec<u8> {
    let mut key = b"short".to_vec();
    key.extend(seq.to_be_bytes());
    key
}

fn value(seq: u64) -> Vec<u8> {
    let length = usize::try_from(20 + seq % 90).expect("small length");
    seq.to_be_bytes().into_iter().cycle().take(length).collect()
}
