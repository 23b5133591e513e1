//! Metrics: what the parts of the server count, and the page that shows it.
//!
//! ```text
//! ingress, drivers, committer, exporter ──▶ cells (here)   ◀── page: one scrape reads them all
//! ```
//!
//! - Owns: the cells, their names and texts (`page`), the figures of the process (`process`).
//! - Does not own: when something is counted; that is where it happens.
//! - Invariant: every partition has cells of its own, so that threads do not share cache lines; no
//!   label has a value that a caller, handler or key chooses. `docs/observability.md` lists every
//!   metric; a test compares it with a scrape.

pub mod cell;
mod kafka;
mod page;
mod process;
pub mod seldom;

use std::sync::Arc;

pub use self::kafka::KafkaMetrics;

use self::cell::{Counter, DURATION, Gauge, Histogram, SIZE};

pub use page::{CONTENT_TYPE, Scrape};

/// All cells of one server.
#[derive(Debug)]
pub struct Metrics {
    /// Requests at the ingress.
    pub ingress: Arc<IngressMetrics>,
    /// Each partition's own.
    pub partitions: Box<[Arc<PartitionMetrics>]>,
    /// Flushes.
    pub commits: Arc<CommitMetrics>,
    /// Export of traces.
    pub traces: Arc<TraceMetrics>,
    /// Records of topics.
    pub kafka: Arc<KafkaMetrics>,
    /// Commands that had to wait in front of a full mailbox.
    pub mailbox_full: Counter,
}

impl Metrics {
    /// The cells of a partition.
    pub fn partition(&self, number: u16) -> Arc<PartitionMetrics> {
        Arc::clone(&self.partitions[usize::from(number)])
    }

    /// Starts with nothing counted.
    pub fn new(partitions: u16) -> Metrics {
        Metrics {
            ingress: Arc::default(),
            partitions: (0..partitions).map(|_| Arc::default()).collect(),
            commits: Arc::default(),
            traces: Arc::default(),
            kafka: Arc::default(),
            mailbox_full: Counter::default(),
        }
    }
}

/// What a request at the ingress is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Waits for the result.
    Call,
    /// Is answered once it is durable.
    Send,
    /// Waits for a result.
    Attach,
    /// Reads a result.
    Output,
    /// Computes an id.
    Lookup,
    /// Answers an awakeable.
    Complete,
    /// Reads the state of an awakeable.
    Describe,
    /// Readiness.
    Health,
    /// A browser asks what it may do.
    Preflight,
    /// No such path or method.
    Invalid,
}

impl RequestKind {
    /// Every kind with the word of its label.
    pub const ALL: [(RequestKind, &'static str); 10] = [
        (RequestKind::Call, "call"),
        (RequestKind::Send, "send"),
        (RequestKind::Attach, "attach"),
        (RequestKind::Output, "output"),
        (RequestKind::Lookup, "lookup"),
        (RequestKind::Complete, "complete"),
        (RequestKind::Describe, "describe"),
        (RequestKind::Health, "health"),
        (RequestKind::Preflight, "preflight"),
        (RequestKind::Invalid, "invalid"),
    ];

    /// The word of its label.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Classes of statuses; the last one is for requests whose callers left before the answer.
pub const STATUS_CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "left"];

/// Requests at the ingress.
#[derive(Debug)]
pub struct IngressMetrics {
    /// Requests that were begun.
    pub begun: Counter,
    /// By [`RequestKind`] and [`STATUS_CLASSES`].
    pub ended: [[Counter; STATUS_CLASSES.len()]; RequestKind::ALL.len()],
    /// By [`RequestKind`].
    pub durations: [Histogram; RequestKind::ALL.len()],
}

impl Default for IngressMetrics {
    fn default() -> IngressMetrics {
        IngressMetrics {
            begun: Counter::default(),
            ended: Default::default(),
            durations: std::array::from_fn(|_| Histogram::new(&DURATION)),
        }
    }
}

impl IngressMetrics {
    /// Requests that are open.
    pub fn open(&self) -> u64 {
        let ended: u64 = self.ended.iter().flatten().map(Counter::get).sum();
        self.begun.get().saturating_sub(ended)
    }
}

/// Documentation codes of failed attempts; the last one is for those that are not listed.
pub const DOC_CODES: [&str; 12] = [
    "RT0001", "RT0003", "RT0007", "RT0010", "RT0012", "RT0015", "RT0016", "RT0017", "RT0018",
    "RT0019", "RT0023", "other",
];

/// One partition.
#[derive(Debug)]
pub struct PartitionMetrics {
    /// Commands applied.
    pub commands: Counter,
    /// Bytes of rows in each batch that became durable.
    pub batch_size: Histogram,
    /// Batches that did not become durable.
    pub batches_failed: Counter,
    /// Batches on their way to the disk.
    pub batches_in_flight: Gauge,
    /// 1 while it takes commands.
    pub serving: Gauge,
    /// Invocations created.
    pub created: Counter,
    /// Invocations that ended with a value.
    pub completed: Counter,
    /// Invocations that ended with a failure.
    pub failed: Counter,
    /// Invocations that were in flight when the partition was taken over.
    pub recovered: Counter,
    /// Attempts started.
    pub attempts_started: Counter,
    /// Attempts failed, by [`DOC_CODES`].
    pub attempts_failed: [Counter; DOC_CODES.len()],
    /// Attempts that are open.
    pub attempts_open: Gauge,
    /// Attempts that wait for a place.
    pub attempts_waiting: Gauge,
    /// Invocations whose next attempt is timed.
    pub backing_off: Gauge,
    /// From the start of an attempt to the last that was heard of it.
    pub attempt_duration: Histogram,
    /// How long attempts waited that had to wait for a place.
    pub place_wait: Histogram,
    /// How late timers were.
    pub timer_lateness: Histogram,
    /// Messages to other partitions that are not confirmed.
    pub outbox: Gauge,
    /// Waits by [`reveille_engine::wait::WaitKind`] less one.
    pub waits: [Gauge; WAIT_KINDS.len()],
    /// Since when the oldest wait waits, in milliseconds since the epoch; 0 without one.
    pub waits_oldest_since: Gauge,
    /// 1 once the waits that were there at the take-over are counted.
    pub waits_counted: Gauge,
}

/// The words of the kinds of waits, in the order of their numbers.
pub const WAIT_KINDS: [&str; 5] = ["awakeable", "signal", "promise", "timer", "call"];

impl Default for PartitionMetrics {
    fn default() -> PartitionMetrics {
        PartitionMetrics {
            commands: Counter::default(),
            batch_size: Histogram::new(&SIZE),
            batches_failed: Counter::default(),
            batches_in_flight: Gauge::default(),
            serving: Gauge::default(),
            created: Counter::default(),
            completed: Counter::default(),
            failed: Counter::default(),
            recovered: Counter::default(),
            attempts_started: Counter::default(),
            attempts_failed: Default::default(),
            attempts_open: Gauge::default(),
            attempts_waiting: Gauge::default(),
            backing_off: Gauge::default(),
            attempt_duration: Histogram::new(&DURATION),
            place_wait: Histogram::new(&DURATION),
            timer_lateness: Histogram::new(&DURATION),
            outbox: Gauge::default(),
            waits: Default::default(),
            waits_oldest_since: Gauge::default(),
            waits_counted: Gauge::default(),
        }
    }
}

impl PartitionMetrics {
    /// Counts a failed attempt.
    pub fn attempt_failed(&self, doc_code: &str) {
        let other = DOC_CODES.len() - 1;
        let index = DOC_CODES.iter().position(|code| *code == doc_code).unwrap_or(other);
        self.attempts_failed[index].add(1);
    }
}

/// Flushes of the committer.
#[derive(Debug)]
pub struct CommitMetrics {
    /// From the hand-over to the store until everything in it was durable.
    pub duration: Histogram,
}

impl Default for CommitMetrics {
    fn default() -> CommitMetrics {
        CommitMetrics { duration: Histogram::new(&DURATION) }
    }
}

/// Export of traces.
#[derive(Debug, Default)]
pub struct TraceMetrics {
    /// Spans that the collector took.
    pub exported: Counter,
    /// Spans that were lost: the queue was full, or the collector did not take them.
    pub dropped: Counter,
}

#[cfg(test)]
mod tests {
    use reveille_engine::wait::WaitKind;

    use super::*;

    #[test]
    fn labels_follow_the_numbers_of_what_they_name() {
        for (number, name) in (1..).zip(WAIT_KINDS) {
            assert_eq!(WaitKind::from_number(number).map(WaitKind::name), Some(name));
        }
        for (kind, name) in RequestKind::ALL {
            assert_eq!(kind.name(), name);
        }
        let metrics = PartitionMetrics::default();
        metrics.attempt_failed("RT0010");
        metrics.attempt_failed("RT9999");
        let failed: Vec<_> = metrics.attempts_failed.iter().map(Counter::get).collect();
        assert_eq!(failed, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
