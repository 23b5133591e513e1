//! What the disk alone costs: the time of one durable 4 KiB append.
//!
//! No durable server can answer faster than this, so it stands beside every result.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

const APPENDS: usize = 300;

/// Returns the median time of an append and fdatasync in `directory`.
pub fn fdatasync_p50(directory: &Path) -> Result<Duration> {
    let path = directory.join("floor");
    let mut file = File::create(&path)?;
    let page = [0x5a_u8; 4096];
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let start = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[APPENDS / 2])
}
