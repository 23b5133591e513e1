//! What the scenarios stand on: processes, an HTTP client, and a [`Cluster`] of server and service.
//!
//! - Owns: setting up the SDKs, starting and killing processes, reading what the example programs log.
//! - Does not own: any expectation about the server; those live in the scenarios.
//! - Invariant: no sleep decides anything; everything that takes time goes through [`eventually`].
//! - Start at [`Cluster`], then [`run_scenarios`].

mod cluster;
mod http;
mod node;
mod notes;
mod own;
mod ports;
mod process;
pub mod python;
mod rust;
mod scenario;
mod sdk;
mod verbs;

use std::time::{Duration, Instant};

pub use cluster::{Cluster, LAMBDA_ARN, LAMBDA_SECRET, Mode, Setup};
pub use http::{Http, Response};
pub use ports::free_port;
pub use process::Process;
pub use scenario::{Scenario, run_scenarios, tell};
pub use sdk::Sdk;
pub use verbs::{id_bytes, sign_id};

/// How long anything may take before a test calls it lost.
pub const PATIENCE: Duration = Duration::from_secs(20);

const POLL_INTERVAL: Duration = Duration::from_millis(15);

/// Polls `probe` until it yields a value; panics with `what` after [`PATIENCE`].
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, probe).await
}

/// As [`eventually`], with a patience of one's own.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(started.elapsed() < patience, "waited {patience:?} in vain: {what}");
        // Pacing: the condition is asked for again and again, the sleep decides nothing.
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
