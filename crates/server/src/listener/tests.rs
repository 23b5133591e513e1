//! Slow clients, floods and TLS against real sockets, with bounds small enough to be reached.
//!
//! Nothing sleeps: a test waits for what the listener does when a bound is reached.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::tls::client::{Alpn, ClientTls};
use crate::tls::server::ServerTls;
use crate::tls::tests::{Authority, LOCALHOST};

use super::{Answer, Bounds, IncomingBody, Listener, serve};

/// What takes longer is stuck.
const STUCK: std::time::Duration = std::time::Duration::from_secs(20);

/// Every time so short that it is reached, the other bounds as they are.
fn bounds() -> Bounds {
    Bounds {
        handshake_ms: 50,
        header_read_ms: 50,
        idle_ms: 50,
        body_pause_ms: 50,
        write_pause_ms: 50,
        closing_ms: 50,
        ..Bounds::ingress()
    }
}

/// Bounds that a test cannot reach by being slow.
fn patient() -> Bounds {
    Bounds::ingress()
}

/// Answers with how reading the body went; `/endless` is answered with a body that never ends.
#[derive(Clone, Default)]
struct Echo {
    open: Arc<AtomicUsize>,
    open_max: Arc<AtomicUsize>,
}

enum Said {
    Text(Bytes),
    Endless,
}

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(match self.get_mut() {
            Said::Text(text) if text.is_empty() => None,
            Said::Text(text) => Some(Ok(Frame::data(std::mem::take(text)))),
            Said::Endless => Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 << 10])))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Said::Text(text) => SizeHint::with_exact(text.len() as u64),
            Said::Endless => SizeHint::default(),
        }
    }
}

impl Answer for Echo {
    type Body = Said;

    async fn answer(self: Arc<Self>, request: Request<IncomingBody>) -> Response<Said> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.open_max.fetch_max(open, Ordering::SeqCst);
        if request.uri().path() == "/endless" {
            self.open.fetch_sub(1, Ordering::SeqCst);
            return Response::new(Said::Endless);
        }
        let version = request.version();
        let text = match request.into_body().collect().await {
            Ok(body) => format!("{version:?} {} bytes", body.to_bytes().len()),
            Err(error) => error.to_string(),
        };
        self.open.fetch_sub(1, Ordering::SeqCst);
        Response::new(Said::Text(text.into()))
    }
}

struct Running {
    address: SocketAddr,
    echo: Echo,
    _stop: oneshot::Sender<()>,
}

async fn start(bounds: Bounds, tls: Option<ServerTls>) -> Running {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let echo = Echo::default();
    tokio::spawn(serve(Listener { socket, tls, bounds }, echo.clone(), async {
        // A test that ends stops it.
        let _dropped = stopped.await;
    }));
    Running { address, echo, _stop: stop }
}

/// Fails a test that is stuck, instead of hanging.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(STUCK, future).await.unwrap_or_else(|_| panic!("{what}: the test is stuck"))
}

/// Writes and reads until the listener closes the connection; what was read, as text.
async fn until_closed(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(bytes).await.expect("it takes a few bytes");
    let mut read = Vec::new();
    // A reset is a way of closing, too.
    let _reset = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let running = start(bounds(), None).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let unfinished_headers = [preface.as_slice(), b"\0\0\x01\x01\0\0\0\0\x01\x82"].concat();
    let large_head = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(70_000));
    let table: [(&str, &[u8], &str); 9] = [
        ("silence", b"", ""),
        ("half a request line", b"GET / HT", ""),
        ("half a head", b"GET / HTTP/1.1\r\nhost: x\r\n", ""),
        ("half a preface", b"PRI * HT", ""),
        ("an idle connection", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 200 OK"),
        ("an idle HTTP/2 connection", preface, "\0\0"),
        ("headers that do not end", &unfinished_headers, "\0\0"),
        ("a large head", large_head.as_bytes(), "HTTP/1.1 431 Request Header Fields Too Large"),
        (
            "half a body",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
            "HTTP/1.1 200 OK",
        ),
    ];
    for (what, bytes, expected) in table {
        let read = soon(what, until_closed(running.address, bytes)).await;
        assert!(read.starts_with(expected), "{what}: {read:?}");
        assert_eq!(read.is_empty(), expected.is_empty(), "{what}: {read:?}");
        if what == "half a body" {
            assert!(read.ends_with("nothing arrived for 50 ms"), "{read:?}");
        }
    }
}

#[tokio::test]
async fn clients_that_do_not_read_are_cut_off() {
    let bounds = Bounds { connections: 1, write_pause_ms: 50, ..patient() };
    let running = start(bounds, None).await;
    let mut greedy = TcpStream::connect(running.address).await.expect("it listens");
    greedy.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a few bytes");
    // The only place is free once the connection that does not read is gone.
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let read = soon("the next connection", until_closed(running.address, request)).await;
    assert!(read.ends_with("HTTP/1.1 0 bytes"), "{read}");
}

#[tokio::test]
async fn connections_are_bounded() {
    let running = start(Bounds { connections: 2, ..patient() }, None).await;
    let request = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx";
    let calls = (0..16).map(|_| tokio::spawn(until_closed(running.address, request)));
    for call in calls.collect::<Vec<_>>() {
        let read = soon("a call", call).await.expect("no panic");
        assert!(read.ends_with("HTTP/1.1 1 bytes"), "{read}");
    }
    let open_max = running.echo.open_max.load(Ordering::SeqCst);
    assert!((1..=2).contains(&open_max), "{open_max} at the same time");
}

#[tokio::test]
async fn bodies_are_bounded_together() {
    let running = start(Bounds { body_bytes: 100_000, ..patient() }, None).await;
    let post = |length: usize| {
        let body = "x".repeat(length);
        format!(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    for (length, expected) in [
        // The first 64 KiB of each are free.
        (150_000, "HTTP/1.1 150000 bytes"),
        (200_000, "too many large requests at the same time, retry in a moment"),
        // What was taken has been given back.
        (150_000, "HTTP/1.1 150000 bytes"),
    ] {
        let mut stream = TcpStream::connect(running.address).await.expect("it listens");
        let (mut reading, mut writing) = stream.split();
        let mut read = Vec::new();
        let bytes = post(length);
        let both = async {
            // It may be refused before it is sent to the end.
            let (_refused, _reset) =
                tokio::join!(writing.write_all(bytes.as_bytes()), reading.read_to_end(&mut read));
        };
        soon("a body", both).await;
        let read = String::from_utf8_lossy(&read);
        assert!(read.ends_with(expected), "{length}: {read}");
    }
}

/// One request over TLS; the version it was answered with and the text.
async fn over_tls(address: SocketAddr, client: &ClientTls, alpn: Alpn) -> String {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let stream = client.connect("localhost", socket, alpn).await.expect("a handshake");
    let io = TokioIo::new(stream);
    let request = Request::get("https://localhost/").header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    let response = match alpn {
        Alpn::Http2 => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2");
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Alpn::Http1 => {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(io).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    let response = response.expect("an answer");
    let version = if alpn == Alpn::Http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    assert_eq!(response.version(), version);
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

#[tokio::test]
async fn tls_with_both_versions() {
    let authority = Authority::new();
    let bounds = Bounds { handshakes: 1, ..patient() };
    let running = start(bounds, Some(authority.server(LOCALHOST))).await;
    let client = authority.client();
    for (alpn, expected) in [(Alpn::Http2, "HTTP/2.0 0 bytes"), (Alpn::Http1, "HTTP/1.1 0 bytes")] {
        let answer = soon("a request", over_tls(running.address, &client, alpn)).await;
        assert_eq!(answer, expected);
    }
    // Handshakes beyond the bound wait for their turn.
    let many = (0..8).map(|_| {
        let (address, client) = (running.address, client.clone());
        tokio::spawn(async move { over_tls(address, &client, Alpn::Http2).await })
    });
    for one in many.collect::<Vec<_>>() {
        assert_eq!(soon("a request", one).await.expect("no panic"), "HTTP/2.0 0 bytes");
    }
    let stranger = TcpStream::connect(running.address).await.expect("it listens");
    let refused = ClientTls::default().connect("localhost", stranger, Alpn::Http2).await;
    let cause = refused.expect_err("an unknown authority").cause;
    assert!(cause.contains("authority that is not trusted here"), "{cause}");
}

#[tokio::test]
async fn handshakes_are_bounded() {
    let authority = Authority::new();
    let running = start(bounds(), Some(authority.server(LOCALHOST))).await;
    for (what, bytes) in [
        ("silence", &b""[..]),
        ("half a hello", b"\x16\x03\x01\x02\0\x01"),
        ("plain HTTP", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        let read = soon(what, until_closed(running.address, bytes)).await;
        // Nothing but an alert.
        assert!(read.len() <= 7 && !read.contains("HTTP"), "{what}: {read:?}");
    }
}

#[tokio::test]
async fn http2_clients_are_told_how_many_requests_they_may_have_open() {
    let running = start(Bounds { streams: 5, ..patient() }, None).await;
    let mut stream = TcpStream::connect(running.address).await.expect("it listens");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.expect("it takes a few bytes");
    let mut head = [0; 9];
    soon("settings", stream.read_exact(&mut head)).await.expect("a frame");
    assert_eq!((head[3], &head[..2]), (4, &[0, 0][..]), "a short frame of settings");
    let mut settings = vec![0; usize::from(head[2])];
    soon("settings", stream.read_exact(&mut settings)).await.expect("the rest of it");
    let most = settings.chunks(6).find(|setting| setting.starts_with(&[0, 3]));
    assert_eq!(most, Some(&[0, 3, 0, 0, 0, 5][..]));
}
