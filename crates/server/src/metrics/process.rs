//! Figures of the process, read from `/proc` when somebody asks; absent where there is none.

use std::fs;

/// What the operating system says about this process.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<u64>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) open_fds: Option<u64>,
    pub(super) started_at_seconds: Option<f64>,
}

/// Clock ticks of `/proc/self/stat` in a second: the same on every Linux, whatever the kernel's own.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads the figures.
pub(super) fn read() -> Process {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let system = fs::read_to_string("/proc/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let fds = fs::read_dir("/proc/self/fd").ok();
    Process {
        // One of them reads the directory.
        open_fds: fds.map(|fds| (fds.count() as u64).saturating_sub(1)),
        ..parse(&stat, &system, &status)
    }
}

fn parse(stat: &str, system: &str, status: &str) -> Process {
    // The name of the program may have spaces; it ends with the last parenthesis.
    let fields: Vec<&str> =
        stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    let (user, kernel, started) = (ticks(11), ticks(12), ticks(19));
    let booted_at = number_after(system, "btime ");
    #[allow(clippy::cast_precision_loss, reason = "seconds since the epoch")]
    let started_at = booted_at.zip(started).map(|(at, ticks)| at as f64 + ticks / TICKS_PER_SECOND);
    Process {
        resident_bytes: number_after(status, "VmRSS:").map(|kilobytes| kilobytes * 1024),
        cpu_seconds: user.zip(kernel).map(|(user, kernel)| (user + kernel) / TICKS_PER_SECOND),
        open_fds: None,
        started_at_seconds: started_at,
    }
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_behind_any_name() {
        let stat = "42 (re) ve (ille) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1000 5 6";
        let process = parse(stat, "cpu 1 2\nbtime 1700000000\n", "Name: x\nVmRSS:\t  2048 kB\n");
        let expected = Process {
            resident_bytes: Some(2 << 20),
            cpu_seconds: Some(3.0),
            open_fds: None,
            started_at_seconds: Some(1_700_000_010.0),
        };
        assert_eq!(process, expected);
        assert_eq!(parse("", "", ""), Process::default());
    }
}
