//! Tests of the admin API over real sockets, with fake deployments and fake partitions.

mod access;
mod deployments;
mod invocations;
mod simple;
mod state;
mod waits;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use reveille_engine::{
    command::{Command, RequestId},
    effect::Reply,
};
use reveille_store::memory::MemoryStore;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};

use super::{Admin, AdminAccess, Queries, serve};
use crate::{
    config::ServerConfig,
    invoker::OpenAttempts,
    listener::{Bounds, Listener},
    partition::{Partitions, Refused, handle::Mail},
    registry::tests::{FakeDeployments, open},
};

/// A served admin API.
struct Bench {
    address: SocketAddr,
    deployments: FakeDeployments,
    partitions: FakePartitions,
    /// Stops the server when dropped.
    _stop: oneshot::Sender<()>,
}

/// What an answer consists of, as far as tests look.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Partitions that note commands, give the reply they are told to, and hold rows.
#[derive(Clone, Default)]
struct FakePartitions {
    rows: Arc<Mutex<Vec<BTreeMap<Bytes, Bytes>>>>,
    commands: Arc<Mutex<Vec<String>>>,
    reply: Arc<Mutex<Option<Result<Reply, Refused>>>>,
}

impl FakePartitions {
    fn start(&self, count: usize) -> Partitions {
        let mut mailboxes = Vec::new();
        for number in 0..count {
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(BTreeMap::new());
            let (sender, receiver) = mpsc::channel(16);
            tokio::spawn(self.clone().run(number, receiver));
            mailboxes.push(sender);
        }
        Partitions::new(mailboxes)
    }

    async fn run(self, number: usize, mut mailbox: mpsc::Receiver<Mail>) {
        while let Some(mail) = mailbox.recv().await {
            match mail {
                Mail::Ask(command, sender) => {
                    let reply = self.answer(&command(RequestId(7)));
                    sender.send(reply).expect("whoever asks waits for the reply");
                }
                Mail::Scan(start, end, limit, sender) => {
                    let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
                    // Nothing is below an end that is not above the start.
                    let end = end.max(start.clone());
                    let found = rows[number].range(start..end).take(limit);
                    let found = found.map(|(key, value)| (key.clone(), value.clone())).collect();
                    sender.send(Ok(found)).expect("whoever scans waits for the rows");
                }
                Mail::Tell(command) => panic!("the admin API tells nothing: {command:?}"),
                Mail::Stop(sender) => drop(sender),
            }
        }
    }

    fn answer(&self, command: &Command) -> Result<Reply, Refused> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(format!("{command:?}"));
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        reply.clone().expect("the test says what the reply is")
    }

    fn reply(&self, reply: Result<Reply, Refused>) {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    /// Takes the commands since the last call.
    fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, partition: usize, key: Bytes, value: Bytes) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows[partition].insert(key, value);
    }
}

impl Bench {
    async fn start() -> Bench {
        Bench::start_with(AdminAccess::default()).await
    }

    async fn start_with(access: AdminAccess) -> Bench {
        Bench::start_within(access, Bounds::admin()).await
    }

    async fn start_within(access: AdminAccess, bounds: Bounds) -> Bench {
        let (deployments, partitions) = (FakeDeployments::default(), FakePartitions::default());
        let store = MemoryStore::new(3);
        let registry = open(&store, &deployments).expect("an empty store opens");
        let admin = Admin {
            registry,
            partitions: partitions.start(3),
            store: Arc::new(MemoryStore::new(1)),
            ingress_endpoint: "http://127.0.0.1:8080/".to_owned(),
            queries: Queries::new(
                Arc::new(store),
                Arc::new(OpenAttempts::default()),
                &ServerConfig::default(),
            ),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let listener = Listener { socket: listener, tls: None, bounds };
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener, admin, access, async move {
            // Dropping the sender is the signal, so the outcome is always an error.
            let _dropped = stopped.await;
        }));
        Bench { address, deployments, partitions, _stop: stop }
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: &str) -> Answer {
        self.send_with(method, path, &[("content-type", content_type)], body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send_with("GET", path, &[], "").await
    }

    async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks");
        tokio::spawn(connection);
        let method = Method::from_bytes(method.as_bytes()).expect("tests send real methods");
        let mut request = Request::builder().method(method).uri(path).header("host", "test");
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let request = request.body(body).expect("tests send real headers");
        let response = sender.send_request(request).await.expect("the server answers");
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        let body = response.into_body().collect().await.expect("the body arrives").to_bytes();
        Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

impl Answer {
    /// Status and body in one line.
    fn line(&self) -> String {
        format!("{} {}", self.status, self.body).trim_end().to_owned()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
