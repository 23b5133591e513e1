//! Discovery requests and the reasons why they fail.

use bytes::Bytes;
use tokio::net::TcpListener;

use crate::invoker::Outbound;
use crate::invoker::discovery::{Discovered, DiscoveryError, discover};

use super::http1;
use super::support::Deployment;

const V4: &str = "application/vnd.restate.endpointmanifest.v4+json";
const EMPTY: &str = r#"{"minProtocolVersion":5,"maxProtocolVersion":7,"services":[]}"#;

async fn ask(uri: &str, use_http1: bool) -> Result<Discovered, DiscoveryError> {
    let headers = [("authorization".to_owned(), "secret".to_owned())];
    discover(&Outbound::default(), &uri.parse().expect("a URI"), use_http1, &headers).await
}

/// Discovers an HTTP/2 deployment that gives this answer.
async fn discover_http2(
    status: u16,
    content_type: &str,
    body: &'static str,
) -> Result<Discovered, DiscoveryError> {
    let mut deployment = Deployment::listen(100).await;
    let uri = format!("{}a/b/", deployment.uri);
    let serve = async {
        let mut served = deployment.served().await;
        assert_eq!(
            (served.head.method().as_str(), served.head.uri().path()),
            ("GET", "/a/b/discover")
        );
        assert_eq!(served.header("authorization"), "secret");
        assert!((1..=4).all(|n| served.header("accept").contains(&format!("v{n}+json"))));
        let mut stream = served.answer(status, content_type);
        stream.send_data(Bytes::from_static(body.as_bytes()), true).expect("the stream is open");
    };
    tokio::join!(ask(&uri, false), serve).0
}

#[tokio::test]
async fn manifests_are_read() {
    let found = discover_http2(200, V4, EMPTY).await.expect("a manifest");
    assert_eq!((found.manifest.max_protocol_version, found.server), (7, None));

    let (uri, _) = http1::listen(200, V4, EMPTY).await;
    let found = ask(&uri, true).await.expect("a manifest");
    assert_eq!((found.manifest.services.len(), found.server.as_deref()), (0, Some("fake/1")));
}

#[tokio::test]
async fn failures() {
    let bad_service = r#"{"minProtocolVersion":5,"maxProtocolVersion":7,
        "services":[{"name":"-","ty":"SERVICE","handlers":[]}]}"#;
    let reserved = r#"{"minProtocolVersion":5,"maxProtocolVersion":7,
        "services":[{"name":"openapi","ty":"SERVICE","handlers":[]}]}"#;
    let undecodable = "received a bad response from the SDK that cannot be decoded: ";
    let table = [
        (
            500,
            V4,
            "oops",
            Some("META0003"),
            "unexpected http status code: 500 Internal Server Error",
        ),
        (500, V4, "oops", Some("META0003"), "body: 'oops'"),
        (401, V4, "who is 'secret'?", Some("META0003"), "body: 'who is '***'?'"),
        (200, V4, "secret", None, "Discovery response: ***"),
        (200, "text/html", "<p>", Some("META0013"), "unsupported content type 'text/html'"),
        (200, V4, "{", None, undecodable),
        (200, V4, "{", None, "Discovery response: {"),
        (200, V4, bad_service, None, "invalid service name '-'"),
        (200, V4, reserved, None, "reserved name"),
    ];
    for (status, content_type, body, code, text) in table {
        let error = discover_http2(status, content_type, body).await.expect_err(text);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(text), "{error} has no {text}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_http1_only_is_told_apart() {
    let (uri, _) = http1::listen(200, V4, EMPTY).await;
    let error = ask(&uri, false).await.expect_err("HTTP/2 is not spoken");
    assert_eq!(error.code(), Some("META0014"));
    assert!(error.to_string().contains("--use-http1.1"), "{error}");
}

#[tokio::test]
async fn unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let closed = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    for uri in [closed.as_str(), "https://127.0.0.1:1/"] {
        for use_http1 in [false, true] {
            let error = ask(uri, use_http1).await.expect_err("nobody listens");
            assert_eq!(error.code(), Some("META0003"));
            let expected = format!("[META0003] error when calling '{uri}discover'");
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert!(error.to_string().contains("Connection refused"), "{error}");
        }
    }
}
