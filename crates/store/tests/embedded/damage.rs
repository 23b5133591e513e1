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

/// Files without a content that matters.
const UNCHECKED: [&str; 1] = ["reveille.lock"];

/// The length of the header of a segment of the log.
const HEADER_BYTES: usize = 64;

/// A closed store with `last` commits, and its files with their bytes.
struct Original {
    last: u64,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Original {
    fn create(last: u64) -> Original {
        let directory = tempfile::tempdir().expect("temporary directory");
        let store = open(directory.path()).expect("open");
        let (epochs, _) = acquire(&store).expect("acquire");
        (1..=last).for_each(|seq| commit(&store, epochs, seq).expect("commit"));
        drop(store);
        check_rows(&open(directory.path()).expect("reopen"), last, "undamaged").expect("read");
        let mut files = Vec::new();
        collect(directory.path(), directory.path(), &mut files);
        files.sort();
        Original { last, files }
    }

    /// The segment of the log that has most records, and where they end.
    fn log(&self) -> (&Path, &[u8], usize) {
        let segments = self.files.iter().filter(|(name, _)| is_log(name));
        let longest = segments.max_by_key(|(_, bytes)| written(bytes)).expect("a segment");
        (&longest.0, &longest.1, written(&longest.1))
    }

    fn copy(&self) -> TempDir {
        let directory = tempfile::tempdir().expect("temporary directory");
        for (name, bytes) in &self.files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("create");
            fs::write(path, bytes).expect("write");
        }
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

fn is_log(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "log")
}

/// Where the records of a segment end; behind that are zeros.
fn written(segment: &[u8]) -> usize {
    segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[test]
fn flips_in_the_log_lose_nothing_silently() {
    let original = Original::create(8);
    let (name, bytes, written) = original.log();
    let mut harmless = 0;
    for (round, place) in (0..written).step_by(written / 150).enumerate() {
        let mut damaged = bytes.to_vec();
        damaged[place] ^= [0x01, 0x80, 0xFF, 0x10][round % 4];
        let at = format!("{} byte {place} of {written}", name.display());
        harmless += usize::from(!original.reports(name, &damaged, &at));
    }
    // Only what fills up records and the header of the segment.
    assert!(harmless < 8, "{harmless}");
}

#[test]
fn flips_in_other_files_lose_nothing_silently() {
    let original = Original::create(300);
    let tables = original.files.iter().filter(|(name, _)| name.starts_with("tables/tables"));
    assert!(tables.count() > 1, "the test needs tables");
    flip_everywhere(&original, 20, |_| true);
}

#[test]
fn cuts_lose_nothing_silently() {
    // With few commits all rows are in the log only, so every cut of it must be reported.
    for (last, log_only) in [(8, true), (150, false)] {
        let original = Original::create(last);
        for (name, bytes) in original.files.iter().filter(|(name, _)| is_checked(name)) {
            let end = written(bytes);
            for length in (0..10).map(|tenth| end * tenth / 10).chain([bytes.len() / 2]) {
                let at = format!("{} cut to {length} of {}", name.display(), bytes.len());
                let reported = original.reports(name, &bytes[..length], &at);
                assert!(reported || !log_only || !is_log(name) || length >= end, "{at}");
            }
            if is_log(name) {
                let at = format!("{} with a torn end", name.display());
                // A head may end with zeros, which belong to its record.
                let start = (end + 8).next_multiple_of(8).max(HEADER_BYTES);
                let mut torn = bytes.clone();
                torn.resize(torn.len().max(start + 100), 0);
                torn[start..start + 100].fill(0xA5);
                assert!(!original.reports(name, &torn, &at), "{at}: nothing is missing");
            }
        }
    }
}

#[test]
fn missing_files_are_reported_or_not_needed() {
    for (last, log_only) in [(8, true), (300, false)] {
        let original = Original::create(last);
        for (name, bytes) in original.files.iter().filter(|(name, _)| is_checked(name)) {
            let directory = original.copy();
            fs::remove_file(directory.path().join(name)).expect("remove");
            let at = format!("without {}", name.display());
            match open(directory.path()).and_then(|store| check_rows(&store, last, &at)) {
                Ok(()) => {
                    let is_empty = written(bytes) <= HEADER_BYTES;
                    assert!(is_log(name) && (!log_only || is_empty), "{at}");
                }
                Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{at}: {error}"),
            }
        }
    }
}

#[test]
fn a_damaged_log_is_left_as_it_was() {
    let original = Original::create(20);
    let (name, bytes, written) = original.log();
    let directory = original.copy();
    let path = directory.path().join(name);
    let cut = &bytes[..written / 2];
    fs::write(&path, cut).expect("write");
    for _ in 0..2 {
        let error = open(directory.path()).expect_err("half of the records is missing");
        let StoreError::Corrupt { path: found, detail } = &error else { panic!("{error}") };
        assert_eq!(found, &path);
        assert!(detail.contains("commits up to number 22 were acknowledged"), "{detail}");
        assert!(detail.contains("restore the directory from a backup"), "{detail}");
        assert_eq!(fs::read(&path).expect("read"), cut);
    }
}

/// Enough data for many segments, so that old ones are retired and used again.
#[test]
fn segments_are_retired_and_used_again() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let options =
        EmbeddedOptions { write_buffer_bytes: 8 * 1024 * 1024, ..EmbeddedOptions::default() };
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
    let segments = fs::read_dir(directory.path().join("log")).expect("list").count();
    assert!(!directory.path().join("log/00000001.log").exists(), "the first segment was retired");
    assert!(segments <= 7, "{segments} segments for at most five buffers");
    let store = EmbeddedStore::open(directory.path(), options).expect("reopen");
    let rows = store.scan(partition, b"", b"\xFF", usize::MAX).expect("scan");
    assert_eq!(rows.len(), 90);
    assert_eq!(store.acquire(partition).expect("acquire").last_seq, 90);
}
