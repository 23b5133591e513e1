//! The side file that remembers how far commits were acknowledged.
//!
//! It has two slots of 64 bytes, written in turn: magic (8), number (8, big endian), zeros (44),
//! CRC-32 of what precedes (4, big endian).
//! - Owns: the file `acked`.
//! - Invariant: a number is written only when its commit is durable, so the file never runs ahead
//!   of the journals. It is written, not synced, with each commit: that survives the death of the
//!   process. A thread of its own syncs it at most once a second, so that no commit waits for that;
//!   after a power failure it may lag behind.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::directory::{ACKED, failed};
use crate::StoreError;

const SLOT_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"rv-acked";
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// The open side file.
#[derive(Debug)]
pub(super) struct Acked {
    path: PathBuf,
    shared: Arc<Shared>,
    syncer: Option<JoinHandle<()>>,
}

/// What the committing thread and the syncing thread share.
#[derive(Debug)]
struct Shared {
    file: File,
    progress: Mutex<Progress>,
    closing: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    /// Written since the last sync.
    dirty: bool,
    /// A sync failed: what the disk holds is not known any more.
    failed: bool,
    /// The store is being closed.
    closing: bool,
}

impl Acked {
    /// Opens the file and returns the number in it, or creates it if `create` is set.
    ///
    /// A store whose file is missing or has no intact slot is refused.
    pub(super) fn open(directory: &Path, create: bool) -> Result<(Acked, u64), StoreError> {
        let path = directory.join(ACKED);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(create)
            .open(&path)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => damaged(&path, "the file is missing"),
                _ => failed("open", &path)(error),
            })?;
        let number = if create {
            0
        } else {
            let mut bytes = Vec::with_capacity(2 * SLOT_BYTES);
            (&file)
                .take(2 * SLOT_BYTES as u64)
                .read_to_end(&mut bytes)
                .map_err(failed("read", &path))?;
            let slots = bytes.chunks_exact(SLOT_BYTES).filter_map(decode);
            slots.max().ok_or_else(|| damaged(&path, "neither of its two slots is intact"))?
        };
        if create {
            let empty = encode(0);
            file.write_all(&empty)
                .and_then(|()| file.write_all(&empty))
                .and_then(|()| file.sync_all())
                .map_err(failed("write", &path))?;
        }
        let shared = Shared { file, progress: Mutex::default(), closing: Condvar::new() };
        let shared = Arc::new(shared);
        let syncing = Arc::clone(&shared);
        let syncer = thread::Builder::new()
            .name("acked-sync".to_owned())
            .spawn(move || syncing.run())
            .map_err(failed("start a thread for", &path))?;
        Ok((Acked { path, shared, syncer: Some(syncer) }, number))
    }

    /// Remembers that every commit up to `number` is durable.
    pub(super) fn record(&mut self, number: u64) -> Result<(), StoreError> {
        let offset = (number % 2) * SLOT_BYTES as u64;
        let file = &self.shared.file;
        file.write_all_at(&encode(number), offset).map_err(failed("write", &self.path))?;
        let mut progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.dirty = true;
        if progress.failed {
            let error = std::io::Error::other("an earlier sync failed");
            return Err(failed("sync", &self.path)(error));
        }
        Ok(())
    }

    /// Syncs the file now.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.shared.sync().map_err(failed("sync", &self.path))
    }
}

impl Drop for Acked {
    fn drop(&mut self) {
        let mut progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.closing = true;
        drop(progress);
        self.shared.closing.notify_all();
        if let Some(syncer) = self.syncer.take() {
            // A panic of the thread was printed; the file lags behind as after a power failure.
            let _ended = syncer.join();
        }
    }
}

impl Shared {
    /// Syncs once a second until the store is closed.
    fn run(&self) {
        loop {
            let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.closing.wait_timeout_while(progress, SYNC_INTERVAL, |p| !p.closing);
            let closing = waited.unwrap_or_else(PoisonError::into_inner).0.closing;
            if closing {
                return;
            }
            // The next commit answers for it: `record` reports a sync that failed.
            let _reported = self.sync();
        }
    }

    /// Syncs the file if it was written since the last time.
    fn sync(&self) -> std::io::Result<()> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut progress.dirty) {
            return Ok(());
        }
        drop(progress);
        let result = self.file.sync_data();
        if result.is_err() {
            self.progress.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
        }
        result
    }
}

fn damaged(path: &Path, what: &str) -> StoreError {
    let detail = format!(
        "{what}, so nobody can tell whether acknowledged commits are missing; restore the directory \
         from a backup"
    );
    StoreError::Corrupt { path: path.to_owned(), detail }
}

fn encode(number: u64) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..16].copy_from_slice(&number.to_be_bytes());
    let checksum = crc32fast::hash(&slot[..SLOT_BYTES - 4]);
    slot[SLOT_BYTES - 4..].copy_from_slice(&checksum.to_be_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<u64> {
    let (body, checksum) = slot.split_at_checked(SLOT_BYTES - 4)?;
    let number = body.strip_prefix(MAGIC)?.first_chunk::<8>()?;
    let intact = checksum == crc32fast::hash(body).to_be_bytes();
    intact.then(|| u64::from_be_bytes(*number))
}
