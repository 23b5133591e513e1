//! The tail: what the slowest of calls at a moderate rate take, alone and beside other work.
//!
//! An open loop offers *greet* at a fixed rate: alone; while closed loops keep another handler busy;
//! and while sends with large inputs make the store write and merge tables. The rate is a part of what
//! the server can answer, so a queue is nobody's fault but that of the other work. A time counts from
//! when the call was due. What else is loaded has a thread of its own in this process, so that it
//! delays the measured calls no more than any other process would.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{
    connection::Connection,
    figures::{Metric, Row},
    flood::Flood,
    load::{self, Target},
    overload::find_peak,
    park::{RESIDENT_PEAK, millis},
    scenario::{SERVICE, Scenario},
    stand::{Stand, Turn},
    statistics::quantile,
    tally::Tally,
};

static RATE: Metric = Metric::compared("offered_per_second", "offered, calls/s", 0);
static P50: Metric = Metric::compared("p50_ms", "p50 since the call was due, ms", 2);
static P99: Metric = Metric::compared("p99_ms", "p99 since the call was due, ms", 2);
static P999: Metric = Metric::compared("p999_ms", "p99.9 since the call was due, ms", 2);
static MAX: Metric = Metric::compared("max_ms", "longest since the call was due, ms", 2);
static P50_RATIO: Metric = Metric::compared("p50_to_alone", "p50, in parts of alone", 2);
static P99_RATIO: Metric = Metric::compared("p99_to_alone", "p99, in parts of alone", 2);
static P999_RATIO: Metric = Metric::compared("p999_to_alone", "p99.9, in parts of alone", 2);
static SENT_LATE: Metric =
    Metric::plain("sent_late_p99_ms", "of this sent too late by the load, p99, ms", 2);
static NOT_ANSWERED: Metric = Metric::plain("not_answered", "not answered with 2xx", 0);
static WRITTEN: Metric =
    Metric::plain("written_bytes_per_second", "written by the server, MiB/s", 1).in_mebi();
static OTHERS: Metric = Metric::compared("others_per_second", "other work, requests/s", 0);
static BULK: Metric =
    Metric::compared("bulk_bytes_per_second", "inputs of the other work, MiB/s", 1).in_mebi();

/// The part of the best rate that is offered.
const SHARE: f64 = 0.25;
/// How long each closed loop runs by which that rate is found.
const SEARCH: Duration = Duration::from_secs(2);
/// How often the open loop looks which calls are due.
const PACE: Duration = Duration::from_micros(200);
/// How long other work goes on before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Connections of the other work.
const NEIGHBOURS: usize = 16;
const BULK_BYTES: usize = 64 << 10;

/// What goes on beside the calls that are measured.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    /// Closed loops of *steps*.
    Steps,
    /// Closed loops of sends with inputs of [`BULK_BYTES`].
    Bulk,
}

impl Beside {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "tail-alone",
            Self::Steps => "tail-neighbour",
            Self::Bulk => "tail-bulk",
        }
    }

    /// Starts it; it ends after `duration` and returns its requests per second.
    fn start(self, target: Target, duration: Duration) -> JoinHandle<Result<f64>> {
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match self {
                    Self::Nothing => Ok(0.0),
                    Self::Steps => {
                        let scenario = Scenario::Steps;
                        let driven = load::drive(&target, scenario, NEIGHBOURS, duration).await?;
                        Ok(driven.per_second())
                    }
                    Self::Bulk => bulk(&target, duration).await,
                }
            })
        })
    }
}

/// Measures all three with the same server.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let stand = turn.start().await?;
    let flood = Flood::open(stand.server.ingress).await?;
    let rate = match turn.options.rate {
        Some(rate) => rate,
        None => SHARE * find_peak(&flood, turn.options.connections_max(), SEARCH).await?.1,
    };
    let mut rows = Vec::new();
    let mut alone = None;
    for beside in [Beside::Nothing, Beside::Steps, Beside::Bulk] {
        let (row, tail) = phase(turn, &stand, &flood, rate, beside).await?;
        rows.push(add_ratios(row, &tail, alone.get_or_insert(tail)));
    }
    Ok(rows)
}

/// Quantiles of one phase, in milliseconds.
#[derive(Clone, Copy)]
struct Tail {
    p50: f64,
    p99: f64,
    p999: f64,
}

/// Offers calls beside other work.
async fn phase(
    turn: Turn<'_>,
    stand: &Stand,
    flood: &Flood,
    rate: f64,
    beside: Beside,
) -> Result<(Row, Tail)> {
    let duration = turn.options.duration;
    stand.settle().await?;
    let others = beside.start(turn.target(stand), WARM_UP + duration);
    tokio::time::sleep(WARM_UP).await;
    let (begin, written) = (Instant::now(), stand.server.written_bytes()?);
    let tally = flood.open_loop(rate, PACE, duration).await?;
    let written = stand.server.written_bytes()?.saturating_sub(written) as f64;
    let seconds = begin.elapsed().as_secs_f64();
    let others = others.await??;
    let mut times = tally.times.clone();
    times.sort_unstable();
    let late = |share| quantile(&times, share).map(millis).context("no call was answered");
    let tail = Tail { p50: late(0.50)?, p99: late(0.99)?, p999: late(0.999)? };
    let row = Row::new(beside.name(), turn.options.connections_max() as u64)
        .with(&RATE, rate)
        .with(&P50, tail.p50)
        .with(&P99, tail.p99)
        .with(&P999, tail.p999)
        .with(&MAX, late(1.0)?)
        .with(&NOT_ANSWERED, not_answered(&tally) as f64)
        .with_optional(&SENT_LATE, tally.sent_late(0.99).map(millis))
        .with(&WRITTEN, written / seconds);
    let row = match beside {
        Beside::Nothing => row,
        Beside::Steps => row.with(&OTHERS, others),
        Beside::Bulk => row
            .with(&OTHERS, others)
            .with(&BULK, others * BULK_BYTES as f64)
            .with(&RESIDENT_PEAK, stand.server.resident_bytes_peak()? as f64),
    };
    Ok((row, tail))
}

fn not_answered(tally: &Tally) -> u64 {
    tally.refused_429 + tally.refused_503 + tally.failed + tally.unsent + tally.unanswered
}

fn add_ratios(row: Row, tail: &Tail, alone: &Tail) -> Row {
    if row.scenario == Beside::Nothing.name() {
        return row;
    }
    row.with(&P50_RATIO, tail.p50 / alone.p50)
        .with(&P99_RATIO, tail.p99 / alone.p99)
        .with(&P999_RATIO, tail.p999 / alone.p999)
}

/// Sends large inputs in closed loops and returns how many were accepted per second.
async fn bulk(target: &Target, duration: Duration) -> Result<f64> {
    let begin = Instant::now();
    let input = noise(BULK_BYTES);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..NEIGHBOURS {
        let mut connection = Connection::open(target.ingress).await?;
        let input = input.clone();
        senders.spawn(async move {
            let path = format!("/{SERVICE}/{}/send", Scenario::Greet.name());
            let mut sent = 0_u64;
            while begin.elapsed() < duration {
                connection.call(&path, input.clone()).await?;
                sent += 1;
            }
            Ok::<_, anyhow::Error>(sent)
        });
    }
    let mut sent = 0;
    while let Some(sender) = senders.join_next().await {
        sent += sender??;
    }
    Ok(sent as f64 / begin.elapsed().as_secs_f64())
}

/// Returns a JSON string of so many bytes that no compression makes much smaller.
fn noise(len: usize) -> Bytes {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let letter = |_| {
        // A step of xorshift64.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        LETTERS[(seed >> 58) as usize]
    };
    let mut text: Vec<u8> = (0..len).map(letter).collect();
    text[0] = b'"';
    text[len - 1] = b'"';
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_a_json_string_without_a_pattern() {
        let text = noise(BULK_BYTES);
        assert_eq!(text.len(), BULK_BYTES);
        assert!(serde_json::from_slice::<String>(&text).is_ok());
        let pieces: std::collections::HashSet<&[u8]> = text.chunks_exact(8).collect();
        assert_eq!(pieces.len(), BULK_BYTES / 8, "every piece is another");
    }
}
