//! A queue: many sends to one key of an object that is busy, and then all of them run.
//!
//! A handler that waits holds the key while they are sent. What it shows is that neither sends nor
//! calls get slower, the more of them there are or were.
//! Invariant: it fails unless the state has counted every send exactly once, and none ran before one
//! that was acknowledged before it was sent.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    connection::Connection,
    crowd,
    figures::{Metric, Row},
    load::Target,
    micros,
    park::{MEMORY, RESIDENT_EACH, RESIDENT_PEAK},
    posts::{Post, Sent, post_all},
    probe::{self, Probe},
    scenario::OBJECT,
    service::{ADD, Event, HOLD, TALLY, What},
    stand::Turn,
    tenths::{self, Watch},
};

static REPEATED: Metric = Metric::plain("repeated", "attempts repeated", 0);
static P50_BEFORE: Metric = Metric::compared("before_p50_us", "p50 before, us", 0);
static P50_AFTER: Metric = Metric::compared("after_p50_us", "p50 after, us", 0);
static AFTER_TO_BEFORE: Metric =
    Metric::compared("after_to_before_p50", "p50 after, in parts of before", 2);
static P99_BEFORE: Metric = Metric::plain("before_p99_us", "p99 before, us", 0);
static P99_AFTER: Metric = Metric::plain("after_p99_us", "p99 after, us", 0);
static CPU_BEFORE: Metric =
    Metric::plain("before_server_cpu_us_each", "server CPU each before, us", 0);
static CPU_AFTER: Metric =
    Metric::plain("after_server_cpu_us_each", "server CPU each after, us", 0);

/// The key of the object.
const KEY: &str = "queue";

/// The calls that wait for one key.
struct Queue {
    target: Target,
    events: UnboundedReceiver<Event>,
    channel: usize,
}

/// How all of them ran.
struct Drained {
    begin: Instant,
    runs: Vec<Run>,
    repeated: usize,
}

/// How one of them ran; its place in the list is that in which the state counted it.
struct Run {
    number: usize,
    at: Instant,
}

/// Calls, fills the queue, lets it run, and calls again.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let (count, connections) = (turn.options.queued, turn.options.connections_max());
    let stand = turn.start().await?;
    let server = &stand.server;
    let mut queue = Queue::new(turn.target(&stand));
    stand.settle().await?;
    let call = format!("/{OBJECT}/{KEY}/{ADD}");
    let before = Probe::make(&stand, &call).await?;
    let resident = server.resident_bytes()?;
    let awakeable = queue.hold().await?;
    let begin = Instant::now();
    let (sent, sending) = Watch::over(server, queue.fill(count, connections)).await?;
    let resident_full = server.resident_bytes()?;
    let (drained, running) = Watch::over(server, queue.drain(&awakeable, count)).await?;
    let after = Probe::make(&stand, &call).await?;
    check_order(&drained.runs, &sent)?;
    let expected = 2 * probe::CALLS + count;
    ensure!(after.answer == expected.to_string(), "the count is {:?}: {expected}", after.answer);

    let mut ends: Vec<Instant> = sent.iter().map(|sent| sent.end).collect();
    ends.sort_unstable();
    let each = resident_full.saturating_sub(resident) as f64 / count as f64;
    let sends = tenths::add_to(Row::new("queue-send", count as u64), &sending, begin, &ends)
        .with(&RESIDENT_EACH, each)
        .with(&MEMORY, resident_full as f64);
    let mut ends: Vec<Instant> = drained.runs.iter().map(|run| run.at).collect();
    ends.sort_unstable();
    let row = Row::new("queue-run", count as u64);
    let runs = tenths::add_to(row, &running, drained.begin, &ends)
        .with(&REPEATED, drained.repeated as f64)
        .with(&RESIDENT_PEAK, server.resident_bytes_peak()? as f64);
    let calls = compare(Row::new("queue-calls", count as u64), &before, &after);
    Ok(vec![sends, runs, calls])
}

fn compare(row: Row, before: &Probe, after: &Probe) -> Row {
    let (p50_before, p50_after) = (micros(before.quantile(0.50)), micros(after.quantile(0.50)));
    row.with(&P50_BEFORE, p50_before)
        .with(&P50_AFTER, p50_after)
        .with(&AFTER_TO_BEFORE, p50_after / p50_before)
        .with(&P99_BEFORE, micros(before.quantile(0.99)))
        .with(&P99_AFTER, micros(after.quantile(0.99)))
        .with(&CPU_BEFORE, micros(before.cpu_each))
        .with(&CPU_AFTER, micros(after.cpu_each))
}

impl Queue {
    fn new(target: Target) -> Self {
        let (sender, events) = unbounded_channel();
        let channel = target.channels.register(sender);
        Self { target, events, channel }
    }

    /// Makes the key busy and returns the id of the awakeable that ends this.
    async fn hold(&mut self) -> Result<String> {
        let mut connection = Connection::open(self.target.ingress).await?;
        let input = Bytes::from(format!("{}:hold", self.channel));
        connection.call(&format!("/{OBJECT}/{KEY}/{HOLD}/send"), input).await?;
        match crowd::next(&mut self.events).await?.what {
            What::Waits(id) => Ok(id),
            What::Ends(_) => bail!("the handler that holds the key has ended"),
        }
    }

    async fn fill(&self, count: usize, connections: usize) -> Result<Vec<Sent>> {
        let (channel, path) = (self.channel, format!("/{OBJECT}/{KEY}/{TALLY}/send"));
        let send = move |number| Post {
            path: path.clone(),
            body: Bytes::from(format!("{channel}:{number}")),
            idempotency_key: None,
        };
        post_all(&self.target, 0..count, connections, send).await
    }

    /// Lets go of the key and waits until all have run.
    async fn drain(&mut self, awakeable: &str, count: usize) -> Result<Drained> {
        let mut connection = Connection::open(self.target.ingress).await?;
        let path = format!("/restate/awakeables/{awakeable}/resolve");
        let begin = Instant::now();
        connection.call(&path, Bytes::from_static(b"1")).await?;
        let mut runs: Vec<Option<Run>> = Vec::new();
        runs.resize_with(count, || None);
        let (mut missing, mut repeated) = (count, 0);
        while missing > 0 {
            let event = crowd::next(&mut self.events).await?;
            let is_first = note(&event, &mut runs)?;
            missing -= usize::from(is_first);
            repeated += usize::from(!is_first);
        }
        Ok(Drained { begin, runs: runs.into_iter().flatten().collect(), repeated })
    }
}

/// Notes what a call counted; false if it is a repeated attempt, which must count the same.
fn note(event: &Event, runs: &mut [Option<Run>]) -> Result<bool> {
    // A repeated attempt of the handler that held the key has no number.
    let Some(number) = event.number() else { return Ok(false) };
    let What::Ends(count) = &event.what else { return Ok(false) };
    let count = std::str::from_utf8(count).ok().and_then(|count| count.parse::<usize>().ok());
    // Those of the probe were counted before.
    let at = count.and_then(|count| count.checked_sub(probe::CALLS + 1));
    let run = at.and_then(|at| runs.get_mut(at));
    let run = run.with_context(|| format!("call {number} counted {count:?}"))?;
    match run {
        Some(run) => {
            let first = run.number;
            ensure!(first == number, "calls {first} and {number} both counted {count:?}");
            Ok(false)
        }
        None => {
            *run = Some(Run { number, at: event.at });
            Ok(true)
        }
    }
}

/// Fails unless each send ran, and none before one that was acknowledged before it was sent.
///
/// Sends that were under way at the same time have no order.
fn check_order(runs: &[Run], sent: &[Sent]) -> Result<()> {
    let mut spans = vec![None; sent.len()];
    for sent in sent {
        spans[sent.number] = Some((sent.begin, sent.end));
    }
    let mut acknowledged_first: Option<(Instant, usize)> = None;
    for run in runs.iter().rev() {
        let span = spans.get_mut(run.number).and_then(Option::take);
        let (begin, end) = span.with_context(|| format!("call {} ran twice", run.number))?;
        if let Some((acknowledged, number)) = acknowledged_first
            && acknowledged < begin
        {
            bail!("call {} ran before call {number}, which was sent earlier", run.number);
        }
        let earlier = acknowledged_first.filter(|(acknowledged, _)| *acknowledged < end);
        acknowledged_first = earlier.or(Some((end, run.number)));
    }
    let lost = spans.iter().position(Option::is_some);
    ensure!(lost.is_none(), "call {lost:?} never ran");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_call_counts_once() {
        let event = |number: usize, count: usize| Event {
            input: Bytes::from(format!("7:{number}")),
            at: Instant::now(),
            what: What::Ends(Bytes::from((probe::CALLS + count).to_string())),
        };
        let mut runs = [None, None];
        for (event, is_first) in [
            (event(1, 1), Some(true)),
            (event(1, 1), Some(false)),
            (event(0, 1), None),
            (event(0, 0), None),
            (event(0, 3), None),
            (event(0, 2), Some(true)),
            (Event { input: Bytes::from_static(b"7:hold"), ..event(0, 1) }, Some(false)),
        ] {
            assert_eq!(note(&event, &mut runs).ok(), is_first, "{:?}", event.input);
        }
        assert_eq!(runs.map(|run| run.map(|run| run.number)), [Some(1), Some(0)]);
    }

    #[test]
    fn order_binds_what_was_sent_one_after_the_other() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        // The first two at the same time, then the third.
        let sent: Vec<Sent> = [(0, 2), (1, 3), (4, 5)]
            .into_iter()
            .enumerate()
            .map(|(number, (begin, end))| Sent { number, begin: at(begin), end: at(end) })
            .collect();
        for (order, is_right) in [
            ([0, 1, 2], true),
            ([1, 0, 2], true),
            ([0, 2, 1], false),
            ([2, 1, 0], false),
            ([0, 1, 1], false),
        ] {
            let runs = order.map(|number| Run { number, at: begin });
            assert_eq!(check_order(&runs, &sent).is_ok(), is_right, "{order:?}");
        }
        let runs = [0, 1].map(|number| Run { number, at: begin });
        assert!(check_order(&runs, &sent).is_err(), "one is missing");
    }
}
