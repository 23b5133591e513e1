//! The incremental frame decoder.
//!
//! Start with [`FrameDecoder::next`]. A payload that lies within one chunk is handed out as a slice
//! of it. One that spans chunks is gathered in a buffer that grows by doubling up to the announced
//! length, so each byte is copied a constant number of times however small the chunks are, and a
//! header alone cannot make us reserve the whole length.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use crate::frame::{FLAG_ACK_REQUESTED, Frame, FrameError, HEADER_LEN, MessageType};

/// The first reservation for a payload that spans chunks, in bytes.
const GATHER_CAPACITY_MIN: usize = 4096;

/// Cuts a byte stream into frames.
///
/// Call [`push`](Self::push) with each chunk and then [`next`](Self::next) until it returns `None`.
/// A payload slice keeps its chunk alive; copy what is kept for long.
#[derive(Debug)]
pub struct FrameDecoder {
    payload_len_max: usize,
    /// Bytes not yet looked at; no chunk in it is empty.
    chunks: VecDeque<Bytes>,
    /// The header of the frame in progress; its first `header_len` bytes are valid.
    header: [u8; HEADER_LEN],
    header_len: usize,
    /// The first part of the payload in progress, when it spans chunks.
    gathered: Vec<u8>,
}

impl FrameDecoder {
    /// Makes a decoder that refuses payloads longer than `payload_len_max` bytes.
    pub fn new(payload_len_max: usize) -> Self {
        Self {
            payload_len_max,
            chunks: VecDeque::new(),
            header: [0; HEADER_LEN],
            header_len: 0,
            gathered: Vec::new(),
        }
    }

    /// Appends the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Returns the next complete frame, or `None` when more bytes are needed.
    ///
    /// After [`FrameError::TooLong`] each call returns the same error: the stream is lost.
    // Not an `Iterator`: `None` means "not yet" rather than "the end".
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if !self.fill_header() {
            return Ok(None);
        }
        let [t0, t1, f0, f1, l0, l1, l2, l3] = self.header;
        let ty = MessageType(u16::from_be_bytes([t0, t1]));
        let ack_requested = u16::from_be_bytes([f0, f1]) & FLAG_ACK_REQUESTED != 0;
        let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if len > self.payload_len_max {
            return Err(FrameError::TooLong { ty, len, max: self.payload_len_max });
        }
        let Some(payload) = self.take_payload(len) else {
            return Ok(None);
        };
        self.header_len = 0;
        Ok(Some(Frame { ty, ack_requested, payload }))
    }

    /// Tells whether no part of a frame is buffered, so that the stream may end here.
    pub fn is_empty(&self) -> bool {
        self.header_len == 0 && self.chunks.is_empty()
    }

    fn fill_header(&mut self) -> bool {
        while self.header_len < HEADER_LEN {
            let Some(part) = self.take_some(HEADER_LEN - self.header_len) else {
                return false;
            };
            self.header[self.header_len..][..part.len()].copy_from_slice(&part);
            self.header_len += part.len();
        }
        true
    }

    fn take_payload(&mut self, len: usize) -> Option<Bytes> {
        if self.gathered.is_empty() {
            if len == 0 {
                return Some(Bytes::new());
            }
            if self.chunks.front().is_some_and(|chunk| chunk.len() >= len) {
                return self.take_some(len);
            }
        }
        while self.gathered.len() < len {
            let part = self.take_some(len - self.gathered.len())?;
            self.reserve(part.len(), len);
            self.gathered.extend_from_slice(&part);
        }
        Some(std::mem::take(&mut self.gathered).into())
    }

    /// Makes room for `more` bytes: doubles, but never beyond the payload length `len`.
    fn reserve(&mut self, more: usize, len: usize) {
        let needed = self.gathered.len() + more;
        if needed > self.gathered.capacity() {
            let doubled = (self.gathered.capacity() * 2).max(GATHER_CAPACITY_MIN);
            let capacity = doubled.min(len).max(needed);
            self.gathered.reserve_exact(capacity - self.gathered.len());
        }
    }

    /// Removes up to `len_max` bytes, all of one chunk; `None` when nothing is buffered.
    fn take_some(&mut self, len_max: usize) -> Option<Bytes> {
        let front = self.chunks.front_mut()?;
        if front.len() > len_max {
            return Some(front.copy_to_bytes(len_max));
        }
        self.chunks.pop_front()
    }
}
