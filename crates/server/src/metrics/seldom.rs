//! Lines that are worth writing, but not a thousand times a second.

use std::time::{Duration, Instant};

use std::sync::atomic::{AtomicU64, Ordering};

/// Lets one line through per interval and counts the others.
#[derive(Debug)]
pub struct Seldom {
    begun: Instant,
    /// Milliseconds after `begun` at which the next line may be written.
    next_ms: AtomicU64,
    kept_back: AtomicU64,
}

/// Pause between two lines about the same thing.
const INTERVAL: Duration = Duration::from_secs(10);

impl Default for Seldom {
    fn default() -> Seldom {
        Seldom { begun: Instant::now(), next_ms: AtomicU64::new(0), kept_back: AtomicU64::new(0) }
    }
}

impl Seldom {
    /// Returns how many lines were kept back since the last one if a line may be written now.
    pub fn allow(&self, now: Instant) -> Option<u64> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now_ms = milliseconds(now.saturating_duration_since(self.begun));
        let next_ms = self.next_ms.load(Ordering::Relaxed);
        let after = now_ms + milliseconds(INTERVAL);
        let relaxed = Ordering::Relaxed;
        if now_ms < next_ms
            || self.next_ms.compare_exchange(next_ms, after, relaxed, relaxed).is_err()
        {
            self.kept_back.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.kept_back.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_interval() {
        let seldom = Seldom::default();
        let at = |seconds| seldom.begun + Duration::from_secs(seconds);
        let table = [(0, Some(0)), (0, None), (9, None), (10, Some(2)), (11, None), (40, Some(1))];
        for (seconds, expected) in table {
            assert_eq!(seldom.allow(at(seconds)), expected, "after {seconds} s");
        }
    }
}
