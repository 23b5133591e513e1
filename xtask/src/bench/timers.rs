//! Timers: many delayed sends that are due at the same moment.
//!
//! First they are registered, and what waits is weighed and must not slow down what does not wait;
//! then all come up. Lateness is measured in the handler, against a moment that was fixed before the
//! first send. A server counts the delay from when it reads the request, so a figure contains the way
//! there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    connection::Connection,
    crowd,
    figures::{Metric, Row},
    load::Target,
    micros,
    park::{Footprint, RESIDENT_PEAK, millis},
    posts::{Post, Sent, post_all},
    probe::{self, Probe},
    scenario::SERVICE,
    service::{Event, TICK},
    stand::{GREET_PATH, Stand, Turn},
    statistics::quantile,
    tenths::{self, Watch},
};

static LATENESS_P50: Metric = Metric::compared("lateness_p50_ms", "lateness p50, ms", 1);
static LATENESS_P99: Metric = Metric::compared("lateness_p99_ms", "lateness p99, ms", 1);
static LATENESS_MAX: Metric = Metric::compared("lateness_max_ms", "lateness of the last, ms", 1);
static GREET_ALONE: Metric = Metric::compared("greet_alone_p50_us", "greet alone, p50, us", 0);
static GREET_BESIDE: Metric =
    Metric::compared("greet_beside_p50_us", "greet beside them, p50, us", 0);
static GREET_RATIO: Metric =
    Metric::compared("greet_beside_to_alone", "greet beside them, in parts of alone", 2);
static SHORT_ALONE: Metric =
    Metric::compared("short_alone_p50_us", "short timer alone, lateness p50, us", 0);
static SHORT_BESIDE: Metric =
    Metric::compared("short_beside_p50_us", "short timer beside them, lateness p50, us", 0);
static SHORT_RATIO: Metric =
    Metric::compared("short_beside_to_alone", "short timer beside them, in parts of alone", 2);

/// Sends by which the rate of registering is found. They are due long after the end.
const TRY: usize = 5000;
const TRY_DELAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many times longer than at that rate registering may take: tables are merged meanwhile, and
/// the machine may do other things.
const REGISTER_FACTOR: f64 = 3.0;
/// Time for everything else before they are due.
const LEAD: Duration = Duration::from_secs(12);
/// The part of what is left of it in which the server may become quiet.
const SETTLE_SHARE: u32 = 4;
/// The delay of timers that come up while the others wait.
const SHORT_DELAY: Duration = Duration::from_millis(10);

/// Measures each number with a server of its own.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &count in &turn.options.timers {
        rows.extend(with_count(turn, count).await?);
    }
    Ok(rows)
}

/// Registers, looks how the server does meanwhile, waits for all and returns how late they were.
async fn with_count(turn: Turn<'_>, count: usize) -> Result<[Row; 2]> {
    let (stand, connections) = (turn.start().await?, turn.options.connections_max());
    let server = &stand.server;
    let mut timers = Timers::new(turn.target(&stand));
    stand.settle().await?;
    let alone = Beside::probe(&stand, &timers.target).await?;
    let lead = match turn.options.due_in {
        Some(lead) => lead,
        None => timers.lead(count, connections).await?,
    };
    let empty = Footprint::of(&stand).await?;
    let begin = Instant::now();
    let due = begin + lead;
    let (sent, registering) = Watch::over(server, timers.register(count, due, connections)).await?;
    stand.settle_for(left(due)? / SETTLE_SHARE).await?;
    let waiting = Footprint::now(&stand)?;
    let beside = Beside::probe(&stand, &timers.target).await?;
    left(due)?;
    let (moments, running) = Watch::over(server, timers.collect(count, due)).await?;

    let mut ends: Vec<Instant> = sent.iter().map(|sent| sent.end).collect();
    ends.sort_unstable();
    let row = Row::new("timers-waiting", count as u64);
    let row = tenths::add_to(row, &registering, begin, &ends);
    let row = beside.add_to(waiting.add_to(row, &empty, count), &alone);
    let late = |share| quantile(&moments, share).map(|at| millis(at - due));
    let timers = Row::new("timers", count as u64)
        .with_optional(&LATENESS_P50, late(0.50))
        .with_optional(&LATENESS_P99, late(0.99))
        .with_optional(&LATENESS_MAX, late(1.0))
        .with(&RESIDENT_PEAK, server.resident_bytes_peak()? as f64);
    Ok([row, tenths::add_to(timers, &running, due, &moments)])
}

/// Returns how much time is left; none is an error.
fn left(due: Instant) -> Result<Duration> {
    let left = due.saturating_duration_since(Instant::now());
    ensure!(!left.is_zero(), "they came up too soon: give --due-in more seconds");
    Ok(left)
}

/// Delayed sends, and the handlers that say when they ran.
struct Timers {
    target: Target,
    events: UnboundedReceiver<Event>,
    channel: usize,
}

impl Timers {
    fn new(target: Target) -> Self {
        let (sender, events) = unbounded_channel();
        let channel = target.channels.register(sender);
        Self { target, events, channel }
    }

    /// Returns in how many seconds so many should be due, so that they are registered before.
    async fn lead(&self, count: usize, connections: usize) -> Result<Duration> {
        let begin = Instant::now();
        let send = |_| Post { path: path(TRY_DELAY), body: Bytes::new(), idempotency_key: None };
        post_all(&self.target, 0..TRY, connections, send).await?;
        let each = begin.elapsed() / TRY as u32;
        Ok(LEAD + each.mul_f64(count as f64 * REGISTER_FACTOR))
    }

    async fn register(&self, count: usize, due: Instant, connections: usize) -> Result<Vec<Sent>> {
        let channel = self.channel;
        let send = move |number| Post {
            path: path(due.saturating_duration_since(Instant::now())),
            body: Bytes::from(format!("{channel}:{number}")),
            idempotency_key: None,
        };
        post_all(&self.target, 0..count, connections, send).await
    }

    /// Waits until every handler has run, and returns when each did, sorted.
    async fn collect(&mut self, count: usize, due: Instant) -> Result<Vec<Instant>> {
        tokio::time::sleep_until(due.into()).await;
        let mut moments = vec![None; count];
        let mut missing = count;
        while missing > 0 {
            let event = crowd::next(&mut self.events).await?;
            ensure!(event.at >= due, "a timer came up {:?} early", due - event.at);
            let number = event.number().context("an event without a number")?;
            // A repeated attempt is no second timer.
            if moments[number].is_none() {
                moments[number] = Some(event.at);
                missing -= 1;
            }
        }
        let mut moments: Vec<Instant> = moments.into_iter().flatten().collect();
        moments.sort_unstable();
        Ok(moments)
    }
}

/// The path of a delayed send. Rounded up: to be early is never the request's fault.
fn path(delay: Duration) -> String {
    format!("/{SERVICE}/{TICK}/send?delay={}ms", delay.as_micros().div_ceil(1000))
}

/// What goes on beside timers that wait.
struct Beside {
    greet: Probe,
    /// The lateness of short timers, one after the other; sorted.
    short: Vec<Duration>,
}

impl Beside {
    async fn probe(stand: &Stand, target: &Target) -> Result<Self> {
        let greet = Probe::make(stand, GREET_PATH).await?;
        let mut timers = Timers::new(target.clone());
        let mut connection = Connection::open(target.ingress).await?;
        let mut short = Vec::with_capacity(probe::CALLS);
        for number in 0..probe::CALLS {
            let due = Instant::now() + SHORT_DELAY;
            let body = Bytes::from(format!("{}:{number}", timers.channel));
            connection.call(&path(SHORT_DELAY), body).await?;
            let event = loop {
                let event = crowd::next(&mut timers.events).await?;
                // A repeated attempt is no second timer.
                if event.number() == Some(number) {
                    break event;
                }
            };
            short.push(event.at.saturating_duration_since(due));
        }
        short.sort_unstable();
        Ok(Self { greet, short })
    }

    fn add_to(&self, row: Row, alone: &Self) -> Row {
        let greet = |beside: &Self| micros(beside.greet.quantile(0.50));
        let short = |beside: &Self| micros(quantile(&beside.short, 0.50).unwrap_or_default());
        row.with(&GREET_ALONE, greet(alone))
            .with(&GREET_BESIDE, greet(self))
            .with(&GREET_RATIO, greet(self) / greet(alone))
            .with(&SHORT_ALONE, short(alone))
            .with(&SHORT_BESIDE, short(self))
            .with(&SHORT_RATIO, short(self) / short(alone))
    }
}
