//! A request while it is open: what it counts as when it ends.
//!
//! - Invariant: every request is counted once, also one whose caller leaves before the answer.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use reveille_engine::trace::TraceContext;
use reveille_protocol::id::InvocationId;

use crate::metrics::{IngressMetrics, RequestKind, STATUS_CLASSES};
use crate::partition::Partitions;
use crate::traces::{RequestSpan, Tracer, context_of};

/// An open request.
pub(super) struct Seen {
    metrics: Arc<IngressMetrics>,
    begun: Instant,
    kind: RequestKind,
    /// Index into [`STATUS_CLASSES`].
    class: usize,
    status: Option<u16>,
    tracer: Tracer,
    span: Option<RequestSpan>,
}

impl Seen {
    /// Begins to observe a request.
    pub(super) fn new(partitions: &Partitions, headers: &HeaderMap) -> Seen {
        let metrics = Arc::clone(&partitions.metrics().ingress);
        metrics.begun.add(1);
        let class = STATUS_CLASSES.len() - 1;
        let span = partitions.tracer().request(headers);
        let tracer = if span.is_some() { partitions.tracer().clone() } else { Tracer::default() };
        let (begun, kind) = (Instant::now(), RequestKind::Invalid);
        Seen { metrics, begun, kind, class, status: None, tracer, span }
    }

    /// Notes what it is about, once that is known.
    pub(super) fn is_about(&mut self, kind: RequestKind) {
        self.kind = kind;
    }

    /// What it is about.
    pub(super) fn kind(&self) -> RequestKind {
        self.kind
    }

    /// The trace that an invocation of this request continues. Without export that of the caller
    /// passes through.
    pub(super) fn begins(
        &mut self,
        id: InvocationId,
        headers: &HeaderMap,
    ) -> Option<Box<TraceContext>> {
        let context = match &mut self.span {
            Some(span) => {
                span.invocation = Some(id);
                Some(span.context.clone())
            }
            None => context_of(headers),
        };
        context.map(Box::new)
    }

    /// Ends it with an answer.
    pub(super) fn answered(mut self, status: u16) {
        self.status = Some(status);
        self.class = usize::from(status / 100).saturating_sub(2).min(STATUS_CLASSES.len() - 2);
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let kind = self.kind as usize;
        self.metrics.ended[kind][self.class].add(1);
        self.metrics.durations[kind].record_duration(self.begun.elapsed());
        let told = !matches!(
            self.kind,
            RequestKind::Health | RequestKind::Preflight | RequestKind::Invalid
        );
        if let Some(span) = self.span.take().filter(|_| told)
            && let Some(span) = span.end(self.kind.name(), self.status)
        {
            self.tracer.record(span);
        }
    }
}
