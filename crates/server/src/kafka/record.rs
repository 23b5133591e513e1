//! What a record becomes: target, id and input of an invocation.
//!
//! - Owns: the headers that a handler gets beside those of the record, and why a record does not fit.
//! - Invariant: a body is copied once, from the buffer of the client to where it is stored.

use std::borrow::Cow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use reveille_engine::command::{Invoke, Source, Target};
use reveille_engine::identity;
use reveille_engine::keys::NAME_BYTES_MAX;
use reveille_engine::schema::{HandlerKind, Schema};
use reveille_engine::subscription::Position;
use reveille_engine::trace::TraceContext;
use reveille_protocol::id::SubscriptionId;

use crate::ingress::encode_fields;
use crate::limits;
use crate::registry::kafka::Subscription;
use crate::traces::{RequestSpan, Tracer, context_of};

/// A record that is read, and encoded for its handler.
pub(super) struct Record {
    /// Partition of the topic.
    pub(super) partition: u32,
    /// Offset in there.
    pub(super) offset: u64,
    key: Option<Bytes>,
    input: Bytes,
    body_len: usize,
    /// `None` when they cannot be read.
    headers_len: Option<usize>,
    trace: Option<Box<TraceContext>>,
    /// Its span, when traces are exported.
    pub(super) span: Option<Box<RequestSpan>>,
}

/// Why a record does not fit. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error(
        "no handler '{0}/{1}' is registered: register a deployment that has it, or remove the \
         subscription"
    )]
    NoHandler(String, String),
    #[error("the handler '{0}/{1}' is private: make it public, or remove the subscription")]
    Private(String, String),
    #[error("the record has no key, and '{0}' needs one for its instance: {NEXT}")]
    NoKey(String),
    #[error("the key of the record is not UTF-8: {NEXT}")]
    KeyNotText,
    #[error("the key of the record has {0} bytes, at most {NAME_BYTES_MAX} fit: {NEXT}")]
    KeyTooLong(usize),
    #[error(
        "the record has {0} bytes, `ingress.request-size-limit` is {1}: raise that and restart, or \
         {NEXT}"
    )]
    TooLarge(usize, usize),
    #[error("the name of a header of the record is not UTF-8: {NEXT}")]
    HeaderName,
    #[error("the headers of the record have {0} bytes, at most {max} fit: {NEXT}", max = limits::KAFKA_HEADER_BYTES)]
    HeadersTooLarge(usize),
}

/// What can be done about a record that will never fit.
const NEXT: &str = "subscribe anew with the option 'reveille.bad-records' = 'skip' and the same \
                    'group.id' to pass over such records";

impl Unfit {
    /// True when it is the fault of this record alone: the next one may fit.
    pub(super) fn of_record(&self) -> bool {
        !matches!(self, Unfit::NoHandler(..) | Unfit::Private(..))
    }
}

/// Where records go, and what they are held to.
pub(super) struct Route {
    /// The subscription.
    pub(super) id: SubscriptionId,
    /// The same.
    pub(super) subscription: Arc<Subscription>,
    /// Largest body in bytes.
    pub(super) body_bytes_max: usize,
}

impl Record {
    /// Reads a record; a negative offset or partition does not exist.
    pub(super) fn read(message: &BorrowedMessage<'_>, route: &Route, tracer: &Tracer) -> Record {
        let body = message.payload().unwrap_or_default();
        let numbers = [
            ("restate.subscription.id", route.id.to_string()),
            ("kafka.topic", message.topic().to_owned()),
            ("kafka.partition", message.partition().to_string()),
            ("kafka.offset", message.offset().to_string()),
            ("kafka.timestamp", message.timestamp().to_millis().unwrap_or_default().to_string()),
        ];
        let read = headers(message);
        let headers_legal = read.is_some();
        let headers = read.unwrap_or_default();
        let headers_len = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let fits = headers_legal
            && body.len() <= route.body_bytes_max
            && headers_len <= limits::KAFKA_HEADER_BYTES;
        // What does not fit will not be stored, so it is not copied either.
        let input = if fits {
            let theirs = |name: &str| numbers.iter().all(|(ours, _)| *ours != name);
            let fields = || {
                let ours = numbers.iter().map(|(name, value)| (*name, Cow::from(value.as_str())));
                let others = headers.iter().filter(|(name, _)| theirs(name));
                ours.chain(others.map(|(name, value)| (*name, String::from_utf8_lossy(value))))
            };
            encode_fields(fields, body.len(), |buffer| buffer.put_slice(body))
        } else {
            Bytes::new()
        };
        let (trace, span) = trace(&headers, tracer);
        Record {
            partition: u32::try_from(message.partition()).unwrap_or_default(),
            offset: u64::try_from(message.offset()).unwrap_or_default(),
            key: message.key().map(Bytes::copy_from_slice),
            input,
            body_len: body.len(),
            headers_len: headers_legal.then_some(headers_len),
            trace,
            span,
        }
    }

    /// What it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        self.input.len() + self.key.as_ref().map_or(0, Bytes::len) + size_of::<Record>()
    }

    /// Decides what it becomes.
    pub(super) fn invoke(
        &self,
        route: &Route,
        schema: &Schema,
    ) -> Result<(Invoke, Position), Unfit> {
        let (service, handler) = (&route.subscription.service, &route.subscription.handler);
        let Some((service, handler)) = schema.handler(service, handler) else {
            return Err(Unfit::NoHandler(service.clone(), handler.clone()));
        };
        if !handler.options.public {
            return Err(Unfit::Private(service.name.clone(), handler.name.clone()));
        }
        if self.body_len > route.body_bytes_max {
            return Err(Unfit::TooLarge(self.body_len, route.body_bytes_max));
        }
        match self.headers_len {
            None => return Err(Unfit::HeaderName),
            Some(len) if len > limits::KAFKA_HEADER_BYTES => {
                return Err(Unfit::HeadersTooLarge(len));
            }
            Some(_) => {}
        }
        let key = match (service.kind.keyed(), &self.key) {
            (false, _) => None,
            (true, None) => return Err(Unfit::NoKey(service.name.clone())),
            (true, Some(key)) if key.len() > NAME_BYTES_MAX => {
                return Err(Unfit::KeyTooLong(key.len()));
            }
            (true, Some(key)) => {
                Some(std::str::from_utf8(key).map_err(|_| Unfit::KeyNotText)?.to_owned())
            }
        };
        let position = Position {
            subscription: route.id,
            topic: route.subscription.topic.clone(),
            partition: self.partition,
            offset: self.offset,
            previous: None,
        };
        let id = match (handler.kind, &key) {
            (HandlerKind::Workflow, Some(key)) => {
                identity::workflow_run_id(None, &service.name, key)
            }
            (_, key) => identity::record_id(&position, key.as_deref()),
        };
        let (service, handler) = (service.name.clone(), handler.name.clone());
        let invoke = Invoke {
            id,
            fresh: false,
            target: Target { scope: None, service, key, handler },
            input: self.input.clone(),
            idempotency_key: None,
            limit_key: None,
            start_at: None,
            caller: None,
            source: Source::Subscription(route.id),
            trace: self.trace.clone(),
        };
        Ok((invoke, position))
    }
}

/// The headers of a record, in order; a header without value is empty. `None` when a name is not
/// UTF-8, at which the library panics.
fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Option<Vec<(&'m str, &'m [u8])>> {
    let Some(headers) = message.headers() else { return Some(Vec::new()) };
    let read = || headers.iter().map(|header| (header.key, header.value.unwrap_or_default()));
    panic::catch_unwind(AssertUnwindSafe(|| read().collect())).ok()
}

/// The trace that an invocation of this record continues, and the span of the record.
fn trace(
    headers: &[(&str, &[u8])],
    tracer: &Tracer,
) -> (Option<Box<TraceContext>>, Option<Box<RequestSpan>>) {
    let mut found = HeaderMap::new();
    for name in ["traceparent", "tracestate"] {
        let header = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        if let Some(value) = header.and_then(|(_, value)| HeaderValue::from_bytes(value).ok()) {
            found.insert(name, value);
        }
    }
    match tracer.request(&found) {
        Some(span) => (Some(Box::new(span.context.clone())), Some(Box::new(span))),
        None => (context_of(&found).map(Box::new), None),
    }
}
