//! Overload: more calls than a server can answer, up to twice as many.
//!
//! Closed loops find what it can answer at most, with more and more calls in flight, and open loops around
//! that rate what it can sustain when calls come whether others are answered or not. Then multiples of
//! what it sustains are offered: what is answered must not collapse. All go over the same HTTP/2
//! connections, so that what the load costs differs by the number of calls only. Load generator and
//! server share a machine: what the load generator and refusals take, answered calls do not get.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Metric, Row},
    flood::Flood,
    park::{RESIDENT_PEAK, millis},
    stand::{Stand, Turn},
    statistics::quantile,
    tally::Tally,
};

static PEAK: Metric = Metric::compared("peak_per_second", "closed loop, calls/s", 0);
static CORES: Metric = Metric::plain("server_cores", "cores that the server had", 2);
static OFFERED: Metric = Metric::plain("offered_per_second", "offered, calls/s", 0);
static ANSWERED: Metric = Metric::compared("answered_per_second", "answered 2xx, calls/s", 0);
static OF_CLOSED: Metric =
    Metric::plain("share_of_closed", "answered, in parts of the closed loop", 2);
static OF_SUSTAINED: Metric =
    Metric::plain("share_of_sustained", "answered, in parts of what is sustained", 2);
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

/// What open loops offer first, in percent of the closed loop; the best of them is what is sustained.
const PERCENTS_OF_CLOSED: [u64; 2] = [75, 100];
/// What is offered then, in percent of what is sustained.
const PERCENTS_OF_SUSTAINED: [u64; 3] = [100, 150, 200];
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
    let mut sustained = 0.0_f64;
    for percent in PERCENTS_OF_CLOSED {
        let offered = peak * percent as f64 / 100.0;
        let (row, answered) = offer(turn, &stand, &flood, offered).await?;
        sustained = sustained.max(answered);
        rows.push(row("overload-open", percent).with(&OF_CLOSED, answered / peak));
    }
    for percent in PERCENTS_OF_SUSTAINED {
        let offered = sustained * percent as f64 / 100.0;
        let (row, answered) = offer(turn, &stand, &flood, offered).await?;
        let row = row("overload", percent).with(&OF_CLOSED, answered / peak);
        rows.push(row.with(&OF_SUSTAINED, answered / sustained));
    }
    Ok(rows)
}

/// Offers so many calls per second to a server that is quiet, and returns what comes of it, and how many
/// were answered per second while they were offered.
async fn offer(
    turn: Turn<'_>,
    stand: &Stand,
    flood: &Flood,
    offered: f64,
) -> Result<(impl FnOnce(&'static str, u64) -> Row, f64)> {
    let (server, duration) = (&stand.server, turn.options.duration);
    stand.settle().await?;
    let (begin, cpu) = (Instant::now(), server.cpu_time()?);
    let tally = flood.open_loop(offered, PACE, duration).await?;
    let cores = cores(server.cpu_time()?.saturating_sub(cpu), begin.elapsed());
    let resident_peak = server.resident_bytes_peak()? as f64;
    let answered = tally.answered_in_time as f64 / duration.as_secs_f64();
    let row = move |name, percent| {
        let row = Row::new(name, percent)
            .with(&OFFERED, offered)
            .with(&ANSWERED, answered)
            .with(&CORES, cores)
            .with(&RESIDENT_PEAK, resident_peak);
        add_tally(row, &tally)
    };
    Ok((row, answered))
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
