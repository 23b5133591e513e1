//! The table: every scenario at every number of connections, against one server.
//!
//! Invariant: nothing but the load runs while times are taken; flushes are counted in a pass of
//! their own, because whoever counts them slows them down.

use std::time::Duration;

use anyhow::Result;

use super::{
    figures::{
        CALLS_PER_SECOND, COMMITS, ENDPOINT_CPU, FLUSHES, LOAD_CPU, P50, P99, RESIDENT, Row,
        SERVER_CPU, WRITTEN,
    },
    flushes,
    load::{self, Target},
    micros,
    scenario::Scenario,
    service,
    stand::{Stand, Turn},
};
use crate::process::{self, Server};

/// How long each load runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(700);

/// How long flushes are counted.
const FLUSH_COUNT_TIME: Duration = Duration::from_secs(1);

/// CPU time of the three parties.
#[derive(Clone, Copy)]
struct CpuTimes {
    server: Duration,
    endpoint: Duration,
    load: Duration,
}

impl CpuTimes {
    fn now(server: &Server) -> Result<Self> {
        let endpoint = process::own_cpu_time(Some(service::THREAD))?;
        let load = process::own_cpu_time(None)?.saturating_sub(endpoint);
        Ok(Self { server: server.cpu_time()?, endpoint, load })
    }

    fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            endpoint: self.endpoint.saturating_sub(before.endpoint),
            load: self.load.saturating_sub(before.load),
        }
    }
}

/// Drives the scenarios that were asked for against a fresh server.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let stand = turn.start().await?;
    let target = turn.target(&stand);
    let mut rows = Vec::new();
    for &scenario in &turn.options.scenarios {
        for &connections in &turn.options.connections {
            load::drive(&target, scenario, connections, WARM_UP).await?;
            let duration = turn.options.duration;
            let mut row = drive(&stand, &target, scenario, connections, duration).await?;
            if turn.options.count_flushes {
                let flushes = count_flushes(&stand, &target, scenario, connections).await?;
                row = row.with(&FLUSHES, flushes);
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Drives one scenario and returns what it cost.
pub async fn drive(
    stand: &Stand,
    target: &Target,
    scenario: Scenario,
    connections: usize,
    duration: Duration,
) -> Result<Row> {
    let server = &stand.server;
    let (commits, written) = (stand.commits().await?, server.written_bytes()?);
    let before = CpuTimes::now(server)?;
    let measured = load::drive(target, scenario, connections, duration).await?;
    let cpu = CpuTimes::now(server)?.since(before);
    let written = server.written_bytes()?.saturating_sub(written);
    let commits = stand.commits().await?.zip(commits).map(|(after, before)| after - before);
    let calls = measured.calls().max(1) as f64;
    Ok(Row::new(scenario.name(), connections as u64)
        .with(&CALLS_PER_SECOND, measured.per_second())
        .with(&P50, micros(measured.quantile(0.50)))
        .with(&P99, micros(measured.quantile(0.99)))
        .with(&SERVER_CPU, micros(cpu.server) / calls)
        .with(&ENDPOINT_CPU, micros(cpu.endpoint) / calls)
        .with(&LOAD_CPU, micros(cpu.load) / calls)
        .with(&RESIDENT, server.resident_bytes()? as f64)
        .with(&WRITTEN, written as f64 / calls)
        .with_optional(&COMMITS, commits.map(|commits| commits as f64 / calls)))
}

async fn count_flushes(
    stand: &Stand,
    target: &Target,
    scenario: Scenario,
    connections: usize,
) -> Result<f64> {
    let count = flushes::Count::attach(&stand.server, stand.directory.path()).await?;
    let measured = load::drive(target, scenario, connections, FLUSH_COUNT_TIME).await?;
    Ok(count.finish()? as f64 / measured.calls().max(1) as f64)
}
