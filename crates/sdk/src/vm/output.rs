//! What waits to be sent: frames as segments of bytes.
//!
//! Small frames are gathered in one buffer. A large payload is never copied: it becomes a segment of
//! its own. For that it is written as the last field of its message, which protobuf allows.
//!
//! Start with [`Output::message`].

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use prost::{encode_length_delimiter, length_delimiter_len};
use reveille_protocol::frame::{HEADER_LEN, MessageType};

/// Payloads from this length on are not copied. Below, copying is cheaper than another segment.
const SEGMENT_BYTES_MIN: usize = 4096;
/// The header flag that asks for an acknowledgement.
const FLAG_ACK_REQUESTED: u16 = 0x8000;
/// The wire type of fields with a length.
const WIRE_TYPE_LEN: u8 = 2;

/// Where the payload of a message stands, taken out of the message.
pub struct Payload {
    /// The field number in the message, below 16.
    pub tag: u8,
    /// Whether it is a `Value` message rather than plain bytes.
    pub is_value: bool,
    /// The bytes.
    pub content: Bytes,
}

/// Frames that wait to be sent, in order.
#[derive(Default)]
pub struct Output {
    segments: VecDeque<Bytes>,
    buffer: BytesMut,
}

impl Output {
    /// Appends a frame. `payload` is a field that `message` lacks.
    pub fn message(
        &mut self,
        ty: MessageType,
        ack_requested: bool,
        message: &impl prost::Message,
        payload: Option<Payload>,
    ) {
        let (head, content) = payload.map_or_else(Default::default, Payload::split);
        let len = message.encoded_len() + head.len() + content.len();
        self.buffer.reserve(HEADER_LEN + len - content.len());
        self.buffer.put_u16(ty.0);
        self.buffer.put_u16(if ack_requested { FLAG_ACK_REQUESTED } else { 0 });
        // `Vm` refuses payloads that the header cannot express.
        self.buffer.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
        // The buffer grows, so that nothing can be left out.
        let _ = message.encode(&mut self.buffer);
        self.buffer.put_slice(&head);
        if !content.is_empty() {
            self.segments.push_back(self.buffer.split().freeze());
            self.segments.push_back(content);
        }
    }

    /// Removes the next segment.
    pub fn take(&mut self) -> Option<Bytes> {
        if self.segments.is_empty() && !self.buffer.is_empty() {
            return Some(self.buffer.split().freeze());
        }
        self.segments.pop_front()
    }
}

/// Whether a payload is taken out of its message.
pub fn is_large(content: &Bytes) -> bool {
    content.len() >= SEGMENT_BYTES_MIN
}

impl Payload {
    /// The bytes of the field up to the content, and the content.
    fn split(self) -> (BytesMut, Bytes) {
        let mut head = BytesMut::new();
        let key = |tag: u8| tag << 3 | WIRE_TYPE_LEN;
        let len = self.content.len();
        head.put_u8(key(self.tag));
        // The buffer grows, so that nothing can be left out.
        if self.is_value {
            let _ = encode_length_delimiter(1 + length_delimiter_len(len) + len, &mut head);
            head.put_u8(key(1));
        }
        let _ = encode_length_delimiter(len, &mut head);
        (head, self.content)
    }
}
