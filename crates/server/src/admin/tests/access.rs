//! Who is let in with which header.

use super::super::AdminAccess;
use super::Bench;
use crate::access::{Tokens, hash, token};
use crate::listener::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn every_route_asks_for_a_token_but_health() {
    let tokens = format!("old={}, {}", hash(&token(&[1; 32])), hash(&token(&[2; 32])));
    let bench = Bench::start_with(AdminAccess {
        tokens: Tokens::parse(&tokens).expect("hashes"),
        loopback: true,
    })
    .await;
    let bearer = |number: u8| format!("Bearer {}", token(&[number; 32]));
    // Method, path, status with a token, whether it is open.
    for (method, path, status, open) in [
        ("GET", "/health", 200, true),
        ("GET", "/v2/health", 200, true),
        ("GET", "/v4/health", 200, true),
        ("OPTIONS", "/deployments", 405, true),
        ("GET", "/version", 200, false),
        ("GET", "/v3/version", 200, false),
        ("GET", "/cluster-health", 200, false),
        ("GET", "/deployments", 200, false),
        ("GET", "/openapi", 200, false),
        ("POST", "/deployments", 415, false),
        ("GET", "/no/such/path", 404, false),
        ("GET", "/v5/health", 404, false),
        ("GET", "/health/more", 404, false),
        ("GET", "/v1/health", 400, false),
    ] {
        for right in [bearer(1), bearer(2)] {
            let answer = bench.send_with(method, path, &[("authorization", &right)], "").await;
            assert_eq!(answer.status, status, "{method} {path} {answer:?}");
        }
        let missing = bench.send_with(method, path, &[], "").await;
        let wrong = bench.send_with(method, path, &[("authorization", &bearer(3))], "").await;
        for (answer, challenge) in [(missing, "Bearer"), (wrong, "Bearer error=\"invalid_token\"")]
        {
            if open {
                assert_eq!(answer.status, status, "{method} {path} {answer:?}");
                continue;
            }
            assert_eq!(answer.status, 401, "{method} {path} {answer:?}");
            assert_eq!(answer.header("www-authenticate"), challenge, "{method} {path}");
            assert!(answer.json()["message"].is_string(), "{answer:?}");
            assert!(answer.json()["restate_code"].is_null(), "{answer:?}");
        }
    }
    assert_eq!(bench.deployments.discoveries(), 0);
}

#[tokio::test]
async fn an_api_of_this_machine_is_not_for_web_pages() {
    for (loopback, path, status) in [
        (true, "/deployments", 421),
        (true, "/health", 200),
        // The network decides who reaches it; nobody can tell what name it has there.
        (false, "/deployments", 200),
    ] {
        let access = AdminAccess { tokens: Tokens::default(), loopback };
        let bench = Bench::start_with(access).await;
        // The tests ask for the name `test`.
        let answer = bench.get(path).await;
        assert_eq!(answer.status, status, "{loopback} {path} {answer:?}");
        if status == 421 {
            let message = answer.json()["message"].to_string();
            assert!(message.contains("not for 'test'"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_not_called_malformed() {
    let large = "x".repeat(200_000);
    let stalled = Bounds { body_pause_ms: 1, ..Bounds::admin() };
    let crowded = Bounds { body_bytes: 1, ..Bounds::admin() };
    for (bounds, body, expected) in [
        (stalled, "{", "408 Request Timeout"),
        (crowded, large.as_str(), "503 Service Unavailable"),
    ] {
        let bench = Bench::start_within(AdminAccess::default(), bounds).await;
        let mut stream = TcpStream::connect(bench.address).await.expect("it listens");
        let head = "POST /deployments HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                    content-type: application/json\r\ncontent-length: 200001\r\n\r\n";
        let (mut reading, mut writing) = stream.split();
        let (mut read, sent) = (Vec::new(), format!("{head}{body}"));
        // It may be refused before it is sent to the end.
        let (_refused, _reset) =
            tokio::join!(writing.write_all(sent.as_bytes()), reading.read_to_end(&mut read));
        let read = String::from_utf8_lossy(&read);
        assert!(read.starts_with(&format!("HTTP/1.1 {expected}\r\n")), "{read}");
        assert!(read.contains(r#"{"message":"cannot read body: "#), "{read}");
    }
}
