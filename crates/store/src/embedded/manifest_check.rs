//! Checks the list of tables before the tables are opened.
//!
//! The file `current` names the newest list, `vN`, with its checksum. The crate `lsm-tree` writes that
//! checksum but does not look at it, panics on some damage, and starts afresh where `current` is
//! missing. (lsm-tree 3.1, `version/persist.rs`.)
//!
//! ```text
//! current: N (8), XXH3-128 of the file vN (16), checksum kind 0 (1); little endian
//! ```
//!
//! - Owns: nothing; it only reads.
//! - Invariant: if [`check`] succeeds, there is an intact list of tables.

use std::{fs, io, path::Path};

use twox_hash::XxHash3_128;

use super::directory::{TABLES, failed};
use crate::StoreError;

const CURRENT: &str = "current";

/// Checks the list of tables of a store directory.
pub(super) fn check(directory: &Path) -> Result<(), StoreError> {
    let tables = directory.join(TABLES);
    let path = tables.join(CURRENT);
    let current = fs::read(&path).map_err(absent(&path))?;
    let Some((number, rest)) = current.split_first_chunk() else {
        return Err(damaged(&path, "it is cut short"));
    };
    let Some((checksum, [0])) = rest.split_first_chunk() else {
        return Err(damaged(&path, "it has no checksum"));
    };
    let list_path = tables.join(list_name(u64::from_le_bytes(*number)));
    let list = fs::read(&list_path).map_err(absent(&list_path))?;
    if XxHash3_128::oneshot(&list) != u128::from_le_bytes(*checksum) {
        return Err(damaged(&list_path, "it does not have the checksum that `current` gives"));
    }
    Ok(())
}

/// Returns the number of the newest list on disk, if that can be read.
pub(super) fn newest(tables: &Path) -> Option<u64> {
    let current = fs::read(tables.join(CURRENT)).ok()?;
    Some(u64::from_le_bytes(*current.first_chunk()?))
}

fn list_name(number: u64) -> String {
    format!("v{number}")
}

fn absent(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => damaged(path, "it is missing"),
        _ => failed("read", path)(error),
    }
}

fn damaged(path: &Path, what: &str) -> StoreError {
    let detail = format!(
        "{what}; without it rows cannot be found. Nothing was changed. Check the disk, then restore \
         the directory from a backup"
    );
    StoreError::Corrupt { path: path.to_owned(), detail }
}
