//! The endpoint over a socket: routes, both HTTP versions, and streams that stay open.

use std::{future::Future, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Channel, Full, combinators::BoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    manifest::{self, HandlerType, ProtocolMode},
    message::{InputCommand, Start, Value},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{signal, text};
use crate::{Endpoint, ServiceDef};

type Body = BoxBody<Bytes, std::convert::Infallible>;

const INVOCATION_V7: &str = "application/vnd.restate.invocation.v7";

/// Serves an endpoint while `test` runs, and returns once it has stopped.
fn with_endpoint<F: Future<Output = ()>>(test: impl FnOnce(SocketAddr) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let waiting = ServiceDef::workflow("Approval")
            .handler("run", |attempt| {
                let (_, answered) = attempt.awakeable();
                attempt.wait(answered)
            })
            .shared_handler("echo", |attempt| Ok(attempt.input()));
        let endpoint = Endpoint::builder()
            .service(waiting)
            .protocol_mode(ProtocolMode::RequestResponse)
            .protocol_versions(6..=7)
            .build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let server =
            async { endpoint.serve(listener, async { stopped.await.unwrap_or(()) }).await };
        let client = async {
            test(address).await;
            stop.send(()).expect("the endpoint waits for this");
        };
        tokio::join!(server, client);
    });
}

async fn send(address: SocketAddr, is_http2: bool, request: Request<Body>) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(address).await.expect("the endpoint listens"));
    if is_http2 {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), stream).await.expect("h2c");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("a response")
    } else {
        let (mut sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("a response")
    }
}

fn request(address: SocketAddr, path: &str, header: (&str, &str), body: Body) -> Request<Body> {
    let uri = format!("http://{address}{path}");
    let method = if path.contains("invoke") { "POST" } else { "GET" };
    let request = Request::builder().method(method).uri(uri).header(header.0, header.1);
    request.body(body).expect("a valid request")
}

/// The start of an invocation whose journal is its input alone.
fn opening(input: &'static str) -> Bytes {
    let start = Start { id: Bytes::from_static(&[1]), known_entries: 1, ..Start::default() };
    let value = Some(Value { content: input.into() });
    let input = InputCommand { value, ..InputCommand::default() };
    let mut bytes = BytesMut::new();
    Frame::message(MessageType::START, &start).encode(&mut bytes);
    Frame::message(MessageType::INPUT_COMMAND, &input).encode(&mut bytes);
    bytes.freeze()
}

fn frames(bytes: Bytes) -> String {
    let mut decoder = FrameDecoder::new(usize::MAX);
    decoder.push(bytes);
    let frames: Vec<_> = std::iter::from_fn(|| decoder.next().expect("valid frames")).collect();
    text(&frames)
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).boxed()
}

#[test]
fn routes() {
    let v4 = "application/vnd.restate.endpointmanifest.v4+json";
    let json = "application/json";
    let rows = [
        ("/discover", ("accept", v4), 200),
        ("/some/prefix/discover", ("accept", v4), 200),
        ("/discover", ("accept", json), 415),
        ("/discover", ("x-no-accept", "1"), 200),
        ("/health", ("x", "1"), 200),
        ("/", ("x", "1"), 404),
        ("/invoke/Approval/missing", ("content-type", INVOCATION_V7), 404),
        ("/invoke/Missing/run", ("content-type", INVOCATION_V7), 404),
        ("/invoke/Approval/run", ("content-type", "application/vnd.restate.invocation.v5"), 415),
        ("/invoke/Approval/run", ("content-type", json), 415),
        ("/p/invoke/Approval/run", ("content-type", INVOCATION_V7), 200),
    ];
    with_endpoint(|address| async move {
        for (path, header, status) in rows {
            for is_http2 in [false, true] {
                let request = request(address, path, header, full(opening("in")));
                let response = send(address, is_http2, request).await;
                assert_eq!(response.status(), status, "{path} {header:?}");
            }
        }
    });
}

#[test]
fn discovery() {
    with_endpoint(|address| async move {
        let accept = ("accept", manifest::ACCEPT);
        let request = request(address, "/discover", accept, full(Bytes::new()));
        let response = send(address, true, request).await;
        let content_type = response.headers()["content-type"].to_str().expect("text").to_owned();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let manifest = manifest::parse(&content_type, &body).expect("a valid manifest");
        assert_eq!(manifest.protocol_mode, Some(ProtocolMode::RequestResponse));
        assert_eq!((manifest.min_protocol_version, manifest.max_protocol_version), (6, 7));
        let handlers = manifest.services[0].handlers.iter();
        let handlers: Vec<_> = handlers
            .map(|handler| (&handler.name[..], handler.effective_type(manifest.services[0].ty)))
            .collect();
        let expected = [("run", Some(HandlerType::Workflow)), ("echo", Some(HandlerType::Shared))];
        assert_eq!(handlers, expected);
    });
}

#[test]
fn request_and_response() {
    let rows = [
        ("/invoke/Approval/echo", "Output in; End"),
        ("/invoke/Approval/run", "Suspension c[] s[17, 1]"),
    ];
    with_endpoint(|address| async move {
        for (path, expected) in rows {
            for is_http2 in [false, true] {
                let header = ("content-type", INVOCATION_V7);
                let request = request(address, path, header, full(opening("in")));
                let response = send(address, is_http2, request).await;
                assert_eq!(response.headers()["content-type"], INVOCATION_V7);
                let body = response.into_body().collect().await.expect("a body").to_bytes();
                // A hint may come before the suspension when the end of the request is late.
                let written = frames(body);
                assert_eq!(written.rsplit("AwaitingOn c[] s[17, 1]; ").next(), Some(expected));
            }
        }
    });
}

#[test]
fn bidirectional() {
    with_endpoint(|address| async move {
        for is_http2 in [false, true] {
            let (mut sender, body) = Channel::<Bytes, std::convert::Infallible>::new(4);
            sender.send_data(opening("in")).await.expect("the body is read");
            let header = ("content-type", INVOCATION_V7);
            let request = request(address, "/invoke/Approval/run", header, body.boxed());
            let mut response = send(address, is_http2, request).await.into_body();
            let mut next = async || -> Option<String> {
                let frame = response.frame().await?.expect("no error");
                Some(frames(frame.into_data().expect("data")))
            };
            assert_eq!(next().await.as_deref(), Some("AwaitingOn c[] s[17, 1]"));
            let mut answer = BytesMut::new();
            signal(17, "yes").encode(&mut answer);
            sender.send_data(answer.freeze()).await.expect("the body is read");
            assert_eq!(next().await.as_deref(), Some("Output yes; End"));
            drop(sender);
            assert_eq!(next().await.unwrap_or_default(), "", "the response ends with the request");
        }
    });
}
