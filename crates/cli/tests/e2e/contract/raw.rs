//! What a well-behaved client would never send, over a bare connection.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::cluster;
use crate::harness::PATIENCE;

/// Sends bytes and reads until the server closes or the head and some body have come.
async fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
    stream.write_all(request.as_bytes()).await.expect("write");
    let mut answer = Vec::new();
    let read = async {
        loop {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
            }
            if is_complete(&String::from_utf8_lossy(&answer)) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an answer in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_complete(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.is_some_and(|(_, length)| length.parse().is_ok_and(|length: usize| body.len() >= length))
}

#[tokio::test]
async fn body_above_the_limit_is_refused_before_it_is_sent() {
    let cluster = cluster().await;
    let request = "POST /door/json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        content-length: 40000000\r\n\r\n";
    let answer = exchange(cluster.ports.ingress, request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.to_lowercase().contains("content-type: text/plain; charset=utf-8"), "{answer}");
    assert!(answer.ends_with("length limit exceeded"), "{answer}");
}

#[tokio::test]
async fn chunked_bodies_are_fine() {
    let cluster = cluster().await;
    let request = "POST /door/json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n3\r\n\"ch\r\n6\r\nunked\"\r\n0\r\n\r\n";
    let answer = exchange(cluster.ports.ingress, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(r#""Hello chunked""#), "{answer}");
}

#[tokio::test]
async fn noise_does_not_disturb_anyone() {
    let cluster = cluster().await;
    for port in [cluster.ports.ingress, cluster.ports.admin] {
        for noise in ["\0\u{1}\u{2}\r\n\r\n", "POST\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n"] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
            stream.write_all(noise.as_bytes()).await.expect("write");
            stream.shutdown().await.expect("close");
            // Whatever the answer is, the connection ends.
            let mut answer = Vec::new();
            let end = stream.read_to_end(&mut answer);
            drop(tokio::time::timeout(PATIENCE, end).await.expect("the connection ends"));
        }
    }
    let answer = cluster.ingress.post("/door/json").json("you").send().await;
    assert_eq!(answer.expect(200).json(), "Hello you");
}

#[tokio::test]
async fn caller_that_leaves_cancels_nothing() {
    let cluster = cluster().await;
    let mut stream =
        TcpStream::connect(("127.0.0.1", cluster.ports.ingress)).await.expect("connect");
    let request = "POST /approval/ask HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        idempotency-key: left\r\ncontent-length: 6\r\n\r\n\"left\"";
    stream.write_all(request.as_bytes()).await.expect("write");
    let wait = cluster.announced("left").await;
    drop(stream);
    cluster.resolve(&wait, "anyway").await.expect(202);
    let again = cluster.ingress.post("/approval/ask").json("left");
    let again = again.header("idempotency-key", "left").send().await.expect(200);
    assert_eq!(again.json(), "anyway");
}
