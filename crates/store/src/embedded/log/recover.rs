//! Reads the log when the store is opened, and decides whether anything acknowledged is missing.
//!
//! Each record names the one before it, and the tables say which was their last; so a record that is
//! missing shows as soon as any later one is read. Where no record is, the next one is searched for:
//! behind a torn end there is none, behind damage there may be.
//!
//! - Owns: the order of segments, what counts as torn and what as damaged.
//! - Does not own: what becomes of the rows; the caller takes them.
//! - Invariant: nothing is changed before everything was read and found complete. Records of the
//!   tables are skipped, and damage among them is of no consequence.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Log, Segments, State,
    record::{ALIGNMENT, HEADER_BYTES, Header, Malformed},
    segment::{SEGMENT_HEADER_BYTES, Segment, decode_header},
};
use crate::{
    StoreError,
    embedded::directory::{LOG, damaged, failed},
};

/// How much of a segment is read at once, unless a record is longer.
const WINDOW_BYTES: u64 = 256 * 1024;

/// Files that were on their way to become a segment. Nothing is in them.
const UNFINISHED: [&str; 2] = ["new", "spare"];

/// Opens the log of a store and replays what the tables do not have.
///
/// `persisted` is the last number in the tables, `acked` the last acknowledged one. `apply` gets the
/// number and payload of each record above `persisted`, in order.
pub(in crate::embedded) fn recover(
    root: &Path,
    write_buffer_bytes: u64,
    (persisted, acked): (u64, u64),
    mut apply: impl FnMut(u64, &[u8]) -> Result<(), Malformed>,
) -> Result<Log, StoreError> {
    let directory = root.join(LOG);
    let mut found = Vec::new();
    let mut run = Run { persisted, acked, reached: persisted, gap: None };
    for (number, path) in list(&directory)? {
        let mut segment = Reader::open(number, path)?;
        while let Some(header) = segment.next(&mut run)? {
            run.follow(&segment.path, segment.record_at, header)?;
            if header.number > persisted && apply(header.number, segment.payload(header)?).is_err()
            {
                let what = format!("the rows of the record at byte {}", segment.record_at);
                return Err(damaged(&segment.path, &what));
            }
        }
        found.push(segment);
    }
    if run.reached < acked {
        let (path, at) = run.gap.unwrap_or((directory, 0));
        return Err(lost(&path, &format!("at byte {at} it ends"), run.reached, acked));
    }
    resume(&directory, write_buffer_bytes, run.reached, found)
}

/// Describes the loss of acknowledged commits.
pub(in crate::embedded) fn lost(path: &Path, what: &str, reached: u64, acked: u64) -> StoreError {
    let detail = format!(
        "{what} (nothing was changed); commits up to number {acked} were acknowledged, those after \
         number {reached} cannot be read. Check the disk, then restore the directory from a backup; \
         what was acknowledged after the backup is lost"
    );
    StoreError::Corrupt { path: path.to_owned(), detail }
}

/// Goes on behind the last record. From here on files may change.
fn resume(
    directory: &Path,
    write_buffer_bytes: u64,
    last: u64,
    mut found: Vec<Reader>,
) -> Result<Log, StoreError> {
    for name in UNFINISHED {
        remove(&directory.join(name))?;
    }
    let number_next = found.last().map_or(1, |newest| newest.number + 1);
    let written = found.iter().rposition(|segment| segment.last.is_some()).unwrap_or(0);
    let mut empty = found.split_off((written + 1).min(found.len()));
    let mut state = State { number_next, ..State::default() };
    if !empty.is_empty() {
        state.spare = Some(empty.remove(0).resume()?);
    }
    for segment in empty {
        remove(&segment.path)?;
    }
    let active = found.pop();
    state.closed = closed(found);
    let segments = Arc::new(Segments::new(directory, write_buffer_bytes, state));
    let active = match active {
        Some(active) => active.resume()?,
        None => segments.take()?,
    };
    Ok(Log { segments, active, last })
}

fn closed(segments: Vec<Reader>) -> VecDeque<super::Closed> {
    let mut last = 0;
    let close = |segment: Reader| {
        last = segment.last.unwrap_or(last);
        super::Closed { path: segment.path, last, length: segment.length }
    };
    segments.into_iter().map(close).collect()
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Lists the segments, oldest first.
fn list(directory: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged(directory, "it is missing"));
        }
        entries => entries.map_err(failed("list", directory))?,
    };
    for entry in entries {
        let path = entry.map_err(failed("list", directory))?.path();
        if UNFINISHED.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let is_segment = path.extension().is_some_and(|extension| extension == "log");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_segment);
        let Some(Ok(number)) = stem.map(str::parse::<u64>) else {
            let detail = "no file of the log has such a name; move it out of the directory";
            return Err(StoreError::Corrupt { path, detail: detail.to_owned() });
        };
        found.push((number, path));
    }
    found.sort();
    Ok(found)
}

/// How far the records go without a gap.
struct Run {
    persisted: u64,
    acked: u64,
    reached: u64,
    /// Where the first place without a record behind the last one is.
    gap: Option<(PathBuf, u64)>,
}

impl Run {
    fn follow(&mut self, path: &Path, at: u64, header: Header) -> Result<(), StoreError> {
        if header.number > self.persisted {
            if header.previous != self.reached {
                let (path, at) = self.gap.take().unwrap_or((path.to_owned(), at));
                let what = format!("from byte {at} on commits are missing");
                let acked = self.acked.max(header.number);
                return Err(lost(&path, &what, self.reached, acked));
            }
            self.reached = header.number;
        }
        self.gap = None;
        Ok(())
    }
}

/// Reads one segment.
struct Reader {
    number: u64,
    path: PathBuf,
    file: File,
    salt: u64,
    length: u64,
    position: u64,
    /// Where the record is that was read last.
    record_at: u64,
    /// The number of that record.
    last: Option<u64>,
    /// Where it ends.
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Reader {
    fn open(number: u64, path: PathBuf) -> Result<Reader, StoreError> {
        let file = File::open(&path).map_err(failed("open", &path))?;
        let length = file.metadata().map_err(failed("look at", &path))?.len();
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let salt = match file.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(failed("read", &path)(error)),
            Ok(()) => decode_header(&header, number),
        };
        let salt = salt.ok_or_else(|| damaged(&path, "its header is not that of the segment"))?;
        let end = SEGMENT_HEADER_BYTES as u64;
        Ok(Reader {
            number,
            path,
            file,
            salt,
            length,
            position: end,
            record_at: end,
            last: None,
            end,
            window: Vec::new(),
            window_at: 0,
        })
    }

    /// Finds the next record and returns its header.
    fn next(&mut self, run: &mut Run) -> Result<Option<Header>, StoreError> {
        while self.length - self.position >= HEADER_BYTES as u64 {
            if let Some((header, record_bytes)) =
                self.record(run.persisted).map_err(failed("read", &self.path))?
            {
                self.record_at = self.position;
                self.position += record_bytes;
                self.end = self.position;
                self.last = Some(header.number);
                return Ok(Some(header));
            }
            run.gap.get_or_insert_with(|| (self.path.clone(), self.position));
            self.position += ALIGNMENT as u64;
        }
        run.gap.get_or_insert_with(|| (self.path.clone(), self.position));
        self.window = Vec::new();
        Ok(None)
    }

    /// Returns the payload of the record that was found last.
    fn payload(&mut self, header: Header) -> Result<&[u8], StoreError> {
        let path = self.path.clone();
        let at = self.record_at + HEADER_BYTES as u64;
        self.bytes(at, header.payload_bytes()).map_err(failed("read", &path))
    }

    /// Reads the record at the position, if there is one.
    fn record(&mut self, persisted: u64) -> io::Result<Option<(Header, u64)>> {
        let (salt, position) = (self.salt, self.position);
        let bytes = self.bytes(position, HEADER_BYTES as u64)?;
        let header = bytes.first_chunk().and_then(|bytes| Header::decode(salt, bytes));
        let Some(header) = header else { return Ok(None) };
        let room = self.length - position;
        let Some(record_bytes) = header.record_bytes().filter(|bytes| *bytes <= room) else {
            return Ok(None);
        };
        let payload = match header.number <= persisted {
            true => return Ok(Some((header, record_bytes))),
            false => self.bytes(position + HEADER_BYTES as u64, header.payload_bytes())?,
        };
        Ok(header.fits(salt, payload).then_some((header, record_bytes)))
    }

    /// Returns bytes that are inside of the file.
    fn bytes(&mut self, at: u64, count: u64) -> io::Result<&[u8]> {
        let window_end = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + count > window_end {
            let wanted = count.max(WINDOW_BYTES).min(self.length - at);
            self.window.resize(usize::try_from(wanted).map_err(io::Error::other)?, 0);
            self.window_at = at;
            self.file.read_exact_at(&mut self.window, at)?;
        }
        let start = usize::try_from(at - self.window_at).map_err(io::Error::other)?;
        let count = usize::try_from(count).map_err(io::Error::other)?;
        Ok(&self.window[start..start + count])
    }

    fn resume(self) -> Result<Segment, StoreError> {
        Segment::reopen(self.path, self.salt, self.end)
    }
}
