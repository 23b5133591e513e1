//! One record of the log: a group of commits.
//!
//! ```text
//! checksum of what follows of the header (8)
//! checksum of the payload (8), its length (8)
//! number (8), number of the record before (8)
//! payload: rows, the heads among them
//! zeros up to a multiple of 8
//!
//! row: length of key (2), length of value (4) or 0xFFFF_FFFF for a deletion, key, value
//! ```
//! Numbers are little endian. Checksums are XXH3 with the salt of the segment as seed, which nobody
//! can know who does not read the directory: neither bytes that another use of the file left behind
//! nor a value that looks like a record are ever taken for one.
//!
//! - Owns: the layout of a record.
//! - Invariant: what [`Encoder::seal`] made is read back by [`Header::decode`] and [`rows`]; a record
//!   with any other byte is not.

use twox_hash::XxHash3_64;

use crate::PartitionId;

/// Length of the header of a record.
pub(in crate::embedded) const HEADER_BYTES: usize = 40;

/// Records start at multiples of this.
pub(in crate::embedded) const ALIGNMENT: usize = 8;

const DELETION: u32 = u32::MAX;

/// The most bytes that an encoder keeps between two records.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Builds records one after the other in the same buffer.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// Starts a record without rows.
    pub(in crate::embedded) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.bytes.resize(HEADER_BYTES, 0);
    }

    /// Adds a row, whose lengths [`crate::Batch`] has checked; `None` deletes.
    #[expect(clippy::cast_possible_truncation, reason = "the lengths are bounded")]
    pub(in crate::embedded) fn push(
        &mut self,
        partition: PartitionId,
        key: &[u8],
        value: Option<&[u8]>,
    ) {
        let prefix = partition.0.to_be_bytes();
        let key_length = (prefix.len() + key.len()) as u16;
        let value_length = value.map_or(DELETION, |value| value.len() as u32);
        self.bytes.extend(key_length.to_le_bytes());
        self.bytes.extend(value_length.to_le_bytes());
        self.bytes.extend(prefix);
        self.bytes.extend(key);
        self.bytes.extend(value.unwrap_or_default());
    }

    /// Completes the record for a segment and returns its bytes.
    pub(in crate::embedded) fn seal(&mut self, salt: u64, number: u64, previous: u64) -> &[u8] {
        let payload = &self.bytes[HEADER_BYTES..];
        let payload_checksum = XxHash3_64::oneshot_with_seed(salt, payload);
        let header = Header { payload_checksum, length: payload.len() as u64, number, previous };
        self.bytes[..HEADER_BYTES].copy_from_slice(&header.encode(salt));
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        &self.bytes
    }

    /// The payload of the record that was completed last.
    #[cfg(test)]
    pub(in crate::embedded) fn payload(&self) -> &[u8] {
        let length = u64::from_le_bytes(*self.bytes[16..].first_chunk().expect("a header"));
        &self.bytes[HEADER_BYTES..][..usize::try_from(length).expect("it is in memory")]
    }
}

/// What a record says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct Header {
    payload_checksum: u64,
    length: u64,
    pub(in crate::embedded) number: u64,
    /// The number of the record before. Numbers grow, but not always by one.
    pub(in crate::embedded) previous: u64,
}

impl Header {
    fn encode(&self, salt: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let fields = [self.payload_checksum, self.length, self.number, self.previous];
        for (place, field) in bytes[8..].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let checksum = XxHash3_64::oneshot_with_seed(salt, &bytes[8..]);
        bytes[..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a record of the segment with this salt, if there is one.
    pub(in crate::embedded) fn decode(salt: u64, bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let mut fields = bytes.as_chunks::<8>().0.iter().map(|field| u64::from_le_bytes(*field));
        let checksum = fields.next()?;
        let header = Header {
            payload_checksum: fields.next()?,
            length: fields.next()?,
            number: fields.next()?,
            previous: fields.next()?,
        };
        // Looked at first, because most of what is not a record is zeros.
        let plausible = header.number > header.previous;
        (plausible && checksum == XxHash3_64::oneshot_with_seed(salt, &bytes[8..]))
            .then_some(header)
    }

    /// The length of the payload in bytes.
    pub(in crate::embedded) fn payload_bytes(&self) -> u64 {
        self.length
    }

    /// The length of the whole record in bytes; `None` if there is no such length.
    pub(in crate::embedded) fn record_bytes(&self) -> Option<u64> {
        self.length.checked_add(HEADER_BYTES as u64)?.checked_next_multiple_of(ALIGNMENT as u64)
    }

    /// Says whether this is the payload of the record.
    pub(in crate::embedded) fn fits(&self, salt: u64, payload: &[u8]) -> bool {
        self.payload_checksum == XxHash3_64::oneshot_with_seed(salt, payload)
    }
}

/// A row of a payload: the key as the tables have it, and the value or `None` for a deletion.
pub(in crate::embedded) type Row<'a> = (&'a [u8], Option<&'a [u8]>);

/// Says that a payload is none, although its checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct Malformed;

/// Reads the rows of a payload in order. Ends after the first that is malformed.
pub(in crate::embedded) fn rows(
    mut payload: &[u8],
) -> impl Iterator<Item = Result<Row<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if payload.is_empty() {
            return None;
        }
        let row = split_row(payload);
        payload = row.map_or(&[], |(_, rest)| rest);
        Some(row.map(|(row, _)| row).ok_or(Malformed))
    })
}

fn split_row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (key_length, bytes) = bytes.split_first_chunk()?;
    let (value_length, bytes) = bytes.split_first_chunk()?;
    let (key, bytes) = bytes.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
    if key.is_empty() {
        return None;
    }
    match u32::from_le_bytes(*value_length) {
        DELETION => Some(((key, None), bytes)),
        length => {
            let (value, bytes) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
            Some(((key, Some(value)), bytes))
        }
    }
}
