//! Why a store refuses or fails.
//!
//! Invariant: the variant alone tells the caller what to do next; the text is for people.

use std::{io, path::PathBuf, sync::Arc};

use crate::{Epoch, PartitionId};

/// Says why a store operation failed. The variant tells the caller what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another owner took the partition over. Stop serving it; never retry with this lease.
    #[error("{partition} is owned under {owner}, this lease has {ours}")]
    Fenced {
        /// The partition in question.
        partition: PartitionId,
        /// The epoch of the refused commit.
        ours: Epoch,
        /// The epoch of the current owner.
        owner: Epoch,
    },
    /// The batch does not follow the last committed one. A mistake of the caller: stop the
    /// partition and take it over again.
    #[error("{partition} expects batch {expected}, got batch {got}")]
    OutOfOrder {
        /// The partition in question.
        partition: PartitionId,
        /// The sequence number that is next.
        expected: u64,
        /// The sequence number of the refused commit.
        got: u64,
    },
    /// The disk has no space. Nothing was written; the same commit may be retried later.
    #[error("the disk is full: nothing was written, free some space; the store then goes on")]
    Full,
    /// Stored data is damaged or missing. Do not serve from it; call a person.
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt {
        /// The damaged file or directory.
        path: PathBuf,
        /// What was found, what is lost and what can be done.
        detail: String,
    },
    /// Another process has the directory open. Stop that one first, or use another directory.
    #[error("{} is in use by {owner}", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that has it open, as far as is known.
        owner: String,
    },
    /// The directory was written by another version of this software. Use that version.
    #[error("{} has format {found}, this program supports format {supported}", path.display())]
    Version {
        /// The directory or file.
        path: PathBuf,
        /// The format that was found.
        found: String,
        /// The format that this program reads and writes.
        supported: String,
    },
    /// An earlier failure left it unknown what is on disk, or the store was closed. Drop every
    /// handle, open the store again and take the partitions over again: the commits that were not
    /// answered are then either there or not.
    #[error("the store stopped after a failed write; open it again")]
    Poisoned,
    /// The partition does not exist in this store. Fix the input.
    #[error("there is no {partition}: the store has {count} partitions")]
    NoSuchPartition {
        /// The partition asked for.
        partition: PartitionId,
        /// How many partitions there are.
        count: u16,
    },
    /// A key or value is too long. Fix the input: nothing of this batch was written.
    #[error("a key or value of {length} bytes is above the bound of {length_max} bytes")]
    TooLarge {
        /// The length in bytes.
        length: usize,
        /// The bound in bytes.
        length_max: usize,
    },
    /// The operating system failed a request. Reads and `open` may be retried.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: Arc<io::Error>,
    },
}
