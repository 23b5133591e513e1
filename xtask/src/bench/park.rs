//! Parked handlers: parking many, a crash with all of them parked, answering them all.
//!
//! Invariant: it fails unless every handler ends, with the answer meant for it, and nothing is left
//! unfinished at a server that answers queries.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{
    crowd::Crowd,
    figures::{Metric, Row},
    micros,
    stand::{Stand, Turn},
};

static PARKED_PER_SECOND: Metric = Metric::compared("parked_per_second", "parked per second", 0);
static ENDED_PER_SECOND: Metric = Metric::compared("ended_per_second", "ended per second", 0);
pub static CPU_EACH: Metric = Metric::compared("server_cpu_us_each", "server CPU each, us", 0);
pub static RESIDENT_EACH: Metric =
    Metric::compared("resident_bytes_each", "resident memory each, bytes", 0);
pub static DISK_EACH: Metric = Metric::compared("disk_bytes_each", "disk each, bytes", 0);
pub static DISK: Metric = Metric::plain("disk_bytes", "disk, MiB", 1).in_mebi();
/// With its ratio, unlike in the table.
pub static MEMORY: Metric = Metric::compared("resident_bytes", "resident memory, MiB", 1).in_mebi();
pub static HEALTHY: Metric = Metric::compared("healthy_ms", "start to healthy, ms", 0);
static ACCEPTED: Metric =
    Metric::compared("first_answer_accepted_ms", "start to first answer accepted, ms", 0);
static FIRST_END: Metric = Metric::compared("first_end_ms", "start to first handler ended, ms", 0);
pub static RESIDENT_PEAK: Metric =
    Metric::plain("resident_bytes_peak", "peak of resident memory, MiB", 1).in_mebi();
static REPEATED: Metric = Metric::plain("repeated", "attempts repeated after the answer", 0);
static UNFINISHED: Metric = Metric::plain("unfinished", "unfinished in the end", 0);

/// The longest wait for a server to know that its last handlers have ended.
const FINISH_TIME_MAX: Duration = Duration::from_secs(20);
const FINISH_POLL: Duration = Duration::from_millis(100);

/// What a server occupies.
pub struct Footprint {
    resident: u64,
    disk: u64,
}

impl Footprint {
    /// Reads it once the server is quiet.
    pub async fn of(stand: &Stand) -> Result<Self> {
        stand.settle().await?;
        Self::now(stand)
    }

    /// Reads it whatever the server does.
    pub fn now(stand: &Stand) -> Result<Self> {
        let resident = stand.server.resident_bytes()?;
        Ok(Self { resident, disk: stand.directory.occupied_bytes()? })
    }

    /// Adds how much more this is than before, for each of `count`; and all of it.
    pub fn add_to(&self, row: Row, before: &Self, count: usize) -> Row {
        let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / count as f64;
        row.with(&RESIDENT_EACH, each(self.resident, before.resident))
            .with(&DISK_EACH, each(self.disk, before.disk))
            .with(&MEMORY, self.resident as f64)
            .with(&DISK, self.disk as f64)
    }
}

/// Parks, crashes and drains.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let (count, connections) = (turn.options.count, turn.options.connections_max());
    let mut stand = turn.start().await?;
    let mut crowd = Crowd::new(turn.target(&stand));
    let before = Footprint::of(&stand).await?;
    let cpu_before = stand.server.cpu_time()?;
    let elapsed = crowd.park(count, connections).await?;
    let footprint = Footprint::of(&stand).await?;
    let cpu = stand.server.cpu_time()?.saturating_sub(cpu_before);
    let row = Row::new("park", count as u64)
        .with(&PARKED_PER_SECOND, count as f64 / elapsed.as_secs_f64())
        .with(&CPU_EACH, micros(cpu) / count as f64);
    let mut rows = vec![footprint.add_to(row, &before, count)];
    rows.push(restart(&mut stand, &mut crowd).await?);
    rows.push(drain(&stand, crowd, connections).await?);
    Ok(rows)
}

async fn restart(stand: &mut Stand, crowd: &mut Crowd) -> Result<Row> {
    let (begin, healthy) = stand.crash().await?;
    let accepted = crowd.answer_first().await?;
    let (accepted, ended) = (accepted.saturating_duration_since(begin), begin.elapsed());
    Ok(Row::new("restart", crowd.len() as u64)
        .with(&HEALTHY, millis(healthy))
        .with(&ACCEPTED, millis(accepted))
        .with(&FIRST_END, millis(ended)))
}

async fn drain(stand: &Stand, mut crowd: Crowd, connections: usize) -> Result<Row> {
    let count = crowd.len();
    let cpu_before = stand.server.cpu_time()?;
    let elapsed = crowd.answer_others(connections).await?;
    let begin = Instant::now();
    let unfinished = loop {
        let unfinished = stand.unfinished().await?;
        if unfinished.unwrap_or_default() == 0 || begin.elapsed() > FINISH_TIME_MAX {
            break unfinished;
        }
        tokio::time::sleep(FINISH_POLL).await;
    };
    ensure!(unfinished.unwrap_or_default() == 0, "{unfinished:?} handlers never ended");
    stand.settle().await?;
    crowd.take_late_ends()?;
    let cpu = stand.server.cpu_time()?.saturating_sub(cpu_before);
    let answered = count.saturating_sub(1).max(1) as f64;
    Ok(Row::new("drain", count as u64)
        .with(&ENDED_PER_SECOND, answered / elapsed.as_secs_f64())
        .with(&CPU_EACH, micros(cpu) / answered)
        .with(&MEMORY, stand.server.resident_bytes()? as f64)
        .with(&RESIDENT_PEAK, stand.server.resident_bytes_peak()? as f64)
        .with(&REPEATED, crowd.repeated() as f64)
        .with_optional(&UNFINISHED, unfinished.map(|unfinished| unfinished as f64)))
}

/// In milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
