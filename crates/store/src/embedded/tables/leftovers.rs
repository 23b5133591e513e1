//! Removes the tables that a step left behind when the disk was full.
//!
//! Otherwise each further attempt would leave more, until the store is opened again.
//! - Owns: nothing; the caller sees to it that nobody writes tables meanwhile.
//! - Invariant: a table of the newest list is never removed, whichever list that is.

use std::{fs, path::Path};

use lsm_tree::{AbstractTree, Tree};

use crate::{
    StoreError,
    embedded::{directory::failed, manifest_check},
};

/// Where the tree has its tables, below its own directory.
const FILES: &str = "tables";

/// Removes the tables with numbers from `table_first` on that are in no list.
pub(super) fn remove(tree: &Tree, path: &Path, table_first: u64) -> Result<(), StoreError> {
    let version = tree.current_version();
    if manifest_check::newest(path) != Some(version.id()) {
        // The list was replaced after all, and only the sync behind that failed.
        return Err(StoreError::Poisoned);
    }
    for table in table_first..tree.next_table_id() {
        let file = path.join(FILES).join(table.to_string());
        let exists = file.try_exists().map_err(failed("look for", &file))?;
        if exists && version.iter_tables().all(|listed| listed.id() != table) {
            fs::remove_file(&file).map_err(failed("remove", &file))?;
        }
    }
    Ok(())
}
