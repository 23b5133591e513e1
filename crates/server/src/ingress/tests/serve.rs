//! Real sockets: both protocols on one port, bounds, departure of callers and shutdown.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reveille_engine::command::{Command, RequestId};
use reveille_engine::effect::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::super::{Ingress, IngressAccess, Intake};
use super::{LIMIT, schema, some_id};
use crate::listener::{Bounds, Listener, serve};
use crate::partition::Partitions;
use crate::partition::handle::Mail;

/// An ingress on a free port, whose partition is the test itself.
struct Running {
    address: std::net::SocketAddr,
    mails: mpsc::Receiver<Mail>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn start() -> Running {
    let (mailbox, mails) = mpsc::channel(8);
    let (_keep, schema) = watch::channel(Arc::new(schema()));
    let partitions = Partitions::new(vec![mailbox]);
    let ingress = Ingress {
        partitions,
        schema,
        request_size_limit: LIMIT,
        intake: Intake::new(8),
        access: IngressAccess::default(),
    };

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let listener = Listener { socket: listener, tls: None, bounds: Bounds::ingress() };
    let served = tokio::spawn(serve(listener, ingress, async {
        // A test that ends without stopping stops, too.
        let _stopped_or_dropped = stopped.await;
    }));
    Running { address, mails, stop, served }
}

impl Running {
    /// Waits for the next send and accepts it.
    async fn accept_one(&mut self) {
        let Some(Mail::Ask(command, reply)) = self.mails.recv().await else { panic!("no command") };
        let Command::Invoke { .. } = command(RequestId(1)) else { panic!("not an invocation") };
        let accepted = Reply::Accepted { id: some_id(), fresh: true, execution_time: None };
        // A caller that has left does not want its reply.
        let _left = reply.send(Ok(accepted));
    }
}

/// Sends raw bytes and reads until the server closes.
async fn raw(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn http1() {
    let mut running = start().await;
    let request = "POST /S/h/send HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                   content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
                   1\r\n1\r\n0\r\n\r\n";
    let (response, ()) = tokio::join!(raw(running.address, request), running.accept_one());
    assert!(response.starts_with("HTTP/1.1 202 Accepted\r\n"), "{response}");
    let body = format!("\r\n\r\n{{\"invocationId\":\"{}\",\"status\":\"Accepted\"}}", some_id());
    assert!(response.ends_with(&body), "{response}");
    assert!(
        response.contains(&format!("\r\ncontent-length: {}\r\n", body.len() - 4)),
        "{response}"
    );
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_before_it_is_sent() {
    let running = start().await;
    let request = format!(
        "POST /S/h HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        LIMIT + 1,
    );
    let response = raw(running.address, &request).await;
    assert!(response.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nlength limit exceeded"), "{response}");
}

#[tokio::test]
async fn a_made_up_status_has_no_reason() {
    let mut running = start().await;
    let path = format!("/restate/output/{}", some_id());
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let not_ready = async {
        let Some(Mail::Ask(_, reply)) = running.mails.recv().await else { panic!("no command") };
        assert!(reply.send(Ok(Reply::NotReady(some_id()))).is_ok());
    };
    let (response, ()) = tokio::join!(raw(running.address, &request), not_ready);
    assert!(response.starts_with("HTTP/1.1 470 \r\n"), "{response}");
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let mut running = start().await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("http://x/restate/send/S/h").body(Full::<Bytes>::default());
    let (response, ()) = tokio::join!(sender.send_request(request.unwrap()), running.accept_one());
    let response = response.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 202));
    assert_eq!(response.headers()["x-restate-id"], some_id().to_string());
    response.into_body().collect().await.unwrap();
    drop(sender);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_nothing() {
    let mut running = start().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"POST /S/h HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let Some(Mail::Ask(_, mut reply)) = running.mails.recv().await else { panic!("no command") };
    drop(stream);
    // The reply is not wanted any more, and no command follows.
    reply.closed().await;
    running.stop.send(()).unwrap();
    running.served.await.unwrap();
    assert!(running.mails.recv().await.is_none());
}

#[tokio::test]
async fn shutdown_lets_requests_in_flight_end() {
    let mut running = start().await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    let response = tokio::spawn(raw(running.address, "POST /S/h/send HTTP/1.1\r\nhost: x\r\n\r\n"));
    let Some(Mail::Ask(_, reply)) = running.mails.recv().await else { panic!("no command") };
    running.stop.send(()).unwrap();
    // The listener is gone once the idle connection is closed.
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(running.address).await.is_err());
    let accepted = Reply::Accepted { id: some_id(), fresh: true, execution_time: None };
    assert!(reply.send(Ok(accepted)).is_ok());
    let response = response.await.unwrap();
    assert!(response.starts_with("HTTP/1.1 202 Accepted\r\n"), "{response}");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    running.served.await.unwrap();
}
