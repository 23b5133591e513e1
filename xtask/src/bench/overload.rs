//! Overload: more calls than a server can answer, up to twice as many.
//!
//! First closed loops find what it can answer, with more and more calls in flight. Then open loops offer
//! parts and multiples of that, whether calls are answered or not: how much is answered then is the
//! curve that must not collapse. All go over the same HTTP/2 connections, so that what the load costs
//! differs by the number of calls only. Load generator and server share a machine: what the load
//! generator and refusals take, answered calls do not get.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Metric, Row},
    flood::Flood,
    park::{MEMORY, RESIDENT_PEAK, millis},
    stand::Turn,
    statistics::quantile,
    tally::Tally,
};

static PEAK: Metric = Metric::compared("peak_per_second", "closed loop, calls/s", 0);
static CORES: Metric = Metric::plain("server_cores", "cores that the server had", 2);
static OFFERED: Metric = Metric::plain("offered_per_second", "offered, calls/s", 0);
static ANSWERED: Metric = Metric::compared("answered_per_second", "answered 2xx, calls/s", 0);
static SHARE: Metric = Metric::plain("share_of_peak", "answered, in parts of the closed loop", 2);
static SHARE_OF_BEST: Metric =
    Metric::plain("share_of_best", "answered, in parts of the best open loop so far", 2);
static P50: Metric = Metric::compared("p50_ms", "p50 since the call was due, ms", 0);
static P99: Metric = Metric::compared("p99_ms", "p99 since the call was due, ms", 0);
static REFUSED_429: Metric = Metric::plain("refused_429", "refused with 429", 0);
static REFUSED_503: Metric = Metric::plain("refused_503", "refused with 503", 0);
static WITHOUT_RETRY_AFTER: Metric =
    Metric::plain("refused_without_retry_after", "of these without Retry-After", 0);
static FAILED: Metric = Metric::plain("failed", "failed otherwise", 0);
static UNSENT: Metric = Metric::plain("unsent", "not sent, too many in flight", 0);
static UNANSWERED: Metric = Metric::plain("unanswered", "never answered", 0);
static BACKLOG: Metric = Metric::compared("backlog_ms", "until the backlog was answered, ms", 0);

/// What is offered, in percent of the rate of the closed loop.
const PERCENTS: [u64; 4] = [75, 100, 150, 200];
/// How much more twice as many calls in flight must bring for the search to go on.
const GAIN_MIN: f64 = 1.05;
/// Where the search for the peak ends in any case.
const IN_FLIGHT_MAX: usize = 4096;
/// How often the open loop looks which calls are due.
const PACE: Duration = Duration::from_millis(1);
/// How long the closed loop runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(700);

/// Finds the rate of the closed loop, and offers parts and multiples of it.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let (options, stand) = (turn.options, turn.start().await?);
    let server = &stand.server;
    let flood = Flood::open(server.ingress).await?;
    let (in_flight, _) = find_peak(&flood, options.connections_max(), options.duration).await?;
    stand.settle().await?;
    let (begin, cpu) = (Instant::now(), server.cpu_time()?);
    let peak = flood.closed_loop(in_flight, options.duration).await?;
    let mut rows = vec![
        Row::new("overload-closed", in_flight as u64)
            .with(&PEAK, peak)
            .with(&CORES, cores(server.cpu_time()?.saturating_sub(cpu), begin.elapsed()))
            .with(&RESIDENT_PEAK, server.resident_bytes_peak()? as f64),
    ];
    let mut best = 0.0_f64;
    for percent in PERCENTS {
        stand.settle().await?;
        let (begin, cpu) = (Instant::now(), server.cpu_time()?);
        let offered = peak * percent as f64 / 100.0;
        let tally = flood.open_loop(offered, PACE, options.duration).await?;
        let cpu = server.cpu_time()?.saturating_sub(cpu);
        let answered = tally.answered_in_time as f64 / options.duration.as_secs_f64();
        best = best.max(answered);
        let row = Row::new("overload", percent)
            .with(&OFFERED, offered)
            .with(&ANSWERED, answered)
            .with(&SHARE, answered / peak)
            .with(&SHARE_OF_BEST, answered / best)
            .with(&CORES, cores(cpu, begin.elapsed()));
        rows.push(
            add_tally(row, &tally)
                .with(&RESIDENT_PEAK, server.resident_bytes_peak()? as f64)
                .with(&MEMORY, server.resident_bytes()? as f64),
        );
    }
    Ok(rows)
}

/// Puts twice as many calls in flight until that brings no more; returns how many gave the highest
/// rate, and that rate.
pub async fn find_peak(flood: &Flood, first: usize, duration: Duration) -> Result<(usize, f64)> {
    flood.closed_loop(first, WARM_UP).await?;
    let mut best = (first, flood.closed_loop(first, duration).await?);
    while best.0 < IN_FLIGHT_MAX {
        let next = 2 * best.0;
        let rate = flood.closed_loop(next, duration).await?;
        let is_worth_it = rate > best.1 * GAIN_MIN;
        if rate > best.1 {
            best = (next, rate);
        }
        if !is_worth_it {
            break;
        }
    }
    Ok(best)
}

fn cores(cpu: Duration, elapsed: Duration) -> f64 {
    cpu.as_secs_f64() / elapsed.as_secs_f64()
}

fn add_tally(row: Row, tally: &Tally) -> Row {
    let mut times = tally.times.clone();
    times.sort_unstable();
    row.with_optional(&P50, quantile(&times, 0.50).map(millis))
        .with_optional(&P99, quantile(&times, 0.99).map(millis))
        .with(&REFUSED_429, tally.refused_429 as f64)
        .with(&REFUSED_503, tally.refused_503 as f64)
        .with(&WITHOUT_RETRY_AFTER, tally.without_retry_after as f64)
        .with(&FAILED, tally.failed as f64)
        .with(&UNSENT, tally.unsent as f64)
        .with(&UNANSWERED, tally.unanswered as f64)
        .with(&BACKLOG, millis(tally.backlog))
}
