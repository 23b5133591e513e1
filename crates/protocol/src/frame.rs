//! Framing: an 8-byte header, then a protobuf payload.
//!
//! ```text
//! bytes 0..2  message type, big-endian
//! bytes 2..4  flags: 0x8000 = ack requested; the other bits are sent as 0 and ignored on receipt
//! bytes 4..8  payload length in bytes, big-endian, header excluded
//! ```
//!
//! - Owns: the message table (`frame/table.rs`: code, name and codec of every message), [`Frame`]
//!   and the incremental [`FrameDecoder`].
//! - Does not own: the payload shapes ([`crate::message`]).
//! - Invariant: a length above the limit is refused before one byte of its payload is stored.

mod decoder;
mod table;

#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};

pub use decoder::FrameDecoder;
pub use table::MessageType;

/// The length of a frame header in bytes.
pub const HEADER_LEN: usize = 8;

/// The header flag that asks for an acknowledgement.
const FLAG_ACK_REQUESTED: u16 = 0x8000;

/// Represents one message as it travels: its type, its only flag and its undecoded payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The message type; it may be one that this crate does not know.
    pub ty: MessageType,
    /// Whether the sender asks for an acknowledgement (`ProposeRunCompletion` from v7 on).
    pub ack_requested: bool,
    /// The protobuf message, at most `u32::MAX` bytes.
    pub payload: Bytes,
}

impl Frame {
    /// Makes a frame that asks for no acknowledgement.
    pub fn new(ty: MessageType, payload: Bytes) -> Self {
        Self { ty, ack_requested: false, payload }
    }

    /// Encodes a message into a frame that asks for no acknowledgement.
    ///
    /// The caller pairs `ty` with the right `M`; the message table names the pairs.
    pub fn message<M: prost::Message>(ty: MessageType, message: &M) -> Self {
        Self::new(ty, message.encode_to_vec().into())
    }

    /// Decodes the payload; its byte fields are slices of it, not copies.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, FrameError> {
        M::decode(self.payload.clone()).map_err(|source| FrameError::Decode { ty: self.ty, source })
    }

    /// Appends header and payload to `out`.
    ///
    /// # Panics
    ///
    /// When the payload is longer than the header can express (4 GiB).
    pub fn encode(&self, out: &mut BytesMut) {
        let len = u32::try_from(self.payload.len()).expect("a payload is shorter than 4 GiB");
        out.reserve(self.encoded_len());
        out.put_u16(self.ty.0);
        out.put_u16(if self.ack_requested { FLAG_ACK_REQUESTED } else { 0 });
        out.put_u32(len);
        out.put_slice(&self.payload);
    }

    /// Returns the number of bytes that [`Frame::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN + self.payload.len()
    }
}

/// Why bytes of the peer are not a message. Both end the stream: the attempt fails.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The header announces more than the limit. The decoder stays at this frame for good.
    #[error("{ty} frame of {len} bytes exceeds the limit of {max} bytes")]
    TooLong {
        /// The type in the header.
        ty: MessageType,
        /// The announced payload length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The payload is not the protobuf message of its type.
    #[error("{ty} frame cannot be decoded: {source}")]
    Decode {
        /// The type in the header.
        ty: MessageType,
        /// What is wrong with the payload.
        source: prost::DecodeError,
    },
}
