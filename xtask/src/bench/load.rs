//! The load generator of the table: so many callers, each with one call in flight.
//!
//! - Owns: callers, timing, and the rule that any answer but 2xx fails the benchmark.
//! - Invariant: a measured time spans from writing the request to the last byte of the response.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    connection::Connection,
    scenario::{OBJECT, SERVICE, Scenario, WORKFLOW},
    service::{ADD, Channels, Event, RESOLVE, RUN, What},
    statistics,
};

/// What is driven.
#[derive(Clone)]
pub struct Target {
    pub ingress: SocketAddr,
    /// Where handlers that wait say so.
    pub channels: Channels,
    /// Keys of the scenario *counter*.
    pub keys: u64,
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
        statistics::quantile(&self.times, share).unwrap_or_default()
    }
}

/// Keeps `connections` calls in flight for `duration` and returns their times.
pub async fn drive(
    target: &Target,
    scenario: Scenario,
    connections: usize,
    duration: Duration,
) -> Result<Measured> {
    let mut workers = Vec::with_capacity(connections);
    let turn = Arc::new(AtomicU64::new(0));
    for _ in 0..connections {
        workers.push(Worker::open(target, scenario, &turn).await?);
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
    calls: Calls,
}

/// What its calls are.
enum Calls {
    /// Always the same path.
    Plain(String),
    /// The callers take the keys of the object in turn.
    Keyed { turn: Arc<AtomicU64>, keys: u64 },
    /// Each waits until it is answered on another connection.
    Answered(Answering),
}

impl Worker {
    async fn open(target: &Target, scenario: Scenario, turn: &Arc<AtomicU64>) -> Result<Self> {
        let keyed = |keys| Calls::Keyed { turn: Arc::clone(turn), keys };
        let calls = match scenario {
            Scenario::Greet | Scenario::Steps | Scenario::Chain => {
                Calls::Plain(format!("/{SERVICE}/{}", scenario.name()))
            }
            Scenario::Counter => keyed(target.keys),
            Scenario::CounterHot => keyed(1),
            Scenario::Answer | Scenario::Promise => {
                Calls::Answered(Answering::open(target, scenario).await?)
            }
        };
        Ok(Self { caller: Connection::open(target.ingress).await?, calls })
    }

    async fn run(mut self, end: Instant) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(1 << 14);
        while Instant::now() < end {
            times.push(self.call().await?);
        }
        Ok(times)
    }

    async fn call(&mut self) -> Result<Duration> {
        let start = Instant::now();
        match &mut self.calls {
            Calls::Plain(path) => {
                self.caller.call(path, Bytes::from_static(b"\"Ann\"")).await?;
            }
            Calls::Keyed { turn, keys } => {
                let key = turn.fetch_add(1, Ordering::Relaxed) % *keys;
                let path = format!("/{OBJECT}/{key}/{ADD}");
                self.caller.call(&path, Bytes::from_static(b"1")).await?;
            }
            Calls::Answered(answering) => return answering.call(&mut self.caller).await,
        }
        Ok(start.elapsed())
    }
}

/// What a caller needs whose calls wait to be answered.
struct Answering {
    is_promise: bool,
    /// The answers travel on their own connection: the caller's is busy waiting.
    connection: Connection,
    events: UnboundedReceiver<Event>,
    channel: usize,
    calls: u64,
}

impl Answering {
    async fn open(target: &Target, scenario: Scenario) -> Result<Self> {
        let connection = Connection::open(target.ingress).await?;
        let (sender, events) = unbounded_channel();
        let channel = target.channels.register(sender);
        let is_promise = scenario == Scenario::Promise;
        Ok(Self { is_promise, connection, events, channel, calls: 0 })
    }

    /// Calls, waits until the handler waits, answers, and returns the time from then on.
    async fn call(&mut self, caller: &mut Connection) -> Result<Duration> {
        self.calls += 1;
        let input = Bytes::from(format!("{}:{}", self.channel, self.calls));
        // Channels are never used twice, so this is a new workflow.
        let key = format!("{}-{}", self.channel, self.calls);
        let path = if self.is_promise {
            format!("/{WORKFLOW}/{key}/{RUN}")
        } else {
            format!("/{SERVICE}/{}", Scenario::Answer.name())
        };
        let answer = async {
            let id = loop {
                let event = self.events.recv().await.context("the endpoint is gone")?;
                // A step that ran twice hands over an id of an earlier call as well.
                if let What::Waits(id) = event.what
                    && event.input == input
                {
                    break id;
                }
            };
            let path = if self.is_promise {
                format!("/{WORKFLOW}/{key}/{RESOLVE}")
            } else {
                format!("/restate/awakeables/{id}/resolve")
            };
            let start = Instant::now();
            self.connection.call(&path, Bytes::from_static(b"\"yes\"")).await?;
            Ok::<_, anyhow::Error>(start)
        };
        let called = async {
            caller.call(&path, input.clone()).await?;
            Ok(Instant::now())
        };
        let (start, end) = tokio::try_join!(answer, called)?;
        Ok(end.saturating_duration_since(start))
    }
}
