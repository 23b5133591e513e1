//! A server that does nothing: how soon it answers, what it occupies.

use std::time::Instant;

use anyhow::Result;

use super::{
    figures::{Metric, Row},
    park::{DISK, MEMORY, millis},
    stand::Turn,
};

static FIRST_CALL: Metric =
    Metric::compared("first_call_ms", "start to first answered call, ms", 0);
static PROGRAM: Metric = Metric::compared("program_bytes", "size of the program, MiB", 1).in_mebi();
static CPU: Metric = Metric::plain("server_cpu_ms", "server CPU until it is quiet, ms", 0);

/// Starts a server over an empty directory, calls once, and waits until it is quiet.
pub async fn measure(turn: Turn<'_>) -> Result<Vec<Row>> {
    let begin = Instant::now();
    let stand = turn.start().await?;
    let first_call = begin.elapsed();
    stand.settle().await?;
    Ok(vec![
        Row::new("idle", 1)
            .with(&FIRST_CALL, millis(first_call))
            .with(&MEMORY, stand.server.resident_bytes()? as f64)
            .with(&PROGRAM, stand.server.program_bytes()? as f64)
            .with(&DISK, stand.directory.occupied_bytes()? as f64)
            .with(&CPU, millis(stand.server.cpu_time()?)),
    ])
}
