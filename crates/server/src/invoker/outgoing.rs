//! Encoded frames on their way to a deployment.
//!
//! - Owns: the queue of chunks and, until the response head arrives, a record of what was taken
//!   from it, so that a request that was certainly not processed can be sent again.
//! - Does not own: when a chunk may be written ([`super::exchange`]).
//! - Invariant: the chunks in order are exactly the frames in order; payloads of more than
//!   [`COPY_BYTES_MAX`] are passed on without a copy.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use reveille_protocol::frame::Frame;

use crate::limits;

/// Payloads up to this many bytes are copied next to their header: one chunk, one DATA frame.
const COPY_BYTES_MAX: usize = 1024;

/// A run of small frames is closed as a chunk at this length.
const TAIL_BYTES_MAX: usize = 16 << 10;

/// The queue. A request that waits silently holds no buffer here.
#[derive(Debug)]
pub(super) struct Outgoing {
    chunks: VecDeque<Bytes>,
    /// Small frames that are not yet a chunk.
    tail: BytesMut,
    /// What was taken so far; `None` once it need not be sent again.
    taken: Option<Vec<Bytes>>,
    /// No frame follows: the stream is half-closed behind the last chunk.
    closing: bool,
}

impl Outgoing {
    /// Encodes what an attempt starts with.
    pub(super) fn new(frames: &[Frame]) -> Outgoing {
        let small: usize = frames.iter().map(|frame| frame.encoded_len().min(COPY_BYTES_MAX)).sum();
        let mut outgoing = Outgoing {
            chunks: VecDeque::new(),
            tail: BytesMut::with_capacity(small.min(TAIL_BYTES_MAX)),
            taken: Some(Vec::new()),
            closing: false,
        };
        for frame in frames {
            outgoing.push(frame);
        }
        outgoing
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, frame: &Frame) {
        if frame.payload.len() <= COPY_BYTES_MAX {
            frame.encode(&mut self.tail);
        } else {
            self.tail.put_slice(&header(frame));
            self.cut();
            self.chunks.push_back(frame.payload.clone());
        }
        if self.tail.len() >= TAIL_BYTES_MAX {
            self.cut();
        }
    }

    /// Tells that no frame follows.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// True when the last chunk is to be followed by a half-close.
    pub(super) fn closing(&self) -> bool {
        self.closing
    }

    /// True when no more frames should be added for now.
    pub(super) fn is_full(&self) -> bool {
        self.chunks.len() >= limits::OUTGOING_CHUNKS
    }

    /// True when nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    /// Takes the next chunk.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.cut();
        }
        let chunk = self.chunks.pop_front()?;
        if self.chunks.is_empty() {
            // A long replay must not leave its ring buffer behind in a silent attempt.
            self.chunks = VecDeque::new();
        }
        if let Some(taken) = &mut self.taken {
            taken.push(chunk.clone());
        }
        Some(chunk)
    }

    /// Puts back everything that was taken, for another try.
    pub(super) fn rewind(&mut self) {
        for chunk in self.taken.replace(Vec::new()).into_iter().flatten().rev() {
            self.chunks.push_front(chunk);
        }
    }

    /// The deployment has answered: what was taken is not needed again.
    pub(super) fn forget(&mut self) {
        self.taken = None;
    }

    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }
}

/// Encodes the header of a frame without its payload.
fn header(frame: &Frame) -> [u8; 8] {
    let mut bytes = BytesMut::with_capacity(8);
    let len = u32::try_from(frame.payload.len()).expect("a payload is shorter than 4 GiB");
    let empty = Frame { payload: Bytes::new(), ..*frame };
    empty.encode(&mut bytes);
    let mut header = [0; 8];
    header[..4].copy_from_slice(&bytes[..4]);
    header[4..].copy_from_slice(&len.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use reveille_protocol::frame::MessageType;

    use super::*;

    #[test]
    fn chunks_are_the_frames_in_order() {
        let sizes = [0, 1, COPY_BYTES_MAX, COPY_BYTES_MAX + 1, 9, 40_000, 40_000, 900, 900, 3];
        let mut frames: Vec<Frame> = sizes
            .iter()
            .map(|size| Frame::new(MessageType::INPUT_COMMAND, vec![7; *size].into()))
            .collect();
        frames[3].ack_requested = true;
        let mut expected = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut expected));

        let mut outgoing = Outgoing::new(&frames[..5]);
        frames[5..].iter().for_each(|frame| outgoing.push(frame));
        for _round in 0..2 {
            let mut got = BytesMut::new();
            while let Some(chunk) = outgoing.take() {
                got.put_slice(&chunk);
            }
            assert!(outgoing.is_empty());
            assert_eq!(got, expected);
            outgoing.rewind();
        }
        assert!(!outgoing.is_empty());
    }

    #[test]
    fn large_payloads_are_not_copied() {
        let payload = Bytes::from(vec![1; COPY_BYTES_MAX + 1]);
        let mut outgoing =
            Outgoing::new(&[Frame::new(MessageType::SIGNAL_NOTIFICATION, payload.clone())]);
        assert_eq!(outgoing.take().map(|chunk| chunk.len()), Some(8));
        assert_eq!(outgoing.take().map(|chunk| chunk.as_ptr()), Some(payload.as_ptr()));
    }
}
