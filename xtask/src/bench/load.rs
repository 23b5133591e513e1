//! The load generator: keep-alive HTTP/1.1 connections, one request in flight on each.
//!
//! - Owns: connections, timing, and the rule that any answer but 2xx fails the benchmark.
//! - Invariant: a measured time spans from writing the request to the last byte of the response.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use super::service::{Awakeables, Handover, SERVICE, Scenario};

/// What is driven.
#[derive(Clone)]
pub struct Target {
    pub ingress: SocketAddr,
    /// Where handlers of [`Scenario::Answer`] leave their ids.
    pub awakeables: Awakeables,
}

/// The times of all calls of one load.
pub struct Measured {
    /// Sorted.
    times: Vec<Duration>,
    elapsed: Duration,
}

impl Measured {
    pub fn calls(&self) -> usize {
        self.times.len()
    }

    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the time that the given share of the calls did not exceed; zero without calls.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.times.len() as f64 * share) as usize;
        self.times.get(rank.min(self.times.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// Registers the endpoint, trying again until the server listens.
pub async fn register(admin: SocketAddr, endpoint: SocketAddr) -> Result<()> {
    let body = Bytes::from(format!(r#"{{"uri":"http://{endpoint}"}}"#));
    let mut connection = loop {
        match Connection::open(admin).await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    connection.call("/deployments", body).await.context("registration failed")?;
    Ok(())
}

/// Keeps `connections` calls in flight for `duration` and returns their times.
pub async fn drive(
    target: &Target,
    scenario: Scenario,
    connections: usize,
    duration: Duration,
) -> Result<Measured> {
    let mut workers = Vec::with_capacity(connections);
    for _ in 0..connections {
        workers.push(Worker::open(target, scenario).await?);
    }
    let start = Instant::now();
    let end = start + duration;
    let workers: Vec<_> = workers.into_iter().map(|worker| tokio::spawn(worker.run(end))).collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await??);
    }
    let elapsed = start.elapsed();
    times.sort_unstable();
    Ok(Measured { times, elapsed })
}

/// One caller.
struct Worker {
    caller: Connection,
    path: String,
    answering: Option<Answering>,
}

/// What a caller of [`Scenario::Answer`] needs besides.
struct Answering {
    /// The answers travel on their own connection: the caller's is busy waiting.
    connection: Connection,
    ids: UnboundedReceiver<Handover>,
    channel: usize,
    calls: u64,
}

impl Worker {
    async fn open(target: &Target, scenario: Scenario) -> Result<Self> {
        let answering = if scenario == Scenario::Answer {
            let connection = Connection::open(target.ingress).await?;
            let (sender, ids) = unbounded_channel();
            let channel = target.awakeables.register(sender);
            Some(Answering { connection, ids, channel, calls: 0 })
        } else {
            None
        };
        let caller = Connection::open(target.ingress).await?;
        Ok(Self { caller, path: format!("/{SERVICE}/{}", scenario.name()), answering })
    }

    async fn run(mut self, end: Instant) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(1 << 14);
        while Instant::now() < end {
            let start = match &mut self.answering {
                None => {
                    let start = Instant::now();
                    self.caller.call(&self.path, Bytes::from_static(b"\"Ann\"")).await?;
                    start
                }
                Some(answering) => answering.call(&mut self.caller, &self.path).await?,
            };
            times.push(start.elapsed());
        }
        Ok(times)
    }
}

impl Answering {
    /// Calls, waits for the id, answers, and returns when the answer was sent.
    async fn call(&mut self, caller: &mut Connection, path: &str) -> Result<Instant> {
        self.calls += 1;
        let input = Bytes::from(format!("{}:{}", self.channel, self.calls));
        let answer = async {
            let id = loop {
                let handover = self.ids.recv().await.context("the endpoint is gone")?;
                // A step that ran twice hands over an id of an earlier call as well.
                if handover.input == input {
                    break handover.id;
                }
            };
            let start = Instant::now();
            let path = format!("/restate/awakeables/{id}/resolve");
            self.connection.call(&path, Bytes::from_static(b"\"yes\"")).await?;
            Ok(start)
        };
        let called = caller.call(path, input.clone());
        let ((), start) = tokio::try_join!(called, answer)?;
        Ok(start)
    }
}

/// A connection with at most one request in flight.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error also reaches the request that is in flight, which reports it.
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Posts a body and reads the whole answer; anything but 2xx is an error.
    async fn call(&mut self, path: &str, body: Bytes) -> Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("POST {path} answered {status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }
}
