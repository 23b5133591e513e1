//! Whether the server falls behind with what it was asked to do.
//!
//! While many requests are open, a probe goes the way of a call again and again: into the mailbox of a
//! partition and back. A handler that takes its time does not delay it; work that queues does. A burst is
//! taken as it comes, but a queue that stands makes everything slower, and calls dearer: they and what
//! belongs to them have left the caches when their turn comes. Then only so much is let in that the queue
//! stays short, until it is short by itself.
//!
//! ```text
//!         delay > 100 ms for 200 ms: the limit is 512 requests
//! level ────────────────────────────────────────────────────────▶ behind, after each probe:
//!       ◀────────────────────────────────────────────────────────   delay > 5 ms: the limit falls by 1/8
//!         the limit is back at what may be open in any case,        otherwise:    it grows by 1/16
//!         or fewer than 512 requests were open for 1 s
//! ```
//!
//! - Owns: the probe, the two states, and the limit.
//! - Does not own: how many requests may be open in any case ([`super::intake`]).
//! - Invariant: nothing is refused while fewer than [`limits::OVERLOAD_REQUESTS_MIN`] requests are open,
//!   and there is at most one probe.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};
use tracing::{info, warn};

use crate::limits;
use crate::partition::Partitions;

/// What is known about the delay; clones share it.
#[derive(Clone, Debug)]
pub struct Overload {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    watch: Mutex<Watch>,
    /// The partition that the next probe goes to; they take turns.
    next: AtomicU16,
}

impl Overload {
    /// Begins with a level queue, when `max` requests may be open.
    pub fn new(max: usize) -> Overload {
        let watch = Mutex::new(Watch::new(max));
        Overload { shared: Arc::new(Shared { watch, next: AtomicU16::new(0) }) }
    }

    /// Tells whether a request is refused, while so many are `open`; sends a probe if it is time.
    pub fn refuses(&self, open: usize, partitions: &Partitions) -> bool {
        if open < limits::OVERLOAD_REQUESTS_MIN {
            return false;
        }
        let now = Instant::now();
        let mut watch = self.watch();
        if watch.begin_probe(now) {
            tokio::spawn(self.clone().probe(now, partitions.clone()));
        }
        watch.refuses(now, open)
    }

    async fn probe(self, begun: Instant, partitions: Partitions) {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        partitions.probe(number % partitions.count()).await;
        let now = Instant::now();
        self.watch().end_probe(now, now - begun);
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The delay and what follows from it.
#[derive(Debug)]
struct Watch {
    /// What may be open in any case.
    max: usize,
    /// What may be open now, while the server is behind.
    limit: Option<usize>,
    /// When the probe that is under way was sent.
    begun: Option<Instant>,
    ended: Option<Instant>,
    /// Since when the queue stands.
    standing: Option<Instant>,
}

impl Watch {
    fn new(max: usize) -> Watch {
        Watch { max, limit: None, begun: None, ended: None, standing: None }
    }

    /// Returns true if a probe is to be sent now.
    fn begin_probe(&mut self, now: Instant) -> bool {
        let rested = self.ended.is_none_or(|ended| now - ended >= limits::OVERLOAD_PROBE_PAUSE);
        if self.begun.is_some() || !rested {
            return false;
        }
        self.begun = Some(now);
        if self.ended.is_some_and(|ended| now - ended >= limits::OVERLOAD_OVER) {
            // So few requests were open meanwhile that none was sent: nothing is left of a queue.
            self.standing = None;
            if self.limit.is_some() {
                self.limit_to(self.max);
            }
        }
        true
    }

    fn end_probe(&mut self, now: Instant, delay: Duration) {
        (self.begun, self.ended) = (None, Some(now));
        let Some(limit) = self.limit else { return self.look(now, delay) };
        let limit = match delay > limits::OVERLOAD_DELAY_KEPT {
            true => limit - limit / 8,
            false => limit + limit / 16,
        };
        self.limit_to(limit);
    }

    fn refuses(&mut self, now: Instant, open: usize) -> bool {
        if let Some(begun) = self.begun
            && self.limit.is_none()
        {
            // It says that the delay is longer than that even before it is back.
            self.look(now, now - begun);
        }
        self.limit.is_some_and(|limit| open >= limit)
    }

    fn limit_to(&mut self, limit: usize) {
        self.limit = (limit < self.max).then_some(limit.max(limits::OVERLOAD_REQUESTS_MIN));
        if self.limit.is_none() {
            info!("no longer behind: calls and sends are taken as they come");
        }
    }

    /// Looks whether a level queue stands.
    fn look(&mut self, now: Instant, delay: Duration) {
        if delay > limits::OVERLOAD_DELAY_MAX {
            let standing = *self.standing.get_or_insert(now);
            if now - standing >= limits::OVERLOAD_STANDING {
                let delay_ms = delay.as_millis();
                warn!(
                    delay_ms,
                    "falling behind: calls and sends are refused to keep the queue short"
                );
                (self.limit, self.standing) = (Some(limits::OVERLOAD_REQUESTS_MIN), None);
            }
        } else if self.begun.is_none() {
            self.standing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_queue_that_stands_is_kept_short() {
        let mut watch = Watch::new(600);
        let begin = Instant::now();
        // At a time a probe comes back after some delay; what the limit is then.
        for (at, delay, limit) in [
            (0, 1, None),
            (500, 400, None),
            // A burst: soon it is over.
            (600, 90, None),
            (1000, 101, None),
            (1199, 300, None),
            (1200, 300, Some(512)),
            (1210, 6, Some(512)),
            (1220, 5, Some(544)),
            (1230, 5, Some(578)),
            (1240, 6, Some(512)),
            (1250, 0, Some(544)),
            (1260, 0, Some(578)),
            // As many as ever.
            (1270, 0, None),
            (1280, 50, None),
        ] {
            let now = begin + ms(at);
            watch.end_probe(now, ms(delay));
            assert_eq!(watch.limit, limit, "at {at} ms");
            for open in [512, 543, 544, 578, 600] {
                let refuses = limit.is_some_and(|limit| open >= limit);
                assert_eq!(watch.refuses(now, open), refuses, "{open} at {at} ms");
            }
        }
    }

    #[test]
    fn a_probe_that_is_not_back_counts() {
        let mut watch = Watch::new(600);
        let begin = Instant::now();
        assert!(watch.begin_probe(begin));
        for (at, refuses) in [(100, false), (101, false), (300, false), (301, true), (400, true)] {
            let now = begin + ms(at);
            assert!(!watch.begin_probe(now), "one at a time");
            assert_eq!(watch.refuses(now, 512), refuses, "at {at} ms");
        }
        watch.end_probe(begin + ms(402), ms(402));
        assert!(!watch.begin_probe(begin + ms(406)), "after a pause");
        assert!(watch.begin_probe(begin + ms(407)));
        assert_eq!(watch.limit, Some(512));
        watch.end_probe(begin + ms(408), ms(1));
        assert!(watch.begin_probe(begin + ms(1407)));
        assert_eq!(watch.limit, Some(544), "still");
        watch.end_probe(begin + ms(1408), ms(1));
        assert!(watch.begin_probe(begin + ms(2408)));
        assert_eq!(watch.limit, None, "nothing queued for a second");
    }

    #[test]
    fn what_stood_before_a_pause_does_not_count() {
        let mut watch = Watch::new(600);
        let begin = Instant::now();
        watch.end_probe(begin, ms(101));
        assert!(watch.begin_probe(begin + ms(1000)));
        for (at, refuses) in [(1101, false), (1300, false), (1301, true)] {
            assert_eq!(watch.refuses(begin + ms(at), 512), refuses, "at {at} ms");
        }
    }
}
