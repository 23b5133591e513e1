//! Reads the engine's journals before the engine does, and finds what it would drop silently.
//!
//! At a place that it cannot parse, the engine takes a journal for torn and cuts it off there, with
//! everything behind; and it believes the sequence number in the header of a batch, which no
//! checksum covers. Here the structure is walked, our own row in each batch is read, and nothing is
//! changed. Checksums of contents are left to the engine, which reports them.
//!
//! ```text
//! start 1, items (4), seqno (8)
//! item  2, type, compression, keyspace (8), key length (2), value length (4),
//!       length on disk (4), key, value
//! end   3, checksum (8), "FJL" 3
//! clear 4, keyspace (8)
//! ```
//! Numbers are little endian; what follows the last batch is zeros or a torn batch.
//! (fjall 3.1, `journal/entry.rs`.)
//!
//! - Owns: nothing; it only reads.
//! - Invariant: if [`check`] succeeds, the batches form one gapless, ordered run of commit numbers
//!   that reaches at least the acknowledged one, or the journals hold no commit at all.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use super::{
    directory::{STORE, failed},
    engine::{COMMIT_KEY, decode_pair},
};
use crate::StoreError;

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
const TAG_CLEAR: u8 = 4;
const TRAILER: &[u8; 4] = b"FJL\x03";
const BUFFER_BYTES: usize = 64 * 1024;

/// How far the seqno of a batch may be above the floor that the batch names. The engine draws a few
/// numbers of its own between the two.
const SEQNO_SLACK_MAX: u64 = 1 << 20;

/// Where the run of batches has got to.
#[derive(Debug, Default, Clone, Copy)]
struct Run {
    seqno: Option<u64>,
    number: Option<u64>,
}

/// Checks the journals of a store directory and returns their last commit number, if any.
///
/// `acked` is the last acknowledged commit number. A torn end of the last journal is fine as long
/// as nothing acknowledged is missing.
pub(super) fn check(directory: &Path, acked: u64) -> Result<Option<u64>, StoreError> {
    let store = directory.join(STORE);
    let mut run = Run::default();
    let journals = journals(&store)?;
    for (index, path) in journals.iter().enumerate() {
        let length = fs::metadata(path).map_err(failed("look at", path))?.len();
        let file = File::open(path).map_err(failed("open", path))?;
        let mut walk =
            Walk { reader: BufReader::with_capacity(BUFFER_BYTES, file), position: 0, length };
        let (end, stop) = loop {
            let start = walk.position;
            match walk.batch(&mut run) {
                Ok(true) => {}
                Ok(false) => break (start, None),
                Err(Stop::Io(error)) => return Err(failed("read", path)(error)),
                Err(Stop::Broken(what)) => break (start, Some(what)),
            }
        };
        let last = index + 1 == journals.len();
        // Without any commit in the journals only the engine's tables can tell how far they reach.
        let short = last && run.number.is_some_and(|number| number < acked);
        if short || (!last && stop.is_some()) {
            let what = format!("at byte {end} {}", stop.unwrap_or("it ends"));
            let untouched = format!("{what} (nothing was changed)");
            return Err(lost(path, &untouched, run.number.unwrap_or(0), acked));
        }
    }
    Ok(run.number)
}

/// Describes the loss of acknowledged commits.
pub(super) fn lost(path: &Path, what: &str, reached: u64, acked: u64) -> StoreError {
    let detail = format!(
        "{what}; commits up to number {acked} were acknowledged, those after number {reached} cannot \
         be read. Check the disk, then restore the directory from a backup; \
         what was acknowledged after the backup is lost"
    );
    StoreError::Corrupt { path: path.to_owned(), detail }
}

fn journals(store: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(store).map_err(failed("list", store))? {
        let path = entry.map_err(failed("list", store))?.path();
        if path.extension().is_none_or(|extension| extension != "jnl") {
            continue;
        }
        let number = path.file_stem().and_then(|stem| stem.to_str()).map(str::parse::<u64>);
        let Some(Ok(number)) = number else {
            let detail =
                "no journal has such a name; move the file out of the directory".to_owned();
            return Err(StoreError::Corrupt { path, detail });
        };
        found.push((number, path));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

enum Stop {
    Io(io::Error),
    Broken(&'static str),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Stop::Broken("a batch is cut short"),
            _ => Stop::Io(error),
        }
    }
}

struct Walk {
    reader: BufReader<File>,
    position: u64,
    length: u64,
}

impl Walk {
    /// Reads one batch and moves the run on; `false` at the end of the written part.
    fn batch(&mut self, run: &mut Run) -> Result<bool, Stop> {
        if self.position == self.length {
            return Ok(false);
        }
        match self.byte()? {
            0 => return Ok(false),
            TAG_START => {}
            _ => return Err(Stop::Broken("there is no batch")),
        }
        let items = u32::from_le_bytes(self.array()?);
        let seqno = u64::from_le_bytes(self.array()?);
        let mut commit = None;
        for _ in 0..items {
            match self.byte()? {
                TAG_ITEM => commit = self.item()?.or(commit),
                TAG_CLEAR => self.skip(8)?,
                _ => return Err(Stop::Broken("a batch has too few rows")),
            }
        }
        if self.byte()? != TAG_END {
            return Err(Stop::Broken("a batch has no end"));
        }
        self.skip(8)?;
        if &self.array()? != TRAILER {
            return Err(Stop::Broken("the end of a batch is garbled"));
        }
        *run = run.next(seqno, commit)?;
        Ok(true)
    }

    /// Reads a row; the answer is commit number and seqno floor if it is the row that has them.
    fn item(&mut self) -> Result<Option<(u64, u64)>, Stop> {
        self.skip(1 + 1 + 8)?;
        let key_length = u16::from_le_bytes(self.array()?);
        self.skip(4)?;
        let value_length = u32::from_le_bytes(self.array()?);
        if usize::from(key_length) != COMMIT_KEY.len() || value_length != 16 {
            self.skip(u64::from(key_length) + u64::from(value_length))?;
            return Ok(None);
        }
        let key: [u8; COMMIT_KEY.len()] = self.array()?;
        let value: [u8; 16] = self.array()?;
        Ok(decode_pair(&value).filter(|_| key == COMMIT_KEY))
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> Result<(), Stop> {
        if count > self.length.saturating_sub(self.position) {
            return Err(Stop::Broken("a row reaches beyond the end of the file"));
        }
        self.reader.seek_relative(i64::try_from(count).unwrap_or(i64::MAX))?;
        self.position += count;
        Ok(())
    }
}

impl Run {
    fn next(self, seqno: u64, commit: Option<(u64, u64)>) -> Result<Run, Stop> {
        let Some((number, seqno_floor)) = commit else {
            return Err(Stop::Broken("a batch has no commit number"));
        };
        if self.seqno.is_some_and(|before| seqno <= before) {
            return Err(Stop::Broken("batches are out of order"));
        }
        if !(seqno_floor..seqno_floor.saturating_add(SEQNO_SLACK_MAX)).contains(&seqno) {
            return Err(Stop::Broken("the order number of a batch is garbled"));
        }
        if self.number.is_some_and(|before| number != before + 1) {
            return Err(Stop::Broken("commits are missing"));
        }
        Ok(Run { seqno: Some(seqno), number: Some(number) })
    }
}
