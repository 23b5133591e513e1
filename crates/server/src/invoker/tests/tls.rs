//! Deployments behind `https`, and what is said when their certificates are not good enough.

use reveille_protocol::frame::MessageType;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::invoker::discovery::discover;
use crate::invoker::pool::ConnectionTimes;
use crate::invoker::{InvokerOptions, Outbound};
use crate::request_identity::{RequestIdentity, private_key_pem};
use crate::tls::tests::{Authority, Certificate, LOCALHOST};

use super::http1;
use super::support::{Deployment, MEDIA_TYPE, Rig, frame, send, start};

const V4: &str = "application/vnd.restate.endpointmanifest.v4+json";
const EMPTY: &str = r#"{"minProtocolVersion":5,"maxProtocolVersion":7,"services":[]}"#;

fn outbound(authority: &Authority) -> Outbound {
    let identity = RequestIdentity::from_pem(private_key_pem(&[7; 32]).as_bytes());
    Outbound {
        tls: authority.client(),
        identity: Some(identity.expect("a key")),
        ..Outbound::default()
    }
}

fn rig(uri: &str, http1: bool, outbound: Outbound) -> Rig {
    let options = InvokerOptions { outbound, ..InvokerOptions::default() };
    Rig::with_options(uri, http1, 1024, ConnectionTimes::default(), options)
}

/// A deployment that answers every request over HTTP/1.1.
async fn listen_http1(tls: TlsAcceptor, content_type: &'static str) -> String {
    http1::listen_with(200, content_type, EMPTY, Some(tls)).await.0
}

#[tokio::test]
async fn attempts_over_http2() {
    let authority = Authority::new();
    let tls = authority.acceptor(LOCALHOST, &["h2", "http/1.1"]);
    let mut deployment = Deployment::listen_with(100, Some(tls)).await;
    let mut rig = rig(&deployment.uri, false, outbound(&authority));
    for expected_connections in [1, 1] {
        let _handle = rig.start(start());
        let mut served = deployment.served().await;
        assert_eq!(served.head.uri().scheme_str(), Some("https"));
        assert_eq!(served.header("x-restate-signature-scheme"), "v1");
        assert_eq!(served.header("x-restate-jwt-v1").split('.').count(), 3);
        let end = [frame(MessageType::OUTPUT_COMMAND, 1), frame(MessageType::END, 0)];
        send(&mut served.ok(), &end);
        assert_eq!(rig.told().await, "frames of 3: Output(1) End(0)");
        assert_eq!(deployment.connections(), expected_connections);
    }
}

#[tokio::test]
async fn attempts_over_http1() {
    let authority = Authority::new();
    let tls = authority.acceptor(LOCALHOST, &["http/1.1"]);
    let uri = listen_http1(tls, MEDIA_TYPE).await;
    let mut rig = rig(&uri, true, outbound(&authority));
    let _handle = rig.start(start());
    assert_eq!(rig.told().await, "frames of 3: Output(10) Output(3) End(0)");
}

/// How discovery and an attempt fail, as one cause.
async fn cause(uri: &str, http1: bool, outbound: Outbound) -> String {
    let parsed = uri.parse().expect("a URI");
    let error = discover(&outbound, &parsed, http1, &[]).await.expect_err("no manifest");
    let discovery = error.to_string();
    assert!(matches!(error.code(), Some("META0003" | "META0014")), "{discovery}");
    let rig = rig(uri, http1, outbound);
    let _handle = rig.start(start());
    let told = rig.rest().await;
    let (_, attempt) = told[0].split_once("unable to reach the remote endpoint. ").expect(&told[0]);
    let same = discovery.ends_with(attempt) || error.code() == Some("META0014");
    assert!(same, "{discovery} is not {attempt}");
    attempt.to_owned()
}

#[tokio::test]
async fn certificates_that_are_not_good_enough() {
    let authority = Authority::new();
    let expired = Certificate { last_year: 2001, ..LOCALHOST };
    let future = Certificate { first_year: 3000, ..LOCALHOST };
    let other_name = Certificate { name: "example.org", ..LOCALHOST };
    let trusting = || outbound(&authority);
    for (certificate, outbound, expected) in [
        (LOCALHOST, Outbound::default(), "is signed by an authority that is not trusted here; add"),
        (expired, trusting(), "has expired; renew it"),
        (future, trusting(), "is not valid yet; check the clock"),
        (other_name, trusting(), "is not for the name 'localhost'; register the deployment with"),
    ] {
        let expected = format!("TLS failed: the certificate of the deployment {expected}");
        for http1 in [false, true] {
            let tls = authority.acceptor(certificate, &["h2", "http/1.1"]);
            let uri = listen_http1(tls, V4).await;
            let cause = cause(&uri, http1, outbound.clone()).await;
            assert!(cause.starts_with(&expected), "{cause} is not {expected}");
        }
    }
}

#[tokio::test]
async fn peers_that_speak_something_else() {
    let authority = Authority::new();
    let http1_only = listen_http1(authority.acceptor(LOCALHOST, &["http/1.1"]), V4).await;
    let no_alpn = listen_http1(authority.acceptor(LOCALHOST, &[]), V4).await;
    let http2_only = listen_http1(authority.acceptor(LOCALHOST, &["h2"]), V4).await;
    let (plain, _) = http1::listen(200, V4, EMPTY).await;
    let plain = plain.replace("http://127.0.0.1", "https://localhost");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let closing = format!("https://{}/", silent.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((socket, _)) = silent.accept().await {
            drop(socket);
        }
    });
    let no_http2 = "TLS failed: the deployment does not offer HTTP/2 (ALPN h2)";
    for (uri, http1, expected) in [
        (&http1_only, false, no_http2),
        (&no_alpn, false, no_http2),
        (&http2_only, true, "TLS failed: the deployment does not speak HTTP/1.1"),
        (&plain, false, "TLS failed: what answers there does not speak TLS"),
        (&closing, false, "TLS failed: the deployment closed the connection during the handshake"),
    ] {
        let cause = cause(uri, http1, outbound(&authority)).await;
        assert!(cause.starts_with(expected), "{cause} is not {expected}");
    }
    let uri = http1_only.parse().expect("a URI");
    let error = discover(&outbound(&authority), &uri, false, &[]).await.expect_err("no HTTP/2");
    assert_eq!(error.code(), Some("META0014"));
    assert!(discover(&outbound(&authority), &uri, true, &[]).await.is_ok());
}
