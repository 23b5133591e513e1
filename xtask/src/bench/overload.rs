//! Overload: twice the calls that a server can answer.
//!
//! First closed loops find what it can answer, with more and more calls in flight, then an open loop
//! offers twice as much, whether calls are answered or not. Both go over the same HTTP/2 connections, so that what the load costs
//! differs by the number of calls only. Load generator and server share a machine: what the load
//! generator takes for the second half of the calls, the server does not get.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Metric, Row},
    flood::{Flood, Tally, locked},
    park::{MEMORY, RESIDENT_PEAK, millis},
    stand::Turn,
    statistics::quantile,
};

static PEAK: Metric = Metric::compared("peak_per_second", "closed loop, calls/s", 0);
static IN_FLIGHT: Metric = Metric::plain("peak_in_flight", "closed loop, calls in flight", 0);
static OFFERED: Metric = Metric::plain("offered_per_second", "offered, calls/s", 0);
static SENT: Metric = Metric::plain("sent_per_second", "sent, calls/s", 0);
static ANSWERED: Metric = Metric::compared("answered_per_second", "answered 2xx, calls/s", 0);
static ANSWERED_ALL: Metric =
    Metric::compared("answered_with_backlog_per_second", "the same with the backlog, calls/s", 0);
static SHARE: Metric = Metric::plain("share_of_peak", "answered, in parts of the closed loop", 2);
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
static RESIDENT_BEFORE: Metric =
    Metric::plain("resident_bytes_before", "RSS before the overload, MiB", 1).in_mebi();

/// How many times the sustainable rate is offered.
const FACTOR: f64 = 2.0;
/// How much more twice as many calls in flight must bring for the search to go on.
const GAIN_MIN: f64 = 1.05;
/// Where the search for the peak ends in any case.
const IN_FLIGHT_MAX: usize = 4096;
/// How often the open loop looks which calls are due.
const PACE: Duration = Duration::from_millis(1);
/// How long the closed loop runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(700);

/// Finds the sustainable rate and offers twice as much.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let (options, stand) = (turn.options, turn.start().await?);
    let server = &stand.server;
    let flood = Flood::open(server.ingress).await?;
    let (in_flight, peak) = find_peak(&flood, options.connections_max(), options.duration).await?;
    let resident_before = server.resident_bytes()?;
    let offered = FACTOR * peak;
    let tally = flood.open_loop(offered, PACE, options.duration).await;
    let begin = Instant::now();
    let unanswered = flood.wait_for_backlog().await;
    let backlog = begin.elapsed();
    stand.settle().await?;
    let row = Row::new("overload", options.connections_max() as u64)
        .with(&PEAK, peak)
        .with(&IN_FLIGHT, in_flight as f64)
        .with(&OFFERED, offered);
    let all = locked(&tally).times.len() as f64 / (options.duration + backlog).as_secs_f64();
    Ok(vec![
        add_tally(row, &locked(&tally), peak, options.duration)
            .with(&ANSWERED_ALL, all)
            .with(&UNANSWERED, unanswered as f64)
            .with(&BACKLOG, millis(backlog))
            .with(&RESIDENT_BEFORE, resident_before as f64)
            .with(&RESIDENT_PEAK, server.resident_bytes_peak()? as f64)
            .with(&MEMORY, server.resident_bytes()? as f64),
    ])
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

fn add_tally(row: Row, tally: &Tally, peak: f64, duration: Duration) -> Row {
    let per_second = |calls: u64| calls as f64 / duration.as_secs_f64();
    let answered = per_second(tally.answered_in_time);
    let mut times = tally.times.clone();
    times.sort_unstable();
    row.with(&SENT, per_second(tally.sent))
        .with(&ANSWERED, answered)
        .with(&SHARE, answered / peak)
        .with_optional(&P50, quantile(&times, 0.50).map(millis))
        .with_optional(&P99, quantile(&times, 0.99).map(millis))
        .with(&REFUSED_429, tally.refused_429 as f64)
        .with(&REFUSED_503, tally.refused_503 as f64)
        .with(&WITHOUT_RETRY_AFTER, tally.without_retry_after as f64)
        .with(&FAILED, tally.failed as f64)
        .with(&UNSENT, tally.unsent as f64)
}
