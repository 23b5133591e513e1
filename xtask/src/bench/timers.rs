//! Timers: many delayed sends that are due at the same moment.
//!
//! Lateness is measured in the handler, against a moment that was fixed before the first send. A
//! server counts the delay from when it reads the request, so a figure contains the way there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    figures::{Metric, Row},
    micros,
    park::{CPU_EACH, millis},
    posts::{Post, post_all},
    scenario::SERVICE,
    service::{Event, TICK},
    stand::{Turn, within},
    statistics::quantile,
};

static LATENESS_P50: Metric = Metric::compared("lateness_p50_ms", "lateness p50, ms", 1);
static LATENESS_P99: Metric = Metric::compared("lateness_p99_ms", "lateness p99, ms", 1);
static LATENESS_MAX: Metric = Metric::compared("lateness_max_ms", "lateness of the last, ms", 1);

/// Time for all sends to be accepted: a server that takes 625 a second just makes it.
const LEAD: Duration = Duration::from_secs(8);
/// The longest wait for all timers, from the moment on that they are due.
const LATENESS_TIME_MAX: Duration = Duration::from_secs(60);

/// Sends with a delay, waits for all and returns how late they were.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let count = turn.options.timers;
    let stand = turn.start().await?;
    let target = turn.target(&stand);
    let (sender, mut events) = unbounded_channel();
    let channel = target.channels.register(sender);
    stand.settle().await?;
    let cpu_before = stand.server.cpu_time()?;
    let due = Instant::now() + LEAD;
    let send = move |number| {
        // Rounded up: to be early is never the request's fault.
        let delay = due.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        let path = format!("/{SERVICE}/{TICK}/send?delay={delay}ms");
        let body = Bytes::from(format!("{channel}:{number}"));
        Post { path, body, idempotency_key: None }
    };
    post_all(&target, 0..count, turn.options.connections_max(), send).await?;
    let left = due.saturating_duration_since(Instant::now());
    ensure!(!left.is_zero(), "the sends took longer than {} s: fewer --timers", LEAD.as_secs());
    let all = collect(&mut events, count, due);
    let lateness = within(left + LATENESS_TIME_MAX, "not every timer came up", all).await?;
    let cpu = stand.server.cpu_time()?.saturating_sub(cpu_before);
    let share = |share| quantile(&lateness, share).map(millis);
    Ok(vec![
        Row::new("timers", count as u64)
            .with_optional(&LATENESS_P50, share(0.50))
            .with_optional(&LATENESS_P99, share(0.99))
            .with_optional(&LATENESS_MAX, share(1.0))
            .with(&CPU_EACH, micros(cpu) / count as f64),
    ])
}

/// Waits until every handler has run, and returns how late they were, sorted.
async fn collect(
    events: &mut UnboundedReceiver<Event>,
    count: usize,
    due: Instant,
) -> Result<Vec<Duration>> {
    let mut lateness = vec![None; count];
    let mut missing = count;
    while missing > 0 {
        let event = events.recv().await.context("the endpoint is gone")?;
        ensure!(event.at >= due, "a timer came up {:?} early", due - event.at);
        let number = event.number().context("an event without a number")?;
        // A repeated attempt is no second timer.
        if lateness[number].is_none() {
            lateness[number] = Some(event.at - due);
            missing -= 1;
        }
    }
    let mut lateness: Vec<Duration> = lateness.into_iter().flatten().collect();
    lateness.sort_unstable();
    Ok(lateness)
}
