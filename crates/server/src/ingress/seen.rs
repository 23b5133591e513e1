//! A request while it is open: what it counts as when it ends.
//!
//! - Invariant: every request is counted once, also one whose caller leaves before the answer.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::{IngressMetrics, Metrics, RequestKind, STATUS_CLASSES};

/// An open request.
pub(super) struct Seen {
    metrics: Arc<IngressMetrics>,
    begun: Instant,
    kind: RequestKind,
    /// Index into [`STATUS_CLASSES`].
    class: usize,
}

impl Seen {
    /// Begins to observe a request.
    pub(super) fn new(metrics: &Metrics) -> Seen {
        let metrics = Arc::clone(&metrics.ingress);
        metrics.begun.add(1);
        let class = STATUS_CLASSES.len() - 1;
        Seen { metrics, begun: Instant::now(), kind: RequestKind::Invalid, class }
    }

    /// Notes what it is about, once that is known.
    pub(super) fn is_about(&mut self, kind: RequestKind) {
        self.kind = kind;
    }

    /// What it is about.
    pub(super) fn kind(&self) -> RequestKind {
        self.kind
    }

    /// Ends it with an answer.
    pub(super) fn answered(mut self, status: u16) {
        self.class = usize::from(status / 100).saturating_sub(2).min(STATUS_CLASSES.len() - 2);
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let kind = self.kind as usize;
        self.metrics.ended[kind][self.class].add(1);
        self.metrics.durations[kind].record_duration(self.begun.elapsed());
    }
}
