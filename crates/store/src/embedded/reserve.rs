//! Space set aside for the moment when the disk is full.
//!
//! The engine must be reopened after a write that failed for lack of space, and reopening may need
//! some. So a few megabytes are kept in a file that is then given back.
//! - Owns: the files `reserve` and `reserve.probe`.
//! - Invariant: [`Reserve::probe`] leaves nothing behind.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::directory::failed;
use crate::StoreError;

const RESERVE_BYTES: usize = 4 * 1024 * 1024;
const CHUNK: &[u8] = &[0xA5; 64 * 1024];

/// The reserve of one store.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    path_probe: PathBuf,
    probe_bytes: usize,
}

impl Reserve {
    /// Names the reserve of a directory; `probe_bytes` is the free space that counts as enough.
    pub(super) fn new(directory: &Path, probe_bytes: usize) -> Reserve {
        let (path, path_probe) = (directory.join("reserve"), directory.join("reserve.probe"));
        Reserve { path, path_probe, probe_bytes }
    }

    /// Sets the space aside unless it is already. Fails with `Full` if there is none.
    pub(super) fn fill(&self) -> Result<(), StoreError> {
        let length = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed("look at", &self.path)(error)),
        };
        if length == RESERVE_BYTES as u64 {
            return Ok(());
        }
        write(&self.path, RESERVE_BYTES).or_else(|error| {
            remove(&self.path)?;
            Err(error)
        })
    }

    /// Gives the space back.
    pub(super) fn release(&self) -> Result<(), StoreError> {
        remove(&self.path)
    }

    /// Tries whether there is enough space to go on. Fails with `Full` if not.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        let outcome = write(&self.path_probe, self.probe_bytes);
        remove(&self.path_probe)?;
        outcome
    }
}

fn write(path: &Path, length: usize) -> Result<(), StoreError> {
    let mut file = File::create(path).map_err(failed("create", path))?;
    let mut left = length;
    while left > 0 {
        let chunk = &CHUNK[..left.min(CHUNK.len())];
        file.write_all(chunk).map_err(failed("write", path))?;
        left -= chunk.len();
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}
