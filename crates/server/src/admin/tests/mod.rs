//! Tests of the admin API over real sockets, with fake deployments and partitions, over a store in memory.

mod access;
mod deployments;
mod invocations;
mod openapi;
mod promises;
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
use reveille_store::{Batch, Commit, PartitionId, Store, memory::MemoryStore};
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
    store: Arc<MemoryStore>,
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

/// Partitions that note commands and give the reply they are told to.
#[derive(Clone, Default)]
struct FakePartitions {
    commands: Arc<Mutex<Vec<String>>>,
    reply: Arc<Mutex<Option<Result<Reply, Refused>>>>,
}

impl FakePartitions {
    fn start(&self, count: usize) -> Partitions {
        let mut mailboxes = Vec::new();
        for _ in 0..count {
            let (sender, receiver) = mpsc::channel(16);
            tokio::spawn(self.clone().run(receiver));
            mailboxes.push(sender);
        }
        Partitions::new(mailboxes)
    }

    async fn run(self, mut mailbox: mpsc::Receiver<Mail>) {
        while let Some(mail) = mailbox.recv().await {
            match mail {
                Mail::Ask(command, sender) => {
                    let reply = self.answer(&command(RequestId(7)));
                    sender.send(reply).expect("whoever asks waits for the reply");
                }
                Mail::Tell(command) => panic!("the admin API tells nothing: {command:?}"),
                Mail::Probe(sender) | Mail::Stop(sender) => drop(sender),
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
        let store = Arc::new(MemoryStore::new(3));
        let rows: Arc<dyn Store> = Arc::<MemoryStore>::clone(&store);
        let registry = open(&store, &deployments).expect("an empty store opens");
        let admin = Admin {
            registry,
            partitions: partitions.start(3),
            store: Arc::clone(&rows),
            ingress_endpoint: "http://127.0.0.1:8080/".to_owned(),
            queries: Queries::new(
                rows,
                Arc::new(OpenAttempts::default()),
                &ServerConfig::default(),
            ),
            statuses: crate::kafka::Statuses::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let listener = Listener { socket: listener, tls: None, bounds };
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener, admin, access, async move {
            // Dropping the sender is the signal, so the outcome is always an error.
            let _dropped = stopped.await;
        }));
        Bench { address, deployments, partitions, store, _stop: stop }
    }

    /// Stores a row.
    fn put(&self, partition: u16, key: Bytes, value: Bytes) {
        let partition = PartitionId(partition);
        let lease = self.store.acquire(partition).expect("acquire");
        let mut batch = Batch::default();
        batch.put(key, value);
        let commit =
            Commit { partition, epoch: lease.epoch, seq: lease.last_seq + 1, batch: &batch };
        self.store.commit(&[commit]).remove(0).expect("commit");
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
