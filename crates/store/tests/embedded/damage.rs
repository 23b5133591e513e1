//! Damaged directories: every flip and every cut is reported, or harms nothing acknowledged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reveille_store::{
    Batch, Commit, PartitionId, Store, StoreError,
    embedded::{EmbeddedOptions, EmbeddedStore},
};
use tempfile::TempDir;

use super::{acquire, check_rows, commit, open};

const RESERVE: &str = "reserve";

/// Files without a content that matters.
const UNCHECKED: [&str; 2] = ["reveille.lock", "lock"];

/// A closed store with `last` commits, and its files with their bytes.
struct Original {
    last: u64,
    files: Vec<(PathBuf, Vec<u8>)>,
    directory: TempDir,
}

impl Original {
    fn create(last: u64) -> Original {
        let directory = tempfile::tempdir().expect("temporary directory");
        let store = open(directory.path()).expect("open");
        let (epochs, _) = acquire(&store).expect("acquire");
        (1..=last).for_each(|seq| commit(&store, epochs, seq).expect("commit"));
        drop(store);
        // Reopening cuts off the space that the engine had set aside in its journal.
        check_rows(&open(directory.path()).expect("reopen"), last, "undamaged").expect("read");
        let mut files = Vec::new();
        collect(directory.path(), directory.path(), &mut files);
        files.retain(|(name, _)| name != RESERVE);
        files.sort();
        Original { last, files, directory }
    }

    fn copy(&self) -> TempDir {
        let directory = tempfile::tempdir().expect("temporary directory");
        for (name, bytes) in &self.files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("create");
            fs::write(path, bytes).expect("write");
        }
        // Only to be fast: otherwise every open would write those megabytes.
        let reserve = self.directory.path().join(RESERVE);
        fs::hard_link(reserve, directory.path().join(RESERVE)).expect("link");
        directory
    }

    /// Opens a copy with one file replaced; says whether the damage was reported.
    fn reports(&self, name: &Path, bytes: &[u8], at: &str) -> bool {
        let directory = self.copy();
        fs::write(directory.path().join(name), bytes).expect("write");
        let outcome = open(directory.path()).and_then(|store| check_rows(&store, self.last, at));
        match outcome {
            Ok(()) => false,
            Err(StoreError::Corrupt { .. } | StoreError::Version { .. }) => true,
            Err(error) => panic!("{at}: {error}"),
        }
    }
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(root, &path, files);
            continue;
        }
        let name = path.strip_prefix(root).expect("below the root").to_owned();
        files.push((name, fs::read(&path).expect("read")));
    }
}

fn is_checked(name: &Path) -> bool {
    name.file_name().is_some_and(|name| UNCHECKED.iter().all(|unchecked| name != *unchecked))
}

/// Flips a byte at about `flips` places of each file that is checked.
fn flip_everywhere(original: &Original, flips: usize, only: fn(&Path) -> bool) {
    let mut reported = 0;
    for (name, bytes) in original.files.iter().filter(|(name, _)| is_checked(name) && only(name)) {
        let stride = (bytes.len() / flips).max(1);
        for (round, place) in (0..bytes.len()).step_by(stride).enumerate() {
            let mut damaged = bytes.clone();
            damaged[place] ^= [0x01, 0x80, 0xFF, 0x10][round % 4];
            let at = format!("{} byte {place} of {}", name.display(), bytes.len());
            reported += usize::from(original.reports(name, &damaged, &at));
        }
    }
    assert!(reported > 0, "some flips must have been noticed");
}

fn is_journal(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "jnl")
}

#[test]
fn flips_in_a_journal_lose_nothing_silently() {
    let original = Original::create(8);
    assert!(original.files.iter().any(|(name, bytes)| is_journal(name) && bytes.len() < 8192));
    flip_everywhere(&original, 150, is_journal);
}

/// The engine orders rows by the number in the header of their batch, which has no checksum: a batch
/// that moves behind another one would hide newer rows.
#[test]
fn flips_in_the_order_of_batches_lose_nothing_silently() {
    let original = Original::create(8);
    let (name, bytes) =
        original.files.iter().find(|(name, _)| is_journal(name)).expect("a journal");
    // Start tag and number of rows: two partitions with three rows and a head, one commit number.
    let header = [1, 9, 0, 0, 0];
    let places: Vec<usize> = (0..bytes.len() - header.len())
        .filter(|place| bytes[*place..].starts_with(&header))
        .map(|place| place + header.len())
        .collect();
    assert_eq!(places.len(), 8, "one header for each commit");
    let mut reported = 0;
    for place in places {
        for (offset, mask) in [(0, 1), (0, 2), (0, 3), (0, 6), (0, 12), (1, 1), (5, 1), (7, 0x80)] {
            let mut damaged = bytes.clone();
            damaged[place + offset] ^= mask;
            let at = format!("seqno at {place}, byte {offset}, mask {mask}");
            reported += usize::from(original.reports(name, &damaged, &at));
        }
    }
    assert!(reported >= 8, "{reported} reported");
}

#[test]
fn flips_in_other_files_lose_nothing_silently() {
    let original = Original::create(300);
    let tables = original.files.iter().filter(|(name, _)| name.starts_with("store/keyspaces/1"));
    assert!(tables.count() > 1, "the test needs tables");
    flip_everywhere(&original, 20, |_| true);
}

#[test]
fn cuts_lose_nothing_silently() {
    // With few commits all rows are in the journal only, so every cut of it must be reported.
    for (last, journal_only) in [(8, true), (150, false)] {
        let original = Original::create(last);
        for (name, bytes) in original.files.iter().filter(|(name, _)| is_checked(name)) {
            for tenth in 0..10 {
                let length = bytes.len() * tenth / 10;
                let at = format!("{} cut to {length} of {}", name.display(), bytes.len());
                let reported = original.reports(name, &bytes[..length], &at);
                assert!(reported || !(journal_only && is_journal(name)), "{at}: not reported");
            }
            let at = format!("{} with a torn end", name.display());
            let torn = [bytes.as_slice(), &[1, 5, 0, 0, 0, 9]].concat();
            let reported = original.reports(name, &torn, &at);
            assert!(!(reported && is_journal(name)), "{at}: nothing acknowledged is missing");
        }
    }
}

#[test]
fn a_damaged_journal_is_left_as_it_was() {
    let original = Original::create(20);
    let (name, bytes) =
        original.files.iter().find(|(name, _)| is_journal(name)).expect("a journal");
    let directory = original.copy();
    let path = directory.path().join(name);
    let cut = &bytes[..bytes.len() / 2];
    fs::write(&path, cut).expect("write");
    for _ in 0..2 {
        let error = open(directory.path()).expect_err("half of the journal is missing");
        let StoreError::Corrupt { path: found, detail } = &error else { panic!("{error}") };
        assert_eq!(found, &path);
        assert!(detail.contains("commits up to number 22 were acknowledged"), "{detail}");
        assert!(detail.contains("restore the directory from a backup"), "{detail}");
        assert_eq!(fs::read(&path).expect("read"), cut);
    }
}

/// Enough data for several journals, so that old ones are dropped and commits start late in them.
#[test]
fn journals_that_were_rotated_are_checked() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let options =
        EmbeddedOptions { write_buffer_bytes_new: 8 * 1024 * 1024, ..EmbeddedOptions::default() };
    let store = EmbeddedStore::open(directory.path(), options).expect("open");
    let partition = PartitionId(0);
    let epoch = store.acquire(partition).expect("acquire").epoch;
    for seq in 1..=90_u64 {
        let mut batch = Batch::default();
        batch.put(seq.to_be_bytes().to_vec(), vec![7; 1024 * 1024]);
        let commit = Commit { partition, epoch, seq, batch: &batch };
        store.commit(&[commit]).remove(0).expect("commit");
    }
    drop(store);
    assert!(!directory.path().join("store/0.jnl").exists(), "the first journal was dropped");
    let store = EmbeddedStore::open(directory.path(), options).expect("reopen");
    let rows = store.scan(partition, b"", b"\xFF", usize::MAX).expect("scan");
    assert_eq!(rows.len(), 90);
    assert_eq!(store.acquire(partition).expect("acquire").last_seq, 90);
}
