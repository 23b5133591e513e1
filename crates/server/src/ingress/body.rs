//! Request bodies: bounded reading, and the encoding of the first journal entry.
//!
//! - Owns: the size bound, and [`encode_input`].
//! - Invariant: a body is copied once at most, from the chunks of the connection into the buffer
//!   that is stored; a body over the bound is refused before it is buffered.

use std::borrow::Cow;
use std::pin::pin;

use bytes::{BufMut, Bytes};
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderName};
use http_body::Body;
use http_body_util::BodyExt;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::error::IngressError;

/// The header that carries the idempotency key; the handler does not see it.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A body as it came: chunks that still belong to the connection's buffers.
#[derive(Default)]
pub struct Chunks {
    chunks: Vec<Bytes>,
    len: usize,
}

impl Chunks {
    /// Reads a body to its end, or fails as soon as it is known to exceed `limit` bytes.
    pub async fn read<B>(body: B, limit: usize) -> Result<Chunks, IngressError>
    where
        B: Body<Data = Bytes>,
        IngressError: From<B::Error>,
    {
        // The lower bound is the content-length, when there is one.
        if body.size_hint().lower() > limit as u64 {
            return Err(IngressError::BodyTooLarge);
        }
        let mut body = pin!(body);
        let mut read = Chunks::default();
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame?.into_data() else { continue };
            read.len += chunk.len();
            if read.len > limit {
                return Err(IngressError::BodyTooLarge);
            }
            if !chunk.is_empty() {
                read.chunks.push(chunk);
            }
        }
        Ok(read)
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Joins the chunks into an allocation of exactly this size.
    ///
    /// Even a single chunk is copied: it is a slice of a connection's read buffer, which a small
    /// value that is kept for months must not hold on to.
    pub fn into_bytes(self) -> Bytes {
        let mut joined = Vec::with_capacity(self.len);
        self.put(&mut joined);
        joined.into()
    }

    fn put(&self, buffer: &mut impl BufMut) {
        for chunk in &self.chunks {
            buffer.put_slice(chunk);
        }
    }
}

// Field numbers of the published protocol; a test decodes the result with `InputCommand`.
const INPUT_HEADERS: u32 = 1;
const INPUT_VALUE: u32 = 14;
const HEADER_KEY: u32 = 1;
const HEADER_VALUE: u32 = 2;
const VALUE_CONTENT: u32 = 1;

/// Encodes an `InputCommand` by hand, so that header texts are not allocated and the body goes
/// straight from its chunks to its final place.
pub fn encode_input(path_and_query: &str, headers: &HeaderMap, body: &Chunks) -> Bytes {
    let header_fields = || {
        let passed = headers
            .iter()
            .filter(|(name, _)| *name != HOST && *name != CONNECTION && *name != IDEMPOTENCY_KEY);
        let passed =
            passed.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
        std::iter::once(("x-restate-ingress-path", path_and_query.into())).chain(passed)
    };
    encode_fields(header_fields, body.len(), |buffer| body.put(buffer))
}

/// Does so for headers and a body from anywhere. `header_fields` is gone through twice.
pub fn encode_fields<'h, F: Iterator<Item = (&'h str, Cow<'h, str>)>>(
    header_fields: impl Fn() -> F,
    body_len: usize,
    put_body: impl FnOnce(&mut Vec<u8>),
) -> Bytes {
    let content_len = field_len(VALUE_CONTENT, body_len);
    let headers_len: usize = header_fields()
        .map(|(name, value)| field_len(INPUT_HEADERS, header_len(name, &value)))
        .sum();
    let len = headers_len + field_len(INPUT_VALUE, content_len);
    let mut buffer = Vec::with_capacity(len);
    for (name, value) in header_fields() {
        put_prefix(&mut buffer, INPUT_HEADERS, header_len(name, &value));
        put_prefix(&mut buffer, HEADER_KEY, name.len());
        buffer.put_slice(name.as_bytes());
        put_prefix(&mut buffer, HEADER_VALUE, value.len());
        buffer.put_slice(value.as_bytes());
    }
    put_prefix(&mut buffer, INPUT_VALUE, content_len);
    put_prefix(&mut buffer, VALUE_CONTENT, body_len);
    put_body(&mut buffer);
    debug_assert_eq!(buffer.len(), len, "the length was computed exactly");
    buffer.into()
}

fn header_len(name: &str, value: &str) -> usize {
    field_len(HEADER_KEY, name.len()) + field_len(HEADER_VALUE, value.len())
}

/// Length of a length-delimited field with its key and length.
fn field_len(tag: u32, len: usize) -> usize {
    key_len(tag) + encoded_len_varint(len as u64) + len
}

fn put_prefix(buffer: &mut Vec<u8>, tag: u32, len: usize) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(len as u64, buffer);
}
