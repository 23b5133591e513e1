//! Traces: spans of requests, invocations and attempts, exported with OTLP over HTTP.
//!
//! ```text
//! caller ─▶ request (server) ─▶ invocation ─▶ attempt ─▶ what the handler traces
//!                                               └─▶ invocation of a call ─▶ attempt ...
//! ```
//!
//! The context is stored with the invocation ([`reveille_engine::trace`]) and the ids of its spans are
//! derived from its own, so a trace goes on after a restart. A span is told when it ends.
//! - Owns: what is sampled ([`Tracer`]), the spans ([`span`]), their encoding ([`otlp`]) and export
//!   (`export`).
//! - Does not own: log lines, which are called tracing, too.
//! - Invariant: switched off it costs a look at an empty pointer; switched on it never makes anybody
//!   wait: a span that finds the queue full is dropped and counted.

mod export;
pub mod otlp;
pub mod span;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use reveille_engine::trace::TraceContext;
use reveille_protocol::id::InvocationId;
use tokio::sync::mpsc;

use self::span::{Attribute, Span, SpanKind, Value, now_ns};
use crate::config::TracingConfig;
use crate::ingress::random;
use crate::limits;
use crate::metrics::TraceMetrics;
use crate::tls::client::ClientTls;

pub use export::{ExportError, Exporting};

/// Decides what is recorded and takes spans. Clones share it; the default is off.
#[derive(Clone, Debug, Default)]
pub struct Tracer {
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    spans: mpsc::Sender<Span>,
    metrics: Arc<TraceMetrics>,
    /// Of 2^56 traces that begin here, so many are recorded.
    recorded_of_2_56: u64,
}

/// W3C trace flags: the trace is recorded.
const SAMPLED: u32 = 1;
/// W3C trace flags: at least 56 bits of the trace id are random.
const RANDOM: u32 = 2;

impl Tracer {
    /// Makes the tracer that the settings ask for, and the task that exports what it takes; neither
    /// when they ask for none. Must be called within a runtime.
    pub fn start(
        config: &TracingConfig,
        tls: &ClientTls,
        metrics: &Arc<TraceMetrics>,
    ) -> Result<(Tracer, Option<Exporting>), ExportError> {
        let Some(endpoint) = &config.endpoint else { return Ok((Tracer::default(), None)) };
        let (spans, receiver) = mpsc::channel(limits::SPANS_WAITING);
        let exporting = export::start(config, endpoint, tls, Arc::clone(metrics), receiver)?;
        let recorded_of_2_56 = threshold(config.sampling_ratio);
        let inner = Inner { spans, metrics: Arc::clone(metrics), recorded_of_2_56 };
        Ok((Tracer { inner: Some(Arc::new(inner)) }, Some(exporting)))
    }

    /// True when spans are exported.
    pub fn is_on(&self) -> bool {
        self.inner.is_some()
    }

    /// Takes a span that has ended.
    pub fn record(&self, span: Span) {
        if let Some(inner) = &self.inner
            && inner.spans.try_send(span).is_err()
        {
            inner.metrics.dropped.add(1);
        }
    }

    /// Begins the span of a request: in the trace of its caller, else in one of its own. `None` when
    /// nothing is exported.
    pub fn request(&self, headers: &HeaderMap) -> Option<RequestSpan> {
        let inner = self.inner.as_deref()?;
        let id = random::placement_and_random().0.max(1);
        let (context, caller) = match context_of(headers) {
            Some(context) if context.is_sampled() => {
                let caller = context.parent;
                (TraceContext { parent: id, recorded: true, ..context }, caller)
            }
            // Whoever began the trace does not want it: it passes through.
            Some(context) => (context, 0),
            None => (inner.root(id), 0),
        };
        Some(RequestSpan { context, caller, started_at_ns: now_ns(), invocation: None })
    }
}

impl Inner {
    /// Begins a trace. One that is not recorded is passed on all the same, so that handlers do not
    /// begin traces of their own that lack their root.
    fn root(&self, span: u64) -> TraceContext {
        let random = random::placement_and_random().1.max(1);
        let trace_id = Bytes::copy_from_slice(&random.to_be_bytes());
        #[allow(clippy::cast_possible_truncation, reason = "the 56 random bits of W3C")]
        let recorded = (random as u64 & ((1 << 56) - 1)) < self.recorded_of_2_56;
        let flags = if recorded { SAMPLED | RANDOM } else { RANDOM };
        TraceContext { trace_id, parent: span, flags, state: String::new(), recorded }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a ratio is between 0 and 1"
)]
fn threshold(ratio: f64) -> u64 {
    (ratio * (1_u64 << 56) as f64) as u64
}

/// Reads the trace context of a caller; an invalid one counts as absent.
pub fn context_of(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::parse(text("traceparent")?, text("tracestate"))
}

/// The span of a request that is not answered yet.
#[derive(Debug)]
pub struct RequestSpan {
    /// What the request continues: its parent is this span, when that is recorded.
    pub context: TraceContext,
    caller: u64,
    started_at_ns: u64,
    /// The invocation that it is about, once that is known.
    pub invocation: Option<InvocationId>,
}

impl RequestSpan {
    /// Ends it now. `status` is `None` when the caller left before the answer.
    pub fn end(self, kind: &str, status: Option<u16>) -> Option<Span> {
        if !self.context.recorded {
            return None;
        }
        let mut attributes = Vec::with_capacity(2);
        attributes.extend(self.invocation.map(span::invocation));
        if let Some(status) = status {
            let status = Value::Number(status.into());
            attributes.push(Attribute("http.response.status_code", status));
        }
        Some(Span {
            trace_id: self.context.trace_id,
            id: self.context.parent,
            parent: self.caller,
            state: self.context.state,
            name: format!("ingress {kind}"),
            kind: SpanKind::Server,
            started_at_ns: self.started_at_ns,
            ended_at_ns: now_ns(),
            attributes,
            failed: status.is_none_or(|status| status >= 500),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(ratio: f64, len: usize) -> (Tracer, mpsc::Receiver<Span>, Arc<TraceMetrics>) {
        let (spans, receiver) = mpsc::channel(len);
        let metrics = Arc::new(TraceMetrics::default());
        let recorded_of_2_56 = threshold(ratio);
        let inner = Inner { spans, metrics: Arc::clone(&metrics), recorded_of_2_56 };
        (Tracer { inner: Some(Arc::new(inner)) }, receiver, metrics)
    }

    fn headers(flags: &str) -> HeaderMap {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        HeaderMap::from_iter([(
            http::HeaderName::from_static("traceparent"),
            parent.parse().expect("a header"),
        )])
    }

    #[test]
    fn whoever_begins_a_trace_decides_whether_it_is_recorded() {
        let (none, _, _) = tracer(0.0, 1);
        let (all, _, _) = tracer(1.0, 1);
        for tracer in [&none, &all] {
            let sampled = tracer.request(&headers("01")).expect("it is on");
            assert!(sampled.context.recorded);
            assert_ne!(sampled.context.parent, 0xb7ad_6b71_6920_3331, "a span of ours");
            assert_eq!(sampled.caller, 0xb7ad_6b71_6920_3331);
            let other = tracer.request(&headers("00")).expect("it is on");
            assert_eq!(Some(other.context.clone()), context_of(&headers("00")), "it passes");
            assert_eq!(other.end("call", Some(200)), None);
        }
        for (tracer, recorded, flags) in [(&none, false, 2), (&all, true, 3)] {
            let root = tracer.request(&HeaderMap::new()).expect("it is on");
            assert_eq!((root.context.recorded, root.context.flags), (recorded, flags));
            assert_eq!(root.end("call", Some(200)).is_some(), recorded);
        }
        let (half, _, _) = tracer(0.5, 1);
        let recorded = |_: &i32| half.request(&HeaderMap::new()).expect("on").context.recorded;
        let recorded = (0..1000).filter(recorded).count();
        assert!((350..650).contains(&recorded), "{recorded} of 1000");
        assert!(Tracer::default().request(&headers("01")).is_none());
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (tracer, mut queue, metrics) = tracer(1.0, 2);
        for status in [200, 404, 503] {
            let request = tracer.request(&HeaderMap::new()).expect("it is on");
            tracer.record(request.end("call", Some(status)).expect("it is recorded"));
        }
        assert_eq!(metrics.dropped.get(), 1);
        let first = queue.try_recv().expect("a span");
        assert_eq!((first.name.as_str(), first.parent, first.failed), ("ingress call", 0, false));
    }
}
