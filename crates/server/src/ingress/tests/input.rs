//! Reading bodies and encoding the first journal entry.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::Full;
use prost::Message;
use reveille_protocol::message::InputCommand;

use super::super::body::{Chunks, encode_input};
use super::super::error::IngressError;

/// A body in chunks whose length is not known in advance.
struct Chunked<'c>(&'c mut dyn Iterator<Item = &'static str>);

impl Body for Chunked<'_> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(chunk) = self.0.next() else { return Poll::Ready(None) };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))))
    }
}

#[tokio::test]
async fn chunks_are_joined() {
    let mut chunks = ["ab", "", "cde"].into_iter();
    let body = Chunks::read(Chunked(&mut chunks), 5).await.ok().unwrap();
    assert_eq!(body.len(), 5);
    assert_eq!(body.into_bytes(), "abcde");
}

#[tokio::test]
async fn a_body_over_the_bound_is_not_read_on() {
    let mut chunks = ["ab", "cd", "never read"].into_iter();
    let error = Chunks::read(Chunked(&mut chunks), 3).await.err();
    assert_eq!(error, Some(IngressError::BodyTooLarge));
    assert_eq!(chunks.next(), Some("never read"));
    // With a known length, not even the first chunk is read.
    let error = Chunks::read(Full::from("abcd"), 3).await.err();
    assert_eq!(error, Some(IngressError::BodyTooLarge));
}

#[tokio::test]
async fn input_is_what_the_protocol_says() {
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: &[u8]| {
        let value = HeaderValue::from_bytes(value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    };
    add("host", b"example");
    add("user-agent", b"test");
    add("connection", b"keep-alive");
    add("idempotency-key", b"k");
    add("x-restate-ingress-path", b"from the client");
    add("x-latin", b"caf\xe9");
    add("cookie", b"a=1");
    add("x-empty", b"");
    let long = "x".repeat(300);
    add("x-long", long.as_bytes());
    let mut chunks = ["{\"a\"", ":1}"].into_iter();
    let body = Chunks::read(Chunked(&mut chunks), 100).await.ok().unwrap();
    let encoded = encode_input("/S/h?delay=1s", &headers, &body);

    let decoded = InputCommand::decode(encoded.clone()).unwrap();
    let found: Vec<_> =
        decoded.headers.iter().map(|header| (header.key.as_str(), header.value.as_str())).collect();
    let expected = [
        ("x-restate-ingress-path", "/S/h?delay=1s"),
        ("user-agent", "test"),
        ("x-restate-ingress-path", "from the client"),
        ("x-latin", "caf\u{fffd}"),
        ("cookie", "a=1"),
        ("x-empty", ""),
        ("x-long", &long),
    ];
    assert_eq!(found, expected);
    assert_eq!(decoded.value.as_ref().unwrap().content, "{\"a\":1}");
    assert_eq!(decoded.name, "");

    // An empty body is a value too.
    let empty = InputCommand::decode(encode_input("/", &HeaderMap::new(), &Chunks::default()));
    assert_eq!(empty.unwrap().value.unwrap().content, "");
}
