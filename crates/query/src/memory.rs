//! How much memory queries may take, all together.
//!
//! - Invariant: SQLite is used for nothing but queries, so that its limit, which is one for the whole
//!   process, is theirs.
#![allow(unsafe_code, reason = "the limit has no safe binding")]

use rusqlite::ffi;

/// Bounds the memory of all queries of this process together. What exceeds it fails, the others go on
/// once it is given back. Counted is what sorting, grouping and single values take.
pub fn limit_memory(bytes: usize) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: the function may be called at any time, from any thread.
    unsafe { ffi::sqlite3_hard_heap_limit64(bytes) };
}

/// The bound in bytes.
pub(crate) fn limit() -> i64 {
    // SAFETY: as above; a negative argument reads the bound and changes nothing.
    unsafe { ffi::sqlite3_hard_heap_limit64(-1) }
}
