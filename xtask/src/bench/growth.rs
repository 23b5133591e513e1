//! Growth: what an invocation costs while more and more are kept.
//!
//! Two ways of being kept, each with a server of its own: completed ones whose results are retained,
//! and parked ones. At every count the same load is driven, then the server crashes and restarts.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;

use super::{
    crowd::Crowd,
    figures::{Metric, RESIDENT, Row},
    load, micros,
    park::{Footprint, HEALTHY, millis},
    posts::{Post, post_all},
    scenario::{SERVICE, Scenario},
    stand::{Stand, Turn},
    table,
};

static ADD_RATE: Metric = Metric::compared("added_per_second", "added per second", 0);
static ADD_CPU: Metric = Metric::compared("added_server_cpu_us", "server CPU to add one, us", 0);
static FIRST_CALL: Metric =
    Metric::compared("first_call_ms", "start to first answered call, ms", 0);

/// How long the load runs at each count before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// What is kept, and how more of it is added.
enum Kept {
    /// Results of so many calls, by idempotency keys.
    Results(usize),
    Parked(Crowd),
}

/// Measures at every count.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let mut rows = retained_or_parked(turn, false).await?;
    rows.extend(retained_or_parked(turn, true).await?);
    Ok(rows)
}

async fn retained_or_parked(turn: Turn<'_>, is_parked: bool) -> Result<Vec<Row>> {
    let mut stand = turn.start().await?;
    let mut kept =
        if is_parked { Kept::Parked(Crowd::new(turn.target(&stand))) } else { Kept::Results(0) };
    let empty = Footprint::of(&stand).await?;
    let mut rows = Vec::new();
    for &count in &turn.options.counts {
        rows.push(at_count(turn, &mut stand, &mut kept, &empty, count).await?);
    }
    Ok(rows)
}

/// Adds until there are `count`, drives a load, and restarts.
async fn at_count(
    turn: Turn<'_>,
    stand: &mut Stand,
    kept: &mut Kept,
    empty: &Footprint,
    count: usize,
) -> Result<Row> {
    let connections = turn.options.connections_max();
    let cpu_before = stand.server.cpu_time()?;
    let (name, before) = match kept {
        Kept::Results(before) => ("growth-retained", *before),
        Kept::Parked(crowd) => ("growth-parked", crowd.len()),
    };
    let elapsed = kept.grow(turn, stand, count, connections).await?;
    let footprint = Footprint::of(stand).await?;
    let cpu = stand.server.cpu_time()?.saturating_sub(cpu_before);
    let added = (count - before).max(1) as f64;
    let row = Row::new(name, count as u64)
        .with(&ADD_RATE, added / elapsed.as_secs_f64())
        .with(&ADD_CPU, micros(cpu) / added);
    let mut row = footprint.add_to(row, empty, count);
    let target = turn.target(stand);
    load::drive(&target, Scenario::Greet, connections, WARM_UP).await?;
    let driven =
        table::drive(stand, &target, Scenario::Greet, connections, turn.options.duration).await?;
    // Of these the resident memory is there already, without that of the load.
    let driven = driven.figures.into_iter().filter(|(metric, _)| *metric != &RESIDENT);
    row.figures.extend(driven);
    let (begin, healthy) = stand.crash().await?;
    stand.first_call().await?;
    Ok(row.with(&HEALTHY, millis(healthy)).with(&FIRST_CALL, millis(begin.elapsed())))
}

impl Kept {
    /// Adds until there are `count`, and returns how long that took.
    async fn grow(
        &mut self,
        turn: Turn<'_>,
        stand: &Stand,
        count: usize,
        connections: usize,
    ) -> Result<Duration> {
        match self {
            Self::Parked(crowd) => crowd.park(count, connections).await,
            Self::Results(kept) => {
                let begin = Instant::now();
                let call = |number| Post {
                    path: format!("/{SERVICE}/{}", Scenario::Greet.name()),
                    body: Bytes::from_static(b"1"),
                    idempotency_key: Some(format!("growth-{number}")),
                };
                post_all(&turn.target(stand), *kept..count, connections, call).await?;
                *kept = count;
                Ok(begin.elapsed())
            }
        }
    }
}
