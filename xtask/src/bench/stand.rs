//! One server on its stand: a fresh data directory, the process, the endpoint registered.
//!
//! Owns the order of its start and end, and what can be asked of any server from outside. What a
//! server does not tell is `None`, never a guess.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::{
    connection::{Connection, register},
    load::Target,
    options::Options,
    service::Service,
};
use crate::process::{self, DataDirectory, Server};

/// The shortest of all calls, for the question whether a server answers calls.
pub const GREET_PATH: &str = "/Bench/greet";

/// The longest wait for a server that starts.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// The pause between two tries of a request that fails while a server starts.
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// A server is quiet that uses no more than this CPU time in a window of this length.
const SETTLE_CPU_MAX: Duration = Duration::from_millis(30);
const SETTLE_WINDOW: Duration = Duration::from_secs(1);
/// The longest wait for a server to become quiet.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(30);

/// The metric of our server that counts how often it made something durable.
const COMMITS: &str = "reveille_commit_duration_seconds_count";

/// What the measurements of one server share.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    pub options: &'a Options,
    pub service: &'a Service,
    /// How to start the server.
    pub command: &'a str,
}

/// A server that runs; it ends with this value, and its data with it.
pub struct Stand {
    // In this order: the process ends before its directory is removed.
    pub server: Server,
    pub directory: DataDirectory,
}

impl Turn<'_> {
    /// Starts the server over an empty directory and registers the endpoint.
    pub async fn start(&self) -> Result<Stand> {
        let directory = process::data_directory()?;
        let server = Server::start(Some(self.command), directory.path())?;
        let registered = register(server.admin, self.service.address);
        within(START_TIME_MAX, "the server did not accept the deployment", registered).await?;
        let stand = Stand { server, directory };
        stand.first_call().await?;
        Ok(stand)
    }

    pub fn target(&self, stand: &Stand) -> Target {
        Target {
            ingress: stand.server.ingress,
            channels: self.service.channels.clone(),
            keys: self.options.keys,
        }
    }
}

impl Stand {
    /// Returns how often the server made something durable so far, if it tells.
    pub async fn commits(&self) -> Result<Option<u64>> {
        let mut connection = Connection::open(self.server.admin).await?;
        let answer = connection.request(Method::GET, "/metrics", &[], Bytes::new()).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        let page = String::from_utf8_lossy(&answer.body);
        let line = page.lines().find_map(|line| line.strip_prefix(COMMITS));
        Ok(line.and_then(|line| line.trim().parse().ok()))
    }
}

impl Stand {
    /// Waits until the server has nothing more to do, or has had time enough.
    pub async fn settle(&self) -> Result<()> {
        self.settle_for(SETTLE_TIME_MAX).await
    }

    /// The same with another bound on the time, which is exceeded by a second at most.
    pub async fn settle_for(&self, time_max: Duration) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < time_max {
            let before = self.server.cpu_time()?;
            tokio::time::sleep(SETTLE_WINDOW).await;
            if self.server.cpu_time()?.saturating_sub(before) <= SETTLE_CPU_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Kills the server, starts it again and returns when it was started and how long it took to be
    /// healthy.
    pub async fn crash(&mut self) -> Result<(Instant, Duration)> {
        let begin = self.server.kill_and_restart()?;
        let healthy = first_answer(self.server.ingress, Method::GET, "/restate/health");
        within(START_TIME_MAX, "the server was not healthy again", healthy).await?;
        Ok((begin, begin.elapsed()))
    }

    /// Waits until a call is answered.
    pub async fn first_call(&self) -> Result<()> {
        let answered = first_answer(self.server.ingress, Method::POST, GREET_PATH);
        within(START_TIME_MAX, "the server did not answer a call", answered).await
    }

    /// Returns how many invocations have not ended, if the server answers queries.
    pub async fn unfinished(&self) -> Result<Option<u64>> {
        let mut connection = Connection::open(self.server.admin).await?;
        let query = json!({
            "query": "SELECT COUNT(*) AS n FROM sys_invocation WHERE status <> 'completed'",
        });
        let body = Bytes::from(query.to_string());
        let headers = [("accept", "application/json")];
        let answer = connection.request(Method::POST, "/query", &headers, body).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
        Ok(answer["rows"][0]["n"].as_u64())
    }
}

/// Sends a request again and again, over new connections, until its answer is 2xx.
async fn first_answer(address: SocketAddr, method: Method, path: &str) -> Result<()> {
    loop {
        let mut connection = Connection::open_when_up(address).await;
        let body = Bytes::from_static(b"1");
        // One that starts may close connections or refuse calls; the caller bounds how long.
        let answer = connection.request(method.clone(), path, &[], body).await;
        if answer.is_ok_and(|answer| answer.status.is_success()) {
            return Ok(());
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Waits for something that must not take longer.
pub async fn within<T>(
    time_max: Duration,
    failure: &str,
    what: impl Future<Output = Result<T>>,
) -> Result<T> {
    let outcome = tokio::time::timeout(time_max, what).await;
    outcome.with_context(|| format!("{failure} in {} s", time_max.as_secs()))?
}
