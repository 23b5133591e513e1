//! Traces from the caller through invocations and attempts, over restarts, to a collector.

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod world;

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prost::Message;
use reveille_engine::keys;
use reveille_engine::record::{self, InvocationRecord};
use reveille_server::config::{ServerConfig, TracingConfig};
use reveille_server::traces::otlp::{Any, ExportTraceServiceRequest, OtlpSpan};
use reveille_store::memory::MemoryStore;
use reveille_store::{PartitionId, Store};
use tokio::net::TcpListener;

use world::{World, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A stand-in for a collector: keeps what it is sent, after refusing as often as it is told.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<OtlpSpan>>>,
    refusals: Arc<AtomicUsize>,
    port: u16,
}

impl Collector {
    async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let collector = Collector { port, ..Collector::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let collector = serving.clone();
                let service = service_fn(move |request| collector.clone().take(request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), service));
            }
        });
        collector
    }

    async fn take(
        self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Full<Bytes>>, Infallible> {
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
        assert_eq!(request.headers()["x-key"], "of the collector");
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let refused = self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if refused.is_ok() {
            let refusal = http::Response::builder().status(503).body(Full::default());
            return Ok(refusal.expect("a response"));
        }
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
        for of_resource in request.resource_spans {
            let name = &of_resource.resource.expect("a resource").attributes[0];
            assert_eq!(name.key, "service.name");
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().expect("not poisoned").extend(spans);
        }
        Ok(http::Response::new(Full::default()))
    }

    fn config(&self) -> ServerConfig {
        let mut config = ServerConfig {
            tracing: TracingConfig {
                endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
                headers: vec![("x-key".to_owned(), "of the collector".to_owned())],
                ..TracingConfig::default()
            },
            ..ServerConfig::default()
        };
        config.defaults.retry.initial_interval_ms = 1;
        config
    }

    fn spans(&self) -> Vec<OtlpSpan> {
        self.spans.lock().expect("not poisoned").clone()
    }

    /// The spans with a name, in the order of their start.
    fn named(&self, name: &str) -> Vec<OtlpSpan> {
        let mut spans = self.spans();
        spans.retain(|span| span.name == name);
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// Checks that all spans are of one trace, each once and below another one or the caller.
    fn check_tree(&self) {
        let spans = self.spans();
        for span in &spans {
            assert_eq!(hex(&span.trace_id), TRACE, "{span:?}");
            assert_eq!(span.trace_state, "a=1", "{span:?}");
            let same = spans.iter().filter(|other| other.span_id == span.span_id).count();
            assert_eq!(same, 1, "{span:?}");
            let of_caller = hex(&span.parent_span_id) == CALLER;
            let of_ours = spans.iter().any(|other| other.span_id == span.parent_span_id);
            assert!(of_caller || of_ours, "an orphan: {span:?}\nof {spans:?}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &OtlpSpan, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Any::Text(text) => Some(text),
        Any::Number(number) => Some(number.to_string()),
    }
}

fn headers() -> [(&'static str, &'static str); 3] {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    [("content-type", "text/plain"), ("traceparent", parent), ("tracestate", "a=1")]
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_caller_to_the_last_callee() {
    let collector = Collector::start().await;
    let world = World::start(MemoryStore::new(2), collector.config()).await;
    let answer = world.post_with("/chain/a/link", "2", &headers()).await;
    assert_eq!((answer.status, answer.text()), (200, "210"));
    world.server.stop().await;

    collector.check_tree();
    let [request] = &collector.named("ingress call")[..] else { panic!("one request") };
    assert_eq!((hex(&request.parent_span_id).as_str(), request.kind), (CALLER, 2));
    assert_eq!(attribute(request, "http.response.status_code").as_deref(), Some("200"));
    let invocations = collector.named("invoke chain/link");
    let attempts = collector.named("attempt chain/link");
    assert_eq!(invocations.len(), 3);
    let id = "reveille.invocation.id";
    let first = invocations.iter().find(|span| span.parent_span_id == request.span_id);
    let first = first.expect("an invocation below the request");
    assert_eq!(attribute(first, id), attribute(request, id));
    for attempt in &attempts {
        let of = invocations.iter().find(|span| span.span_id == attempt.parent_span_id);
        let of = of.expect("an attempt belongs to an invocation");
        assert_eq!(attribute(of, id), attribute(attempt, id));
    }
    // Each is called by an attempt of the one before; the last one calls nobody.
    let callee = |caller: &OtlpSpan| {
        let by = attempts.iter().filter(|attempt| attempt.parent_span_id == caller.span_id);
        let by: Vec<_> = by.map(|attempt| &attempt.span_id).collect();
        invocations.iter().find(|span| by.contains(&&span.parent_span_id))
    };
    let second = callee(first).expect("a callee");
    let third = callee(second).expect("a callee of the callee");
    assert_eq!(callee(third), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_another_attempt_and_a_failure_is_told_without_its_text() {
    let collector = Collector::start().await;
    collector.refusals.store(1, Ordering::SeqCst);
    let world = World::start(MemoryStore::new(1), collector.config()).await;
    assert_eq!(world.post_with("/flaky/again", "payload", &headers()).await.text(), "payload");
    assert_eq!(world.post_with("/flaky/never", "payload", &headers()).await.status, 418);
    // The first try is refused; the second one takes all of them.
    eventually(async || collector.spans().len() >= 7).await;
    world.server.stop().await;

    collector.check_tree();
    let told = |span: &OtlpSpan| {
        let value = |key| attribute(span, key).unwrap_or_default();
        (value("reveille.attempt"), value("reveille.outcome"), value("error.type"))
    };
    let attempts: Vec<_> = collector.named("attempt flaky/again").iter().map(told).collect();
    let text = |(number, outcome, error): (&str, &str, &str)| {
        (number.to_owned(), outcome.to_owned(), error.to_owned())
    };
    let expected = [("1", "failed", "RT0007"), ("2", "completed", "")].map(text);
    assert_eq!(attempts, expected);
    let [failed] = &collector.named("invoke flaky/never")[..] else { panic!("one invocation") };
    assert_eq!(attribute(failed, "error.type").as_deref(), Some("418"));
    assert_eq!(failed.status.as_ref().map(|status| status.code), Some(2));
    assert!(!format!("{:?}", collector.spans()).contains("payload"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_after_a_restart() {
    let collector = Collector::start().await;
    let store = MemoryStore::new(1);
    let disk = store.control();
    let world = World::start(store, collector.config()).await;
    let sent = world.post_with("/reviews/one/ask/send", "x", &headers()).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    let awakeable = world.review("one").await;
    eventually(async || world.admin("/waits").await.text().contains("reviews")).await;
    let sent = world.post_with("/gate/pass/send", "x", &headers()).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    world.at_gate().await;
    disk.crash();
    let world = world.restart(disk.reopen(), collector.config()).await;
    world.open_gate();
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    assert_eq!(world.post_with(&path, "yes", &headers()).await.status, 202);
    assert_eq!(world.attach("one").await.text(), "yes");
    // The first server exports what it had when it is gone; the second one when it stops.
    eventually(async || collector.named("ingress send").len() == 2).await;
    eventually(async || !collector.named("attempt reviews/ask").is_empty()).await;
    let passed = "invoke gate/pass";
    eventually(async || !collector.named(passed).is_empty()).await;
    world.server.stop().await;

    collector.spans.lock().expect("not poisoned").retain(|span| span.name != "ingress attach");
    collector.check_tree();
    for (target, outcomes) in
        [("gate/pass", ["lost", "completed"]), ("reviews/ask", ["suspended", "completed"])]
    {
        let [invocation] = &collector.named(&format!("invoke {target}"))[..] else {
            panic!("one invocation of {target}")
        };
        let attempts = collector.named(&format!("attempt {target}"));
        let found: Vec<_> =
            attempts.iter().filter_map(|span| attribute(span, "reveille.outcome")).collect();
        assert_eq!(found, outcomes, "{target}");
        assert!(attempts.iter().all(|span| span.parent_span_id == invocation.span_id), "{target}");
    }
}

/// The context is stored when there is one, whether or not anything is exported.
#[tokio::test(flavor = "multi_thread")]
async fn without_export_the_context_passes_through() {
    let store = MemoryStore::new(1);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    let mut ids = Vec::new();
    for headers in [&headers()[..], &headers()[..1]] {
        let sent = world.post_with("/greeter/greet/send?delay=1h", "x", headers).await;
        let id = sent.text().split('"').find(|part| part.starts_with("inv_1")).expect("an id");
        ids.push(id.parse().expect("an invocation id"));
    }
    world.server.stop().await;
    let rows = disk.reopen();
    let traces = ids.into_iter().map(|id| {
        let key = keys::invocation(id);
        let row = rows.get(PartitionId(0), &key).expect("it reads").expect("a record");
        record::decode::<InvocationRecord>(&key, &row).expect("a record").trace
    });
    let traces: Vec<_> = traces.collect();
    let context = traces[0].as_deref().expect("a context");
    assert_eq!((context.traceparent().as_str(), context.state.as_str()), (headers()[1].1, "a=1"));
    assert!(!context.recorded);
    assert_eq!(traces[1], None);
}
