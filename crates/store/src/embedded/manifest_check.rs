//! Checks the engine's lists of tables before the engine reads them.
//!
//! Each keyspace has a file `current` that names the newest list, `vN`, with its checksum. The
//! engine writes that checksum but does not look at it, panics on some damage, and deletes a
//! keyspace whose `current` is missing. (fjall 3.1 on lsm-tree 3.1, `version/persist.rs`.)
//!
//! ```text
//! current: N (8), XXH3-128 of the file vN (16), checksum kind 0 (1); little endian
//! ```
//!
//! - Owns: nothing; it only reads.
//! - Invariant: if [`check`] succeeds, every keyspace has an intact list of tables.

use std::{fs, io, path::Path};

use twox_hash::XxHash3_128;

use super::directory::{STORE, failed};
use crate::StoreError;

const KEYSPACES: &str = "keyspaces";
const CURRENT: &str = "current";

/// Checks every keyspace of a store directory.
pub(super) fn check(directory: &Path) -> Result<(), StoreError> {
    let keyspaces = directory.join(STORE).join(KEYSPACES);
    let entries = fs::read_dir(&keyspaces).map_err(absent(&keyspaces))?;
    for entry in entries {
        let path = entry.map_err(failed("list", &keyspaces))?.path();
        if !path.is_dir() {
            continue;
        }
        let number = path.file_name().and_then(|name| name.to_str()).map(str::parse::<u64>);
        if !matches!(number, Some(Ok(_))) {
            return Err(damaged(&path, "it is no directory of the engine; move it away"));
        }
        check_keyspace(&path)?;
    }
    Ok(())
}

fn check_keyspace(keyspace: &Path) -> Result<(), StoreError> {
    let path = keyspace.join(CURRENT);
    let current = fs::read(&path).map_err(absent(&path))?;
    let Some((number, rest)) = current.split_first_chunk() else {
        return Err(damaged(&path, "it is cut short"));
    };
    let Some((checksum, [0])) = rest.split_first_chunk() else {
        return Err(damaged(&path, "it has no checksum"));
    };
    let list_path = keyspace.join(format!("v{}", u64::from_le_bytes(*number)));
    let list = fs::read(&list_path).map_err(absent(&list_path))?;
    if XxHash3_128::oneshot(&list) != u128::from_le_bytes(*checksum) {
        return Err(damaged(&list_path, "it does not have the checksum that `current` gives"));
    }
    Ok(())
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
