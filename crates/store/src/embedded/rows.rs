//! Which row of the tables holds what: the layout of keys.
//!
//! The number of a partition is big endian, so its rows lie together:
//!
//! ```text
//! partition (2) ‖ key              -> value
//! 0xFFFE ‖ 'h' ‖ partition (2)     -> epoch (8), sequence number (8)
//! ```
//!
//! - Owns: the layout of keys, the value of a head.
//! - Invariant: every commit writes the head of each partition that it changes, so the newest row of
//!   the tables always has the number of the newest commit in them.

use bytes::Bytes;

use crate::{Epoch, Head, PartitionId, Write};

/// The partition of the store's own rows. No user has it.
pub(super) const INTERNAL: PartitionId = PartitionId(0xFFFE);

/// Length of the partition number in front of a key.
pub(super) const PREFIX_BYTES: usize = 2;

const KIND_HEAD: u8 = b'h';

/// The keys of heads in the partition [`INTERNAL`], as start and end.
pub(super) const HEADS: (&[u8], &[u8]) = (&[KIND_HEAD], &[KIND_HEAD + 1]);

/// Returns the key of a row in the tables.
pub(super) fn row_key(partition: PartitionId, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(PREFIX_BYTES + key.len());
    row.extend(partition.0.to_be_bytes());
    row.extend(key);
    row
}

/// Returns the row of a partition's head, in the partition [`INTERNAL`].
pub(super) fn head_row(partition: PartitionId, head: Head) -> Write {
    let [high, low] = partition.0.to_be_bytes();
    let key = Bytes::copy_from_slice(&[KIND_HEAD, high, low]);
    let value = [head.epoch.0.to_be_bytes(), head.seq.to_be_bytes()].concat();
    Write { key, value: Some(value.into()), fresh: false }
}

/// Reads a head from its row.
pub(super) fn decode_head(key: &[u8], value: &[u8]) -> Option<(PartitionId, Head)> {
    let [KIND_HEAD, high, low] = *key else { return None };
    let (epoch, rest) = value.split_first_chunk()?;
    let seq: &[u8; 8] = rest.try_into().ok()?;
    let head = Head { epoch: Epoch(u64::from_be_bytes(*epoch)), seq: u64::from_be_bytes(*seq) };
    Some((PartitionId(u16::from_be_bytes([high, low])), head))
}
