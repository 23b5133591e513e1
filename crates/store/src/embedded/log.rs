//! The log: commits as they came, in files that are written one after the other.
//!
//! ```text
//! log/00000007.log   a segment; the highest number is the newest
//! log/spare, new     files that become segments
//! ```
//!
//! - Owns: the files in `log/`, which of them are needed, and the spare one.
//! - Does not own: the layout of a segment (`segment`) and of a record (`record`), how the log is
//!   read (`recover`), what is in the tables.
//! - Invariant: a segment is retired only when the tables have all its records durably.
//! - Start at [`Log::append`].
//!
//! Space is allocated and written ahead, because `fdatasync` then has no metadata to commit: that
//! takes less than half the time. A segment that was created in a hurry, and so has no such space, is
//! left as soon as a spare one is ready.

mod record;
mod recover;
mod segment;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    StoreError,
    embedded::directory::{LOG, failed, sync_directory},
};
use segment::{Blank, Segment};

pub(super) use record::{Encoder, Malformed, rows};
pub(super) use recover::recover;
pub(super) use segment::AppendFailure;

/// The files of the log, and what each is good for.
#[derive(Debug)]
pub(super) struct Segments {
    directory: PathBuf,
    /// The length of a spare segment in bytes.
    capacity: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    number_next: u64,
    spare: Option<Segment>,
    /// Segments that are not written any more, oldest first.
    closed: VecDeque<Closed>,
}

#[derive(Debug)]
struct Closed {
    path: PathBuf,
    /// The number of the last record, or of the one before the segment.
    last: u64,
    length: u64,
}

/// The end of the log, where records are appended.
#[derive(Debug)]
pub(super) struct Log {
    segments: Arc<Segments>,
    active: Segment,
    /// The number of the last record.
    last: u64,
}

impl Segments {
    fn new(directory: &Path, write_buffer_bytes: u64, state: State) -> Segments {
        // A row takes less in the log than it does in memory; the rest is for the last record.
        let capacity = write_buffer_bytes.saturating_add(write_buffer_bytes / 4);
        let capacity = capacity.next_multiple_of(4096);
        Segments { directory: directory.to_owned(), capacity, state: Mutex::new(state) }
    }

    /// Sees to it that there is a spare segment, unless there is one.
    ///
    /// Fails with `Full` if there is no space for it.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        if !self.wants_spare() {
            return Ok(());
        }
        // The long part, without the lock.
        let blank = Blank::filled(&self.directory, self.capacity)?;
        self.keep(blank)
    }

    /// Says whether the spare segment was used up.
    pub(super) fn wants_spare(&self) -> bool {
        self.state().spare.is_none()
    }

    /// Gives up the segments all of whose records have numbers up to `persisted`.
    pub(super) fn retire(&self, persisted: u64) -> Result<(), StoreError> {
        loop {
            let mut state = self.state();
            if state.closed.front().is_none_or(|oldest| oldest.last > persisted) {
                return Ok(());
            }
            let Some(oldest) = state.closed.pop_front() else { return Ok(()) };
            let wanted = state.spare.is_none() && oldest.length == self.capacity;
            drop(state);
            if wanted {
                self.keep(Blank::recycled(&self.directory, &oldest.path)?)?;
            } else {
                fs::remove_file(&oldest.path).map_err(failed("remove", &oldest.path))?;
            }
        }
    }

    /// Returns the bytes of all files of the log.
    pub(super) fn disk_bytes(&self) -> Option<u64> {
        let lengths = fs::read_dir(&self.directory).ok()?.map(|entry| {
            let metadata = entry.and_then(|entry| entry.metadata());
            // A file that is renamed or removed just now is not worth an error.
            metadata.map_or(0, |metadata| metadata.len())
        });
        Some(lengths.sum())
    }

    fn keep(&self, blank: Blank) -> Result<(), StoreError> {
        // Numbers are given under the lock, so the spare segment is newer than the active one.
        let mut state = self.state();
        let segment = blank.publish(&self.directory, state.number_next)?;
        state.number_next += 1;
        state.spare = Some(segment);
        Ok(())
    }

    /// Returns the spare segment, or creates one in a hurry.
    fn take(&self) -> Result<Segment, StoreError> {
        let mut state = self.state();
        if let Some(spare) = state.spare.take() {
            return Ok(spare);
        }
        let segment = Blank::empty(&self.directory)?.publish(&self.directory, state.number_next)?;
        state.number_next += 1;
        Ok(segment)
    }

    fn close(&self, segment: Segment, last: u64) {
        let length = segment.length();
        self.state().closed.push_back(Closed { path: segment.path, last, length });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Creates the log of a new store.
    pub(super) fn create(root: &Path, write_buffer_bytes: u64) -> Result<Log, StoreError> {
        let directory = root.join(LOG);
        fs::create_dir_all(&directory).map_err(failed("create", &directory))?;
        sync_directory(root)?;
        let state = State { number_next: 1, ..State::default() };
        let segments = Arc::new(Segments::new(&directory, write_buffer_bytes, state));
        let active = segments.take()?;
        Ok(Log { segments, active, last: 0 })
    }

    /// Appends a record that continues the log with `number`, and returns when it is durable.
    pub(super) fn append(
        &mut self,
        encoder: &mut Encoder,
        number: u64,
    ) -> Result<(), AppendFailure> {
        self.active.append(encoder.seal(self.active.salt, number, self.last))?;
        self.last = number;
        Ok(())
    }

    /// Goes on in another segment. Fails with `Full` if there is no space for one.
    pub(super) fn switch(&mut self) -> Result<(), StoreError> {
        let next = self.segments.take()?;
        let before = std::mem::replace(&mut self.active, next);
        self.segments.close(before, self.last);
        Ok(())
    }

    /// Says whether the active segment has about as many bytes as there are allocated for one.
    pub(super) fn is_full(&self) -> bool {
        let capacity = self.segments.capacity;
        self.active.end() >= capacity - capacity / 8
    }

    /// Says whether the active segment has no space ahead while a spare one has.
    pub(super) fn is_hurried(&self) -> bool {
        self.active.room() == 0 && !self.segments.wants_spare()
    }

    /// The number of the last record; zero if there never was one.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The files, for those who prepare and retire them.
    pub(super) fn segments(&self) -> Arc<Segments> {
        Arc::clone(&self.segments)
    }

    /// Lets writes fail so, or not any more.
    #[cfg(test)]
    pub(super) fn set_fault(&mut self, fault: Option<std::io::ErrorKind>) {
        self.active.set_fault(fault);
    }
}
