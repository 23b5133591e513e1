//! Signal indexes with a fixed meaning.
//!
//! Indexes 2 to 15 are reserved and 16 is never allocated, so the table below is complete.

/// Cancels the invocation that receives it.
pub const CANCEL: u32 = 1;

/// The index of the first awakeable of an invocation; the next ones count up from here.
pub const AWAKEABLE_FIRST: u32 = 17;
