//! How often any server flushes: the system calls themselves, counted by `strace`.
//!
//! Owns the tracer, which ends with [`Count`]. Nothing timed may happen meanwhile: every flush stops
//! the process twice.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{process::Server, workspace};

/// The longest wait until all threads of the server are traced.
const ATTACH_TIME_MAX: Duration = Duration::from_secs(10);
const ATTACH_POLL: Duration = Duration::from_millis(5);

/// A tracer that counts.
pub struct Count {
    tracer: Child,
    trace: PathBuf,
}

impl Count {
    /// Begins to count the flushes of a server, with a file in `directory`.
    pub async fn attach(server: &Server, directory: &Path) -> Result<Self> {
        let trace = directory.join("flushes.trace");
        let process = server.process_id();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=fdatasync,fsync", "-p", &process.to_string()]);
        command.arg("-o").arg(&trace);
        let tracer = command.spawn().context("--count-flushes needs strace")?;
        let mut count = Self { tracer, trace };
        let begin = Instant::now();
        while !is_traced(process)? {
            if let Some(status) = count.tracer.try_wait()? {
                bail!("strace ended: {status}");
            }
            if begin.elapsed() > ATTACH_TIME_MAX {
                bail!("strace did not attach to the server in {} s", ATTACH_TIME_MAX.as_secs());
            }
            tokio::time::sleep(ATTACH_POLL).await;
        }
        Ok(count)
    }

    /// Stops counting and returns the number of flushes.
    pub fn finish(mut self) -> Result<usize> {
        // On an interrupt it detaches, which leaves the server as it was.
        let mut interrupt = Command::new("kill");
        interrupt.args(["-INT", &self.tracer.id().to_string()]);
        workspace::run(interrupt)?;
        self.tracer.wait()?;
        let trace = fs::read_to_string(&self.trace)?;
        fs::remove_file(&self.trace)?;
        Ok(count(&trace))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.tracer.kill();
        let _ = self.tracer.wait();
    }
}

/// Whether every thread of a process has a tracer.
fn is_traced(process: u32) -> Result<bool> {
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread that has ended meanwhile needs none.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        if status.lines().any(|line| line == "TracerPid:\t0") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Counts the calls in a trace; the line on which one that took long is resumed is no call.
fn count(trace: &str) -> usize {
    let calls = trace.lines().filter_map(|line| line.split_whitespace().nth(1));
    calls.filter(|call| call.starts_with("fdatasync(") || call.starts_with("fsync(")).count()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn calls_of_a_trace() {
        let rows = [
            ("", 0),
            ("12 fdatasync(7)                    = 0\n", 1),
            (
                "12 fdatasync(7 <unfinished ...>\n13 fsync(8) = 0\n12 <... fdatasync resumed>) = 0\n",
                2,
            ),
            ("12 +++ exited with 0 +++\n", 0),
        ];
        for (trace, calls) in rows {
            assert_eq!(count(trace), calls, "{trace:?}");
        }
    }
}
