//! The task that sends spans to the collector: OTLP as protobuf over HTTP/1.1, with TLS for `https`.
//!
//! - Owns: batches, retries, and the one connection.
//! - Does not own: certificates ([`crate::tls`]), sockets (`invoker/connect.rs`).
//! - Invariant: it holds one batch beside its queue. What the collector does not take within a few
//!   tries is dropped, counted, and said in the log, seldom.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::otlp::{self, ExportTraceServiceResponse};
use super::span::Span;
use crate::config::TracingConfig;
use crate::invoker::connect::Address;
use crate::limits;
use crate::metrics::TraceMetrics;
use crate::metrics::seldom::Seldom;
use crate::tls::client::ClientTls;

/// Why spans cannot be exported as the settings say. Mend the setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The endpoint.
    #[error("tracing.endpoint: {0} Expected an address such as http://localhost:4318")]
    Endpoint(String),
    /// A header; its value is not shown.
    #[error("tracing.headers: the header '{0}' is not valid HTTP")]
    Header(String),
}

/// The running exporter. It ends by itself when every tracer is gone.
#[derive(Debug)]
pub struct Exporting {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Sends what waits, for a bounded time, and stops.
    pub async fn stop(self) {
        // Without a task there is nothing to stop.
        let _running = self.stop.send(true);
        if timeout(limits::SPANS_STOP_TIMEOUT, self.task).await.is_err() {
            warn!("the collector of traces does not answer, the last spans are lost");
        }
    }
}

/// Starts the task.
pub(super) fn start(
    config: &TracingConfig,
    endpoint: &str,
    tls: &ClientTls,
    metrics: Arc<TraceMetrics>,
    spans: mpsc::Receiver<Span>,
) -> Result<Exporting, ExportError> {
    let (address, uri) = parse(endpoint)?;
    let (stop, stopping) = watch::channel(false);
    let exporter = Exporter {
        address,
        headers: headers(config, &uri)?,
        path: uri.path().to_owned(),
        tls: tls.clone(),
        service_name: config.service_name.clone(),
        metrics,
        spans,
        stopping,
        connection: None,
        failures: Seldom::default(),
    };
    Ok(Exporting { stop, task: tokio::spawn(exporter.run()) })
}

/// Adds the path of traces to the endpoint.
fn parse(endpoint: &str) -> Result<(Address, Uri), ExportError> {
    let whole = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let wrong = |cause: &str| ExportError::Endpoint(cause.to_owned());
    let uri: Uri = whole
        .parse()
        .map_err(|error: http::uri::InvalidUri| ExportError::Endpoint(format!("{error}.")))?;
    if uri.query().is_some() {
        return Err(wrong("it has a query."));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("it has a user; use tracing.headers for credentials."));
    }
    let address = Address::of(&uri).map_err(|_| wrong("it is no http:// or https:// URI."))?;
    Ok((address, uri))
}

fn headers(config: &TracingConfig, uri: &Uri) -> Result<HeaderMap, ExportError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let invalid = || ExportError::Header(name.clone());
        let header = HeaderName::try_from(name).map_err(|_| invalid())?;
        headers.append(header, HeaderValue::try_from(value).map_err(|_| invalid())?);
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::try_from(authority);
    let host = host.map_err(|error| ExportError::Endpoint(format!("{error}.")))?;
    headers.insert(header::HOST, host);
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    headers.insert(header::CONTENT_TYPE, protobuf);
    Ok(headers)
}

struct Exporter {
    address: Address,
    headers: HeaderMap,
    path: String,
    tls: ClientTls,
    service_name: String,
    metrics: Arc<TraceMetrics>,
    spans: mpsc::Receiver<Span>,
    stopping: watch::Receiver<bool>,
    connection: Option<SendRequest<Full<Bytes>>>,
    failures: Seldom,
}

/// Why a batch was not taken.
struct Refused {
    cause: String,
    /// True when the same batch may be taken later.
    later: bool,
}

impl Refused {
    fn later(cause: impl ToString) -> Refused {
        Refused { cause: cause.to_string(), later: true }
    }
}

impl Exporter {
    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let more = self.gather(&mut batch).await;
            if !batch.is_empty() {
                self.export(&batch).await;
                batch.clear();
            }
            if !more {
                return;
            }
        }
    }

    /// Waits for spans, and a moment for more. Returns false when these are the last ones.
    async fn gather(&mut self, batch: &mut Vec<Span>) -> bool {
        let mut deadline = None;
        while batch.len() < limits::SPANS_PER_BATCH {
            let room = limits::SPANS_PER_BATCH - batch.len();
            let waiting = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                taken = self.spans.recv_many(batch, room) => {
                    if taken == 0 {
                        return false;
                    }
                    deadline.get_or_insert(Instant::now() + limits::SPANS_DELAY);
                }
                // An error means that nobody can stop it any more; then the queue closes as well.
                Ok(_) = self.stopping.wait_for(|stop| *stop) => {
                    self.spans.close();
                    if self.spans.is_empty() {
                        return false;
                    }
                }
                () = waiting => return true,
            }
        }
        true
    }

    async fn export(&mut self, batch: &[Span]) {
        let body = otlp::encode(&self.service_name, batch);
        let count = batch.len() as u64;
        let mut delay = limits::SPANS_RETRY_DELAY;
        let mut tries = 1;
        let refused = loop {
            let refused = match self.post(body.clone()).await {
                Ok(rejected) => {
                    self.metrics.exported.add(count.saturating_sub(rejected));
                    self.metrics.dropped.add(rejected.min(count));
                    return;
                }
                Err(refused) => refused,
            };
            debug!(cause = refused.cause, tries, "the collector of traces did not take spans");
            if !refused.later || tries == limits::SPANS_TRIES || *self.stopping.borrow() {
                break refused;
            }
            tries += 1;
            // A stop ends the wait: there is one more try.
            let _stopped = timeout(delay, self.stopping.wait_for(|stop| *stop)).await.is_ok();
            delay *= 2;
        };
        self.metrics.dropped.add(count);
        if let Some(more) = self.failures.allow(std::time::Instant::now()) {
            let cause = refused.cause;
            warn!(%cause, spans = count, more, "spans are lost, the collector does not take them");
        }
    }

    /// Sends one batch; returns how many spans of it the collector rejects.
    async fn post(&mut self, body: Bytes) -> Result<u64, Refused> {
        match timeout(limits::SPANS_POST_TIMEOUT, self.exchange(body)).await {
            Ok(Ok(rejected)) => Ok(rejected),
            Ok(answered) => answered,
            Err(_elapsed) => Err(Refused::later("it did not answer in time")),
        }
    }

    async fn exchange(&mut self, body: Bytes) -> Result<u64, Refused> {
        let mut request =
            Request::post(&self.path).body(Full::new(body)).map_err(Refused::later)?;
        request.headers_mut().clone_from(&self.headers);
        let mut idle = self.connection.take();
        if let Some(sender) = &mut idle
            && sender.ready().await.is_err()
        {
            idle = None;
        }
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.address.dial(&self.tls).await.map_err(Refused::later)?,
        };
        let response = sender.send_request(request).await.map_err(Refused::later)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::SPANS_ANSWER_BYTES).collect().await;
        if status.is_success() {
            self.connection = Some(sender);
            // An answer that cannot be read says nothing against the spans.
            let answer = body.ok().map(|body| body.to_bytes());
            let answer = answer.and_then(|body| ExportTraceServiceResponse::decode(body).ok());
            let partial = answer.and_then(|answer| answer.partial_success);
            let rejected = partial.map_or(0, |partial| partial.rejected_spans);
            return Ok(u64::try_from(rejected).unwrap_or(0));
        }
        let later = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
            || status == StatusCode::TOO_MANY_REQUESTS;
        Err(Refused { cause: format!("it answered {status}"), later })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_headers_are_checked_at_the_start() {
        let table = [
            ("http://localhost:4318", Some("/v1/traces")),
            ("https://collector.example/", Some("/v1/traces")),
            ("http://localhost/otlp/", Some("/otlp/v1/traces")),
            ("http://user:secret@localhost", None),
            ("http://localhost/?a=1", None),
            ("localhost:4318", None),
            ("ftp://localhost", None),
        ];
        for (endpoint, expected) in table {
            let path = parse(endpoint).map(|(_, uri)| uri.path().to_owned());
            assert_eq!(path.as_deref().ok(), expected, "{endpoint}");
            assert!(!format!("{path:?}").contains("secret"));
        }
        let (_, uri) = parse("http://localhost:4318").expect("valid");
        let header = |name: &str| TracingConfig {
            headers: vec![(name.to_owned(), "line\nsecret".to_owned())],
            ..TracingConfig::default()
        };
        let error = headers(&header("x-key"), &uri).expect_err("not a header");
        assert_eq!(error.to_string(), "tracing.headers: the header 'x-key' is not valid HTTP");
        assert!(!format!("{:?}", header("x-key")).contains("secret"));
    }
}
