//! One request and its response, over either version of HTTP or within the process.
//!
//! - Owns: writing chunks within the peer's window, half-closing, reading, resetting.
//! - Does not own: what the bytes mean and how long to wait ([`super::attempt`]).
//! - Invariant: write errors are silent, since whatever breaks a stream shows on its reading side,
//!   where a terminal frame may still be waiting. Dropping an exchange resets what is still open.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::response::Parts;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::http1::{Chunks, Http1Lease};
use super::local::{Input, LocalResponse};
use super::outgoing::Outgoing;
use super::pool::{Lease, Slot};

/// Why nothing more comes from an exchange.
#[derive(Debug)]
pub(super) struct Broken {
    /// True when the request was certainly not processed and may be sent again.
    pub(super) unprocessed: bool,
    /// What happened.
    pub(super) cause: String,
}

/// An open exchange.
// Most exchanges are of the larger variant, and one more allocation would cost more than it saves.
#[allow(clippy::large_enum_variant)]
pub(super) enum Exchange {
    /// A stream of an HTTP/2 connection.
    Http2(Http2),
    /// An HTTP/1.1 connection.
    Http1(Http1),
    /// A deployment within the process.
    Local(Local),
}

/// See [`Exchange::Http2`]. The slot is the last field: it is free when the stream is gone.
pub(super) struct Http2 {
    send: SendStream<Bytes>,
    half_closed: bool,
    receive: Receive2,
    slot: Slot,
}

enum Receive2 {
    Head(h2::client::ResponseFuture),
    Body(RecvStream),
}

/// See [`Exchange::Http1`].
pub(super) struct Http1 {
    receive: Receive1,
    lease: Option<Http1Lease>,
}

/// See [`Exchange::Local`]. Dropping it resets the request and gives up the attempt.
pub(super) struct Local {
    input: Input,
    /// `None` once it was taken.
    head: Option<Box<Parts>>,
    body: LocalResponse,
}

type Head1 = dyn Future<Output = Result<Response<Incoming>, TrySendError<Request<Chunks>>>> + Send;

enum Receive1 {
    Head(Pin<Box<Head1>>),
    Body(Incoming),
}

impl Exchange {
    /// Opens a stream. Nothing but the request head is sent yet.
    pub(super) fn http2(lease: Lease, request: Request<()>) -> Result<Exchange, Broken> {
        match lease.open(request) {
            Ok((head, send, slot)) => {
                let receive = Receive2::Head(head);
                Ok(Exchange::Http2(Http2 { send, half_closed: false, receive, slot }))
            }
            Err(error) => Err(Broken { unprocessed: true, cause: error.to_string() }),
        }
    }

    /// Sends a complete request.
    pub(super) fn http1(mut lease: Http1Lease, request: Request<Chunks>) -> Exchange {
        let head = Box::pin(lease.sender.try_send_request(request));
        Exchange::Http1(Http1 { receive: Receive1::Head(head), lease: Some(lease) })
    }

    /// Takes a request to a deployment within the process, and its response.
    pub(super) fn local((input, response): (Input, Response<LocalResponse>)) -> Exchange {
        let (head, body) = response.into_parts();
        Exchange::Local(Local { input, head: Some(Box::new(head)), body })
    }

    /// Writes as many chunks as the peer's window takes, and half-closes behind the last one.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) {
        let http2 = match self {
            Exchange::Http2(http2) => http2,
            Exchange::Http1(_) => return,
            Exchange::Local(local) => return local.poll_flush(cx, outgoing),
        };
        while !http2.half_closed {
            if outgoing.is_empty() {
                if outgoing.closing() {
                    http2.half_close();
                }
                return;
            }
            if http2.send.capacity() == 0 {
                // One byte of window lets a whole chunk in: h2 holds the reference to the rest and
                // asks for its window itself.
                http2.send.reserve_capacity(1);
                match http2.send.poll_capacity(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok(_bytes))) => continue,
                    Poll::Ready(Some(Err(_)) | None) => {
                        http2.half_closed = true;
                        return;
                    }
                }
            }
            let Some(chunk) = outgoing.take() else { return };
            let last = outgoing.is_empty() && outgoing.closing();
            let sent = http2.send.send_data(chunk, last);
            http2.half_closed = last || sent.is_err();
        }
    }

    /// Half-closes the request; what was not written is not sent any more.
    pub(super) fn half_close(&mut self) {
        match self {
            Exchange::Http2(http2) => http2.half_close(),
            Exchange::Http1(_) => {}
            Exchange::Local(local) => local.input.close(),
        }
    }

    /// Waits for the response head.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Parts, Broken>> {
        match self {
            Exchange::Http2(http2) => {
                let Receive2::Head(head) = &mut http2.receive else { return Poll::Pending };
                match ready!(Pin::new(head).poll(cx)) {
                    Ok(response) => {
                        let (parts, body) = response.into_parts();
                        http2.receive = Receive2::Body(body);
                        Poll::Ready(Ok(parts))
                    }
                    Err(error) => Poll::Ready(Err(http2.refused(&error))),
                }
            }
            Exchange::Http1(http1) => {
                let Receive1::Head(head) = &mut http1.receive else { return Poll::Pending };
                match ready!(head.as_mut().poll(cx)) {
                    Ok(response) => {
                        let (parts, body) = response.into_parts();
                        http1.receive = Receive1::Body(body);
                        Poll::Ready(Ok(parts))
                    }
                    Err(mut error) => {
                        let unprocessed = error.take_message().is_some();
                        let cause = with_sources(error.error());
                        Poll::Ready(Err(Broken { unprocessed, cause }))
                    }
                }
            }
            Exchange::Local(local) => match local.head.take() {
                Some(head) => Poll::Ready(Ok(*head)),
                None => Poll::Pending,
            },
        }
    }

    /// Waits for the next bytes of the response, once its head was taken; `None` at its end.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Exchange::Http2(http2) => {
                let Receive2::Body(body) = &mut http2.receive else { return Poll::Pending };
                match ready!(body.poll_data(cx)) {
                    Some(Ok(bytes)) => {
                        // It fails only when the stream is gone, which the next read tells.
                        let _gone = body.flow_control().release_capacity(bytes.len());
                        Poll::Ready(Some(Ok(bytes)))
                    }
                    Some(Err(error)) => Poll::Ready(Some(Err(Broken::late(error.to_string())))),
                    None => Poll::Ready(None),
                }
            }
            Exchange::Http1(http1) => http1.poll_data(cx),
            Exchange::Local(local) => {
                poll_body(&mut local.body, cx, |error| Broken::late(with_sources(error.as_ref())))
            }
        }
    }

    /// Resets the stream with CANCEL, whatever is still queued on it.
    pub(super) fn reset(self) {
        if let Exchange::Http2(mut http2) = self {
            http2.send.send_reset(Reason::CANCEL);
        }
    }
}

impl Http2 {
    fn half_close(&mut self) {
        if !self.half_closed {
            self.half_closed = true;
            // It fails only when the stream is gone, which the reading side tells.
            let _gone = self.send.send_data(Bytes::new(), true);
        }
    }

    /// Finds out whether a request without an answer may be sent again.
    fn refused(&self, error: &h2::Error) -> Broken {
        let reason = error.reason();
        let refused = error.is_reset() && reason == Some(Reason::REFUSED_STREAM);
        let going = error.is_go_away() && reason == Some(Reason::NO_ERROR);
        if error.is_remote() && (refused || going) {
            if going {
                self.slot.refuse();
            }
            return Broken { unprocessed: true, cause: error.to_string() };
        }
        Broken::late(error.to_string())
    }
}

impl Http1 {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Receive1::Body(body) = &mut self.receive else { return Poll::Pending };
        let read = ready!(poll_body(body, cx, |error| Broken::late(with_sources(&error))));
        if read.is_none()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
        Poll::Ready(read)
    }
}

impl Local {
    fn poll_flush(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) {
        while !outgoing.is_empty() {
            if self.input.poll_room(cx).is_pending() {
                return;
            }
            outgoing.take().into_iter().for_each(|chunk| self.input.send(chunk));
        }
        if outgoing.closing() {
            self.input.close();
        }
    }
}

/// Waits for the next bytes of a body. Trailers mean nothing here.
fn poll_body<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    cx: &mut Context<'_>,
    broken: impl Fn(B::Error) -> Broken,
) -> Poll<Option<Result<Bytes, Broken>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => return Poll::Ready(Some(Ok(bytes))),
                Err(_trailers) => continue,
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(broken(error)))),
            None => return Poll::Ready(None),
        }
    }
}

impl Broken {
    fn late(cause: String) -> Broken {
        Broken { unprocessed: false, cause }
    }
}

/// Writes an error with what it was caused by; hyper's own text is only its kind.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
