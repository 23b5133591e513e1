//! Brokers, a producer, a deployment that writes down what it is sent, and a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use reveille_endpoint::{Attempt, Endpoint, ServiceDef, Stop};
use reveille_protocol::manifest::Options;
use reveille_server::config::ServerConfig;
use reveille_server::server::Server;
use reveille_store::Store;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

/// Brokers and somebody who writes to them.
pub struct Brokers {
    pub mock: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Brokers {
    pub fn start() -> Brokers {
        let mock = MockCluster::new(1).expect("a cluster");
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", mock.bootstrap_servers());
        Brokers { mock, producer: config.create().expect("a producer") }
    }

    pub fn topic(&self, name: &str, partitions: i32) {
        self.mock.create_topic(name, partitions, 1).expect("a topic");
    }

    /// Has a group begin a topic again, once its members have left.
    pub async fn rewind(&self, group: &str, topic: &str, partitions: i32) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.mock.bootstrap_servers()).set("group.id", group);
        config.set("enable.auto.commit", "false").set("session.timeout.ms", "6000");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        let joined = within(async || {
            // Records do not matter, only that it is a member.
            drop(consumer.poll(Duration::ZERO));
            consumer.assignment().is_ok_and(|list| list.count() > 0)
        });
        assert!(joined.await, "nobody else may join the group");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Offset(0)).expect("an offset");
        }
        consumer.commit(&list, CommitMode::Sync).expect("the group begins again");
    }

    /// Writes a record and waits until the broker has it.
    pub async fn send(&self, topic: &str, partition: i32, key: Option<&[u8]>, body: &str) {
        self.send_with(topic, partition, key, body, OwnedHeaders::new()).await;
    }

    pub async fn send_with(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        body: &str,
        headers: OwnedHeaders,
    ) {
        let mut record =
            FutureRecord::to(topic).partition(partition).payload(body).headers(headers);
        if let Some(key) = key {
            record = record.key(key);
        }
        self.producer.send(record, Duration::from_secs(10)).await.expect("it is written");
    }
}

/// Makes headers of a record.
pub fn headers(list: &[(&str, &str)]) -> OwnedHeaders {
    list.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(*value) })
    })
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A server with its deployment.
pub struct World {
    pub server: Server,
    endpoint: SocketAddr,
}

impl World {
    pub async fn start(store: impl Store, config: ServerConfig) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = listener.local_addr().expect("bound");
        tokio::spawn(async move { deployment().serve(listener, std::future::pending()).await });
        let world = World { server: serve(store, config).await, endpoint };
        world.register().await;
        world
    }

    /// Starts another server after the first one crashed; the deployment lives on.
    pub async fn restart(self, store: impl Store) -> World {
        let World { server, endpoint } = self;
        drop(server);
        World { server: serve(store, ServerConfig::default()).await, endpoint }
    }

    pub async fn register(&self) {
        let body = json!({ "uri": format!("http://{}", self.endpoint) });
        let answer = self.post("/deployments", body).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }

    pub async fn get(&self, path: &str) -> Answer {
        request(self.server.admin_address, "GET", path, "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        request(self.server.admin_address, "DELETE", path, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        request(self.server.admin_address, "POST", path, &body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        request(self.server.admin_address, "PATCH", path, &body.to_string()).await
    }

    /// What an invocation ended with.
    pub async fn output(&self, id: &str) -> String {
        let path = format!("/restate/invocation/{id}/output");
        request(self.server.ingress_address, "GET", &path, "").await.body
    }

    /// Creates the cluster `c`.
    pub async fn cluster(&self, brokers: &Brokers) {
        let properties = json!({
            "bootstrap.servers": brokers.mock.bootstrap_servers(),
            "reconnect.backoff.max.ms": "200",
            "session.timeout.ms": "6000",
        });
        let answer = self.post("/kafka-clusters", json!({"name": "c", "properties": properties}));
        assert_eq!(answer.await.status, 201);
    }

    /// Subscribes from the beginning; returns the id.
    pub async fn subscribe(&self, topic: &str, sink: &str, options: Value) -> String {
        let mut options = options;
        if options.get("auto.offset.reset").is_none() {
            options["auto.offset.reset"] = "earliest".into();
        }
        let (source, sink) = (format!("kafka://c/{topic}"), format!("service://{sink}"));
        let body = json!({"source": source, "sink": sink, "options": options});
        let answer = self.post("/subscriptions", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// What a key of `list` was given so far, in order.
    pub async fn list(&self, key: &str) -> String {
        let path = format!("/list/{key}/read");
        request(self.server.ingress_address, "POST", &path, "").await.body
    }

    /// Waits until a key of `list` was given exactly this.
    pub async fn listed(&self, key: &str, expected: &str) {
        let mut last = String::new();
        let found = within(async || {
            last = self.list(key).await;
            last == expected
        });
        if !found.await {
            let shown = self.get("/subscriptions").await.body;
            panic!("{key} was given {last:?}, not {expected:?}; {shown}");
        }
    }

    /// Answers a query with its rows.
    pub async fn rows(&self, query: &str) -> Value {
        let body = json!({ "query": query });
        self.post("/query", body).await.json()["rows"].take()
    }

    /// Reads a metric without labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").await.body;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}:\n{page}"))
    }

    /// The problems that a subscription shows.
    pub async fn problems(&self, id: &str) -> Vec<Value> {
        let shown = self.get(&format!("/subscriptions/{id}")).await.json();
        shown["problems"].as_array().cloned().unwrap_or_default()
    }
}

async fn serve(store: impl Store, config: ServerConfig) -> Server {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ServerConfig { ingress_address: any, admin_address: any, ..config };
    Server::start(config, Arc::new(store)).await.expect("the server starts")
}

/// Repeats until it is true; false after thirty seconds.
pub async fn within(mut condition: impl AsyncFnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        if Instant::now() >= deadline {
            return false;
        }
        // Pacing: brokers and server need the processor that this loop would take.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

fn deployment() -> Endpoint {
    let add = |attempt: &mut Attempt| {
        let mut list = attempt.get_state("list")?.unwrap_or_default().to_vec();
        list.extend_from_slice(&attempt.input());
        attempt.set_state("list", list.into());
        Ok(Bytes::new())
    };
    let read = |attempt: &mut Attempt| Ok(attempt.get_state("list")?.unwrap_or_default());
    let tell = |attempt: &mut Attempt| -> Result<Bytes, Stop> {
        let headers: Vec<_> =
            attempt.headers().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(headers.join("\n").into())
    };
    Endpoint::builder()
        .service(ServiceDef::object("list").handler("add", add).handler("read", read))
        .service(ServiceDef::service("headers").handler("tell", tell))
        .service(
            ServiceDef::service("hidden")
                .handler("from", |attempt| Ok(attempt.input()))
                .options(Options { ingress_private: Some(true), ..Options::default() }),
        )
        .service(ServiceDef::workflow("once").handler("run", |attempt| Ok(attempt.input())))
        .build()
}

async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string())
        .header("accept", "application/json");
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("valid");
    let response = sender.send_request(request).await.expect("a response");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer { status: head.status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() }
}
