//! One server on its stand: a fresh data directory, the process, the endpoint registered.
//!
//! Owns the order of its start and end, and what can be asked of any server from outside. What a
//! server does not tell is `None`, never a guess.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;

use super::{
    connection::{Connection, register},
    load::Target,
    options::Options,
    service::Service,
};
use crate::process::{self, DataDirectory, Server};

/// The longest wait for a server that starts.
const START_TIME_MAX: Duration = Duration::from_secs(60);

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
        Ok(Stand { server, directory })
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

/// Waits for something that must not take longer.
pub async fn within<T>(
    time_max: Duration,
    failure: &str,
    what: impl Future<Output = Result<T>>,
) -> Result<T> {
    let outcome = tokio::time::timeout(time_max, what).await;
    outcome.with_context(|| format!("{failure} in {} s", time_max.as_secs()))?
}
