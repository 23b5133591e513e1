//! A probe: a few calls one after the other, to compare what one caller sees in two states.
//!
//! Owns the number of calls, so that all probes can be compared. What is called is up to the trial.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;

use super::{connection::Connection, stand::Stand, statistics::quantile};

/// Calls of one probe.
pub const CALLS: usize = 200;

/// What was seen.
pub struct Probe {
    /// Sorted.
    pub times: Vec<Duration>,
    /// CPU time of the server for each call, in steps of 10 ms for all of them.
    pub cpu_each: Duration,
    /// The answer to the last call.
    pub answer: Bytes,
}

impl Probe {
    /// Makes the calls over a new connection.
    pub async fn make(stand: &Stand, path: &str) -> Result<Self> {
        let mut connection = Connection::open(stand.server.ingress).await?;
        let cpu_before = stand.server.cpu_time()?;
        let mut times = Vec::with_capacity(CALLS);
        let mut answer = Bytes::new();
        for _ in 0..CALLS {
            let begin = Instant::now();
            answer = connection.call(path, Bytes::from_static(b"1")).await?;
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        let cpu = stand.server.cpu_time()?.saturating_sub(cpu_before);
        Ok(Self { times, cpu_each: cpu / CALLS as u32, answer })
    }

    /// Returns the time that the given share of the calls did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        quantile(&self.times, share).unwrap_or_default()
    }
}
