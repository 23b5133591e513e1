//! The log by itself: what is appended is read back, and what is damaged is noticed.

use std::{collections::BTreeMap, fs, io, path::Path};

use tempfile::TempDir;

use super::{
    record::{Encoder, HEADER_BYTES, Header, Row, rows},
    segment::SEGMENT_HEADER_BYTES,
    *,
};
use crate::PartitionId;

const WRITE_BUFFER_BYTES: u64 = 6 * 1024;

/// Numbers and payloads of records.
type Records = BTreeMap<u64, Vec<u8>>;

/// A log in a directory, with what was appended to it.
struct Bench {
    root: TempDir,
    log: Log,
    encoder: Encoder,
    written: Records,
}

impl Bench {
    fn new() -> Bench {
        let root = tempfile::tempdir().expect("temporary directory");
        let log = Log::create(root.path(), WRITE_BUFFER_BYTES).expect("create");
        Bench { root, log, encoder: Encoder::default(), written: Records::new() }
    }

    /// Appends a record with a row of `length` bytes.
    fn append(&mut self, number: u64, length: usize) -> Result<(), AppendFailure> {
        self.encoder.begin();
        let value = vec![u8::try_from(number % 251).expect("small"); length];
        self.encoder.push(PartitionId(1), b"key", Some(&value));
        self.log.append(&mut self.encoder, number)?;
        self.written.insert(number, self.encoder.payload().to_vec());
        Ok(())
    }

    fn append_all(&mut self, numbers: impl IntoIterator<Item = u64>, length: usize) {
        numbers.into_iter().for_each(|number| self.append(number, length).expect("append"));
    }

    /// A segment in a directory of its own, with the bytes of its records.
    fn segment(&self, number: u64) -> (PathBuf, Vec<u8>) {
        let path = segment::segment_path(&self.root.path().join(LOG), number);
        let bytes = fs::read(&path).expect("read");
        (path, bytes)
    }

    fn recover(&self, persisted: u64, acked: u64) -> Result<(Log, Records), StoreError> {
        read(self.root.path(), persisted, acked)
    }

    fn since(&self, first: u64) -> Records {
        self.written.clone().split_off(&first)
    }
}

fn read(root: &Path, persisted: u64, acked: u64) -> Result<(Log, Records), StoreError> {
    let mut found = Records::new();
    let log = recover(root, WRITE_BUFFER_BYTES, (persisted, acked), |number, payload| {
        found.insert(number, payload.to_vec());
        Ok(())
    })?;
    Ok((log, found))
}

/// Returns what was replayed, or the text of the damage.
fn outcome(root: &Path, persisted: u64, acked: u64) -> Result<Records, String> {
    match read(root, persisted, acked) {
        Ok((_, found)) => Ok(found),
        Err(error @ StoreError::Corrupt { .. }) => Err(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn rows_of_a_record_are_read_back() {
    let long = vec![7; 70_000];
    let table: [&[Row<'_>]; 5] = [
        &[],
        &[(b"", None)],
        &[(b"", Some(b""))],
        &[(b"a", Some(b"1")), (b"a", None), (b"b", Some(b""))],
        &[(&long[..65_000], Some(&long)), (b"\0\xFF", Some(b"\xFF"))],
    ];
    let mut encoder = Encoder::default();
    for expected in table {
        encoder.begin();
        expected.iter().for_each(|(key, value)| encoder.push(PartitionId(0x1234), key, *value));
        let record = encoder.seal(99, 5, 3).to_vec();
        let (header, rest) = record.split_first_chunk::<HEADER_BYTES>().expect("a header");
        assert_eq!(Header::decode(98, header), None, "another salt");
        let header = Header::decode(99, header).expect("a record");
        assert_eq!((header.number, header.previous), (5, 3));
        assert_eq!(header.record_bytes(), Some(record.len() as u64));
        assert!(header.fits(99, encoder.payload()) && rest.starts_with(encoder.payload()));
        let found: Vec<_> = rows(encoder.payload()).map(|row| row.expect("a row")).collect();
        let with_prefix = |key: &[u8]| [b"\x12\x34", key].concat();
        let expected: Vec<_> =
            expected.iter().map(|(key, value)| (with_prefix(key), *value)).collect();
        let found: Vec<_> = found.iter().map(|(key, value)| (key.to_vec(), *value)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn any_bytes_are_rows_or_malformed() {
    bolero::check!().with_iterations(3000).for_each(|payload: &[u8]| {
        let found: Vec<_> = rows(payload).collect();
        let malformed = found.iter().filter(|row| row.is_err()).count();
        assert!(malformed <= 1 && found.iter().rev().skip(1).all(Result::is_ok));
        let length = |row: &Row<'_>| 6 + row.0.len() + row.1.map_or(0, <[u8]>::len);
        let read: usize = found.iter().flatten().map(length).sum();
        assert_eq!(read == payload.len(), malformed == 0, "{payload:?}");
    });
}

#[test]
fn what_was_appended_is_replayed() {
    let mut bench = Bench::new();
    bench.append_all([1, 2, 5], 100);
    bench.log.segments().prepare().expect("prepare");
    assert!(bench.log.is_hurried());
    bench.log.switch().expect("switch");
    assert!(!bench.log.is_hurried());
    bench.append_all([6, 9], 100);
    bench.log.switch().expect("switch");
    // Longer than the file is.
    bench.append_all([10], 20_000);
    bench.append_all([11], 0);
    for persisted in [0, 2, 5, 9, 11] {
        let (log, found) = bench.recover(persisted, 11).expect("recover");
        assert_eq!(found, bench.since(persisted + 1), "above {persisted}");
        assert_eq!(log.last(), 11);
    }
    // It goes on where it was, in the same segment.
    (bench.log, _) = bench.recover(0, 11).expect("recover");
    bench.append_all([12, 13], 300);
    let (_, found) = bench.recover(0, 13).expect("recover");
    assert_eq!(found, bench.written);
    assert!(!segment::segment_path(&bench.root.path().join(LOG), 4).exists());
}

#[test]
fn every_flipped_byte_is_noticed() {
    let mut bench = Bench::new();
    bench.append_all(1..=4, 50);
    let (path, bytes) = bench.segment(1);
    let record = bytes.len().abs_diff(SEGMENT_HEADER_BYTES) / 4;
    let padding = record - HEADER_BYTES - bench.written[&1].len();
    assert!((1..8).contains(&padding), "the lengths of this test have a padding");
    for place in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[place] ^= mask;
            fs::write(&path, &damaged).expect("write");
            // Zero: a power failure may have left an `acked` that lags. Only the last record may
            // then pass for one that was never acknowledged.
            for acked in [4, 0] {
                let found = outcome(bench.root.path(), 0, acked);
                let in_record = place.checked_sub(SEGMENT_HEADER_BYTES);
                let is_padding = in_record.is_some_and(|at| at % record >= record - padding);
                let is_last = in_record.is_some_and(|at| at / record == 3);
                let at = format!("byte {place} mask {mask} acked {acked}: {found:?}");
                match found {
                    Ok(found) if is_padding => assert_eq!(found, bench.written, "{at}"),
                    Ok(found) => {
                        assert!(is_last && acked == 0, "{at}");
                        assert_eq!(found.len(), 3, "{at}");
                    }
                    Err(_) => assert!(!is_padding, "{at}"),
                }
                assert_eq!(fs::read(&path).expect("read"), damaged, "{at}: left as it was");
            }
        }
    }
}

#[test]
fn every_cut_is_noticed_or_only_tears_what_was_not_acknowledged() {
    let mut bench = Bench::new();
    bench.append_all(1..=4, 50);
    let (path, bytes) = bench.segment(1);
    let record = bytes.len().abs_diff(SEGMENT_HEADER_BYTES) / 4;
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).expect("write");
        let whole = length.checked_sub(SEGMENT_HEADER_BYTES).map(|length| length / record);
        for acked in 0..=4 {
            let found = outcome(bench.root.path(), 0, acked);
            let at = format!("cut to {length}, acked {acked}: {found:?}");
            match (found, whole) {
                (Ok(found), Some(whole)) => {
                    assert_eq!(found.len(), whole, "{at}");
                    assert!(whole as u64 >= acked, "{at}");
                }
                (Ok(_), None) => panic!("{at}"),
                (Err(_), Some(whole)) => assert!((whole as u64) < acked, "{at}"),
                (Err(text), None) => assert!(text.contains("its header"), "{at}"),
            }
        }
    }
}

#[test]
fn a_torn_record_is_overwritten() {
    let mut bench = Bench::new();
    bench.append_all([1, 2], 500);
    let (path, bytes) = bench.segment(1);
    bench.append_all([3], 500);
    let torn = fs::read(&path).expect("read");
    for length in [bytes.len() + 1, bytes.len() + HEADER_BYTES, torn.len() - 8] {
        fs::write(&path, &torn[..length]).expect("write");
        let (log, found) = bench.recover(0, 2).expect("recover");
        assert_eq!((found.len(), log.last()), (2, 2), "{length}");
        bench.log = log;
        bench.append_all([4], 0);
        let (_, found) = bench.recover(0, 4).expect("recover");
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 2, 4], "{length}");
    }
}

#[test]
fn missing_segments_are_noticed_if_the_tables_lack_them() {
    let mut bench = Bench::new();
    for (segment, numbers) in [(1, [1, 2]), (2, [4, 5]), (3, [6, 7])] {
        bench.append_all(numbers, 10);
        assert!(bench.segment(segment).0.exists());
        bench.log.switch().expect("switch");
    }
    // Segment, last number in the tables, last acknowledged one, and what is then said.
    let table = [
        (1, 0, 0, Err("00000002.log is damaged: from byte 64 on commits are missing")),
        (1, 1, 0, Err("those after number 1 cannot be read")),
        (1, 2, 7, Ok(4)),
        (2, 2, 7, Err("commits up to number 7 were acknowledged, those after number 2")),
        (2, 5, 7, Ok(2)),
        (3, 5, 5, Ok(0)),
        (3, 5, 7, Err("00000002.log is damaged: at byte 192 it ends")),
        (3, 7, 7, Ok(0)),
        (4, 0, 7, Ok(6)),
    ];
    for (segment, persisted, acked, expected) in table {
        let (path, bytes) = bench.segment(segment);
        fs::remove_file(&path).expect("remove");
        match (outcome(bench.root.path(), persisted, acked), expected) {
            (Ok(found), Ok(count)) => assert_eq!(found.len(), count, "without {segment}"),
            (Err(text), Err(expected)) => assert!(text.contains(expected), "{text}"),
            (found, _) => panic!("without {segment}, {persisted} in the tables: {found:?}"),
        }
        fs::write(&path, &bytes).expect("write");
    }
}

#[test]
fn damage_below_what_the_tables_have_is_harmless() {
    let mut bench = Bench::new();
    bench.append_all(1..=4, 50);
    let (path, bytes) = bench.segment(1);
    let third = SEGMENT_HEADER_BYTES + bytes.len().abs_diff(SEGMENT_HEADER_BYTES) / 2;
    let damaged = |range: std::ops::Range<usize>| {
        let mut bytes = bytes.clone();
        bytes[range].fill(0xA5);
        bytes
    };
    fs::write(&path, damaged(SEGMENT_HEADER_BYTES..third)).expect("write");
    assert_eq!(outcome(bench.root.path(), 2, 4), Ok(bench.since(3)));
    let text = outcome(bench.root.path(), 1, 4).expect_err("record 2 is not in the tables");
    assert!(text.contains("from byte 64 on commits are missing (nothing was changed)"), "{text}");
}

/// A file that is used again still holds the records of its former life.
#[test]
fn bytes_of_an_earlier_use_are_no_records() {
    let mut bench = Bench::new();
    let segments = bench.log.segments();
    segments.prepare().expect("prepare");
    bench.log.switch().expect("switch");
    bench.append_all(1..=30, 120);
    segments.prepare().expect("prepare");
    bench.log.switch().expect("switch");
    bench.append_all([31], 10);
    assert!(segments.wants_spare());
    segments.retire(30).expect("retire");
    assert!(!segments.wants_spare(), "it was recycled");
    let (path, spare) = bench.segment(4);
    assert!(spare.len() > 4096 && spare[4096..].iter().any(|byte| *byte != 0), "as it was");
    for expected in [31, 32] {
        let (log, found) = bench.recover(30, expected).expect("recover");
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), (31..=expected).collect::<Vec<_>>());
        bench.log = log;
        if expected == 31 {
            bench.log.switch().expect("switch");
            bench.append_all([32], 10);
            assert_ne!(fs::read(&path).expect("read"), spare, "the record went there");
        }
    }
}

#[test]
fn segments_are_retired_when_the_tables_have_them() {
    let mut bench = Bench::new();
    let segments = bench.log.segments();
    for number in 1..=6 {
        bench.append_all([number], 10);
        bench.log.switch().expect("switch");
    }
    let count = || fs::read_dir(bench.root.path().join(LOG)).expect("list").count();
    for (persisted, expected) in [(0, 7), (1, 6), (3, 4), (3, 4), (6, 1), (9, 1)] {
        segments.retire(persisted).expect("retire");
        assert_eq!(count(), expected, "after {persisted}");
    }
}

#[test]
fn a_write_that_fails_for_lack_of_space_leaves_nothing_behind() {
    let mut bench = Bench::new();
    bench.append_all([1, 2], 100);
    let (path, before) = bench.segment(1);
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        bench.log.set_fault(Some(kind));
        assert!(matches!(bench.append(3, 400), Err(AppendFailure::Full)));
        assert_eq!(fs::read(&path).expect("read"), before);
    }
    bench.log.set_fault(None);
    bench.append_all([4], 400);
    assert_eq!(bench.recover(0, 4).expect("recover").1, bench.written);
    bench.log.set_fault(Some(io::ErrorKind::Other));
    assert!(matches!(bench.append(5, 400), Err(AppendFailure::Unknown(_))));
}
