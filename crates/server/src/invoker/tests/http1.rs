//! Deployments that speak HTTP/1.1 only.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reveille_protocol::frame::{FrameDecoder, MessageType};
use tokio::net::TcpListener;

use super::support::{MEDIA_TYPE, Rig, address, encoded, frame, shake, start};
use tokio_rustls::TlsAcceptor;

/// Answers every request with the status, and with frames that tell what it was sent.
pub(super) async fn listen(
    status: u16,
    content_type: &'static str,
    body: &'static str,
) -> (String, Arc<AtomicUsize>) {
    listen_with(status, content_type, body, None).await
}

/// Does what [`listen`] does, with TLS if it is given.
pub(super) async fn listen_with(
    status: u16,
    content_type: &'static str,
    body: &'static str,
    tls: Option<TlsAcceptor>,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = address(&listener, tls.is_some());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(move |request: Request<Incoming>| async move {
                let answer = if status == 200 && content_type == MEDIA_TYPE {
                    echo(request).await
                } else {
                    Bytes::from_static(body.as_bytes())
                };
                let response = Response::builder()
                    .status(status)
                    .header("content-type", content_type)
                    .header("x-restate-server", "fake/1")
                    .body(Full::new(answer));
                Ok::<_, Infallible>(response.expect("a response"))
            });
            let tls = tls.clone();
            tokio::spawn(async move {
                let Some(socket) = shake(socket, tls).await else { return };
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service);
                // How a connection ends is seen by the client.
                drop(connection.await);
            });
        }
    });
    (uri, connections)
}

/// One `Output` per frame received, then `End`.
async fn echo(request: Request<Incoming>) -> Bytes {
    assert_eq!(request.uri(), "/invoke/Greeter/greet");
    assert!(request.headers().contains_key("host"));
    let mut decoder = FrameDecoder::new(1 << 20);
    decoder.push(request.into_body().collect().await.expect("a request").to_bytes());
    let mut answer = Vec::new();
    while let Some(received) = decoder.next().expect("frames") {
        answer.push(frame(MessageType::OUTPUT_COMMAND, received.payload.len()));
    }
    answer.push(frame(MessageType::END, 0));
    encoded(&answer)
}

#[tokio::test]
async fn connections_are_used_again() {
    let (uri, connections) = listen(200, MEDIA_TYPE, "").await;
    let mut rig = Rig::new(&uri, true);
    for len in [3, 5000] {
        let mut attempt = start();
        attempt.frames.push(frame(MessageType::RUN_NOTIFICATION, len));
        let _handle = rig.start(attempt);
        let expected = format!("frames of 3: Output(10) Output(3) Output({len}) End(0)");
        assert_eq!(rig.told().await, expected);
        // The task is over when its connection is back.
        while std::sync::Arc::strong_count(&rig.invoker.shared) > 1 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn many_at_once() {
    let (uri, _connections) = listen(200, MEDIA_TYPE, "").await;
    let mut rig = Rig::new(&uri, true);
    let handles: Vec<_> = (0..200).map(|_| rig.start(start())).collect();
    for _attempt in 0..200 {
        assert_eq!(rig.told().await, "frames of 3: Output(10) Output(3) End(0)");
    }
    drop(handles);
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn failures() {
    let (uri, _) = listen(404, "text/plain", "no such service").await;
    let rig = Rig::new(&uri, true);
    let _handle = rig.start(start());
    let expected = "3 failed: 500 RT0012 unexpected http status code: 404 Not Found, with body: no \
        such service";
    assert_eq!(rig.rest().await, [expected]);
}

#[tokio::test]
async fn called_with_http2() {
    let (uri, _) = listen(200, MEDIA_TYPE, "").await;
    let rig = Rig::new(&uri, false);
    let _handle = rig.start(start());
    let told = rig.rest().await;
    assert!(told.len() == 1 && told[0].contains("RT0010"), "{told:?}");
}
