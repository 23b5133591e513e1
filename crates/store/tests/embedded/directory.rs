//! Creation, lock, format and a full disk.

use std::{fs, path::Path, process, thread};

use reveille_store::{
    Batch, Commit, PartitionId, Store, StoreError,
    embedded::{EmbeddedOptions, EmbeddedStore},
};

use super::{acquire, check_rows, commit, open, partition};

#[test]
fn the_number_of_partitions_is_fixed_at_creation() {
    for (asked, given) in [(0, 1), (7, 7), (u16::MAX, reveille_store::PARTITIONS_MAX)] {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("not/there/yet");
        for partitions_new in [asked, 99] {
            let options = EmbeddedOptions { partitions_new, ..EmbeddedOptions::default() };
            let store = EmbeddedStore::open(&path, options).expect("open");
            assert_eq!(store.partition_count(), given, "asked for {asked}");
            assert!(store.get(PartitionId(given - 1), b"x").is_ok());
            assert!(matches!(
                store.get(PartitionId(given), b"x"),
                Err(StoreError::NoSuchPartition { .. })
            ));
        }
    }
}

#[test]
fn the_space_that_rows_take_is_counted() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let store = open(directory.path()).expect("open");
    let before = store.usage().expect("it is counted");
    let (epochs, _) = acquire(&store).expect("acquire");
    for seq in 1..=100 {
        commit(&store, epochs, seq).expect("commit");
    }
    let after = store.usage().expect("it is counted");
    assert!(after.journal_bytes >= before.journal_bytes && before.journal_bytes > 0, "{after:?}");
    assert!(after.write_buffer_bytes > before.write_buffer_bytes, "{before:?} {after:?}");
    assert!(after.disk_bytes >= after.journal_bytes, "{after:?}");
    store.close().expect("close");
}

#[cfg(unix)]
/// The buffer never fills, so it is the log that has a buffer sealed.
#[test]
fn rows_that_do_not_last_are_forgotten_and_keep_the_log_short() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let store = open(directory.path()).expect("open");
    let (epochs, last) = acquire(&store).expect("acquire");
    let key = |seq: u64| seq.to_be_bytes().to_vec();
    let commits = 3000;
    for seq in last + 1..=last + commits {
        let mut batch = Batch::default();
        batch.create(key(seq), vec![1; 500]);
        batch.delete(key(seq - 1));
        let (partition, epoch) = (partition(0), epochs[0]);
        let answers = store.commit(&[Commit { partition, epoch, seq, batch: &batch }]);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        // One row and two heads in each of five buffers at most.
        let buffered = store.usage().expect("it is counted").write_buffer_bytes;
        assert!(buffered < 8 * 1024, "{buffered} bytes of rows in memory at {seq}");
    }
    let written = commits * 500;
    let usage = store.usage().expect("it is counted");
    assert!(usage.journal_bytes < written / 4, "{usage:?} of {written} bytes");
    drop(store);
    let store = open(directory.path()).expect("open again");
    let rows = store.scan(partition(0), b"", b"\xFF", 9).expect("scan");
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.to_vec()).collect();
    assert_eq!(keys, [key(last + commits)]);
}

#[test]
fn a_created_directory_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("temporary directory");
    let created = directory.path().join("created");
    let existing = directory.path().join("existing");
    fs::create_dir(&existing).expect("create");
    fs::set_permissions(&existing, fs::Permissions::from_mode(0o750)).expect("chmod");
    for (path, expected) in [(created, 0o700), (existing, 0o750)] {
        drop(open(&path).expect("open"));
        let mode = fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, expected, "{}", path.display());
    }
}

#[test]
fn a_second_open_is_told_who_has_the_directory() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let store = open(directory.path()).expect("open");
    let error = open(directory.path()).expect_err("a second open");
    let StoreError::Locked { path, owner } = &error else { panic!("{error}") };
    assert_eq!(path, directory.path());
    assert!(owner.contains(&format!("process {}", process::id())), "{owner}");
    drop(store);
    open(directory.path()).expect("the lock is free again").close().expect("close");
}

#[test]
fn a_creation_that_was_interrupted_starts_afresh() {
    let directory = tempfile::tempdir().expect("temporary directory");
    drop(open(directory.path()).expect("open"));
    let ready = fs::read_to_string(directory.path().join("format")).expect("format");
    let body = "reveille store\nversion 2\npartitions 4\ncreating\n";
    let text = format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()));
    fs::write(directory.path().join("format"), text).expect("write");
    fs::remove_file(directory.path().join("tables/current")).expect("remove");
    let store = open(directory.path()).expect("open");
    let (epochs, last) = acquire(&store).expect("acquire");
    assert_eq!((epochs[0].0, last), (1, 0));
    assert_eq!(fs::read_to_string(directory.path().join("format")).expect("format"), ready);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let with_crc = |body: &str| format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()));
    let newer = with_crc("reveille store\nversion 3\npartitions 4\nready\n");
    let older = with_crc("reveille store\nversion 1\npartitions 4\nready\n");
    let foreign = with_crc("another store\nversion 2\npartitions 4\nready\n");
    let zero = with_crc("reveille store\nversion 2\npartitions 0\nready\n");
    let table: [(&str, Option<&str>, &str); 11] = [
        ("format", Some(&newer), "has format reveille store, version 3, this program supports"),
        (
            "format",
            Some(&older),
            "version 1, this program supports format reveille store, version 2",
        ),
        ("format", Some(&foreign), "has format another store, version 2"),
        ("format", Some(&zero), "its number of partitions is wrong"),
        ("format", Some("reveille store\nversion 2\n"), "its checksum is missing"),
        ("format", Some(""), "its checksum is missing"),
        ("format", None, "the file is missing, but the directory holds a store"),
        ("acked", None, "the file is missing, so nobody can tell"),
        ("acked", Some("short"), "neither of its two slots is intact"),
        ("tables/current", None, "it is missing"),
        ("log/old.log", Some(""), "no file of the log has such a name"),
    ];
    for (file, content, expected) in table {
        let directory = tempfile::tempdir().expect("temporary directory");
        drop(open(directory.path()).expect("open"));
        let path = directory.path().join(file);
        match content {
            Some(content) => fs::write(&path, content).expect("write"),
            None => fs::remove_file(&path).expect("remove"),
        }
        let text = open(directory.path()).expect_err(expected).to_string();
        assert!(text.contains(expected), "{text}");
        let name = Path::new(file).components().next().expect("a name");
        assert!(text.contains(&*name.as_os_str().to_string_lossy()), "{text}");
    }
}

/// `/dev/full` stands in for a disk without space, for tables alone or for new segments as well.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_survived() {
    let lists: Vec<String> = (1..40).map(|number| format!("tables/v{number}")).collect();
    let segments = ["log/new".to_owned(), "log/spare".to_owned()];
    for names in [lists.clone(), [lists.as_slice(), segments.as_slice()].concat()] {
        let directory = tempfile::tempdir().expect("temporary directory");
        let store = open(directory.path()).expect("open");
        let (epochs, _) = acquire(&store).expect("acquire");
        // The first segment is left when the second one is ready; the third one is then the spare.
        for seq in 1..=2 {
            wait_for(&directory.path().join("log/00000002.log"));
            commit(&store, epochs, seq).expect("commit");
        }
        wait_for(&directory.path().join("log/00000003.log"));
        let paths: Vec<_> = names.iter().map(|name| directory.path().join(name)).collect();
        paths.iter().filter(|path| !path.exists()).for_each(|path| {
            std::os::unix::fs::symlink("/dev/full", path).expect("link");
        });
        let refused = |seq| match commit(&store, epochs, seq) {
            Ok(()) => false,
            Err(StoreError::Full) => true,
            Err(error) => panic!("commit {seq}: {error}"),
        };
        let full = (3..2000).find(|seq| refused(*seq)).expect("the disk is full");
        check_rows(&store, full - 1, "while full").expect("reads go on");
        for _ in 0..2 {
            assert!(refused(full));
            assert!(matches!(store.acquire(PartitionId(0)), Err(StoreError::Full)));
        }
        paths.iter().filter(|path| path.is_symlink()).for_each(|path| {
            fs::remove_file(path).expect("remove");
        });
        for seq in full..full + 200 {
            // The threads of the store have to notice, which each refusal asks them to.
            while refused(seq) {}
        }
        check_rows(&store, full + 199, "after it was full").expect("read");
        store.close().expect("close");
        let store = open(directory.path()).expect("open");
        check_rows(&store, full + 199, "reopened").expect("read");
        let tables = fs::read_dir(directory.path().join("tables/tables")).expect("list").count();
        assert!(tables < 20, "{tables} tables: what failed was not removed");
    }
}

fn wait_for(path: &Path) {
    while !path.exists() {
        thread::yield_now();
    }
}
