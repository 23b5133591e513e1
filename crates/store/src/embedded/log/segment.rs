//! One file of the log.
//!
//! ```text
//! "rv-log", 0, version 1; number (8), salt (8), checksum of these (8), zeros up to 64 bytes
//! records, each at a multiple of 8
//! zeros, or what an earlier use of the file left behind
//! ```
//! - Owns: the layout of a segment, and how a record is appended to it.
//! - Does not own: what is in the records (`record`), which segments there are (`super`).
//! - Invariant: a file has its name only when its header is on disk. An append that fails with
//!   `Full` leaves nothing behind.

use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use twox_hash::XxHash3_64;

use crate::{
    StoreError,
    embedded::directory::{failed, is_full, sync_directory},
};

/// Where the first record starts.
pub(in crate::embedded) const SEGMENT_HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"rv-log\0\x01";
const CHECKSUM_AT: usize = 24;

/// Space is written page by page: what is written at once may become one large page of the cache, and an
/// append of a few bytes would count as, or even cause, a write of all of it.
const PAGE: &[u8] = &[0; 4096];

/// The file of a segment that gets its number later.
pub(super) struct Blank {
    path: PathBuf,
    file: File,
    length: u64,
}

/// A segment that records are appended to.
#[derive(Debug)]
pub(in crate::embedded) struct Segment {
    pub(super) path: PathBuf,
    pub(super) salt: u64,
    file: File,
    /// Where the next record goes.
    end: u64,
    length: u64,
    #[cfg(test)]
    fault: Option<io::ErrorKind>,
}

/// Why an append failed.
#[derive(Debug)]
pub(in crate::embedded) enum AppendFailure {
    /// The disk is full; the segment is as it was.
    Full,
    /// Anything else, such as this; what is on disk is not known.
    Unknown(StoreError),
}

impl Blank {
    /// Creates a file that is empty but for its header: quick, but each flush has to note its length.
    pub(super) fn empty(directory: &Path) -> Result<Blank, StoreError> {
        let path = directory.join("new");
        let file = File::create(&path).map_err(failed("create", &path))?;
        Ok(Blank { path, file, length: 0 })
    }

    /// Creates a file whose space is allocated and written, so that a flush changes no metadata.
    pub(super) fn filled(directory: &Path, length: u64) -> Result<Blank, StoreError> {
        let path = directory.join("spare");
        let mut file = File::create(&path).map_err(failed("create", &path))?;
        let mut left = length;
        let mut fill = || {
            while left > 0 {
                let page = &PAGE[..usize::try_from(left).unwrap_or(usize::MAX).min(PAGE.len())];
                file.write_all(page)?;
                left -= page.len() as u64;
            }
            file.sync_all()
        };
        fill().map_err(|error| {
            // Half of a spare file is of no use, and the space of use to others. What is left is
            // overwritten by the next attempt.
            let _left_behind = file.set_len(0);
            failed("write", &path)(error)
        })?;
        Ok(Blank { path, file, length })
    }

    /// Takes the file of a segment whose records are not needed any more.
    pub(super) fn recycled(directory: &Path, segment: &Path) -> Result<Blank, StoreError> {
        let path = directory.join("spare");
        fs::rename(segment, &path).map_err(failed("rename", segment))?;
        // Durable before the header changes: no file may have the name of one segment and the header
        // of another.
        sync_directory(directory)?;
        let file = OpenOptions::new().write(true).open(&path).map_err(failed("open", &path))?;
        let length = file.metadata().map_err(failed("look at", &path))?.len();
        Ok(Blank { path, file, length })
    }

    /// Makes it a segment, durably.
    pub(super) fn publish(self, directory: &Path, number: u64) -> Result<Segment, StoreError> {
        let salt = RandomState::new().hash_one(number);
        let write = || {
            self.file.write_all_at(&encode_header(number, salt), 0)?;
            self.file.sync_all()
        };
        write().map_err(failed("write", &self.path))?;
        let path = segment_path(directory, number);
        fs::rename(&self.path, &path).map_err(failed("rename", &self.path))?;
        sync_directory(directory)?;
        let end = SEGMENT_HEADER_BYTES as u64;
        Ok(Segment::new(path, salt, self.file, end, self.length.max(end)))
    }
}

impl Segment {
    fn new(path: PathBuf, salt: u64, file: File, end: u64, length: u64) -> Segment {
        Segment {
            path,
            salt,
            file,
            end,
            length,
            #[cfg(test)]
            fault: None,
        }
    }

    /// Opens a segment to append to it from `end` on, which is behind its last record.
    pub(super) fn reopen(path: PathBuf, salt: u64, end: u64) -> Result<Segment, StoreError> {
        let file = OpenOptions::new().write(true).open(&path).map_err(failed("open", &path))?;
        let length = file.metadata().map_err(failed("look at", &path))?.len();
        // The last record may be in the page cache only, if a process died before its flush.
        file.sync_data().map_err(failed("sync", &path))?;
        Ok(Segment::new(path, salt, file, end, length))
    }

    /// Appends a record durably: one write and one flush.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<(), AppendFailure> {
        if let Err(error) = self.write(record) {
            return Err(match is_full(&error) && self.cut_back().is_ok() {
                true => AppendFailure::Full,
                false => self.unknown("write", error),
            });
        }
        self.file.sync_data().map_err(|error| self.unknown("sync", error))?;
        self.end += record.len() as u64;
        self.length = self.length.max(self.end);
        Ok(())
    }

    fn unknown(&self, action: &'static str, error: io::Error) -> AppendFailure {
        let (path, source) = (self.path.clone(), Arc::new(error));
        AppendFailure::Unknown(StoreError::Io { action, path, source })
    }

    /// The bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes that were written.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The bytes that can be appended without making the file longer.
    pub(super) fn room(&self) -> u64 {
        self.length - self.end
    }

    /// Removes what a write that failed may have left behind the last record.
    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_data()?;
        self.length = self.end;
        Ok(())
    }

    #[cfg(not(test))]
    fn write(&self, record: &[u8]) -> io::Result<()> {
        self.file.write_all_at(record, self.end)
    }

    /// Writes half of the record if a test wants a failure.
    #[cfg(test)]
    fn write(&self, record: &[u8]) -> io::Result<()> {
        match self.fault {
            None => self.file.write_all_at(record, self.end),
            Some(kind) => {
                self.file.write_all_at(&record[..record.len() / 2], self.end)?;
                Err(kind.into())
            }
        }
    }

    /// Lets writes fail so, or not any more.
    #[cfg(test)]
    pub(in crate::embedded) fn set_fault(&mut self, fault: Option<io::ErrorKind>) {
        self.fault = fault;
    }
}

/// Names the file of a segment.
pub(super) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.log"))
}

fn encode_header(number: u64, salt: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..CHECKSUM_AT].copy_from_slice(&salt.to_le_bytes());
    let checksum = XxHash3_64::oneshot(&bytes[..CHECKSUM_AT]);
    bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Returns the salt of a segment, if this is the header of the one with `number`.
pub(super) fn decode_header(bytes: &[u8; SEGMENT_HEADER_BYTES], number: u64) -> Option<u64> {
    let salt = u64::from_le_bytes(*bytes[16..].first_chunk()?);
    (*bytes == encode_header(number, salt)).then_some(salt)
}
