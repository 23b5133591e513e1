//! The part of OTLP that an exporter of traces needs, written down by hand: eleven small messages.
//!
//! Field numbers are those of `opentelemetry/proto/collector/trace/v1/trace_service.proto` and what it
//! imports (version 1). Nothing else of it is used, and nothing is ever decoded but the answer.

use bytes::Bytes;
use prost::Message;

use super::span::{Attribute, Span, Value};

/// What is posted to `/v1/traces`.
#[derive(Clone, PartialEq, Message)]
pub struct ExportTraceServiceRequest {
    /// Spans by what they are about; one, this server.
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

/// What the collector answers.
#[derive(Clone, PartialEq, Message)]
pub struct ExportTraceServiceResponse {
    /// There when it did not take all of them.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// What the collector did not take.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    /// How many spans.
    #[prost(int64, tag = "1")]
    pub rejected_spans: i64,
    /// Why.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// The spans of one resource.
#[derive(Clone, PartialEq, Message)]
pub struct ResourceSpans {
    /// What they are about.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// The spans by who made them; one, this program.
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<ScopeSpans>,
}

/// What spans are about.
#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    /// Its name, among others.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// The spans of one scope.
#[derive(Clone, PartialEq, Message)]
pub struct ScopeSpans {
    /// Who made them.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    /// The spans.
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<OtlpSpan>,
}

/// Who makes spans.
#[derive(Clone, PartialEq, Message)]
pub struct Scope {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// One span.
#[derive(Clone, PartialEq, Message)]
pub struct OtlpSpan {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub trace_id: Bytes,
    /// 8 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub span_id: Bytes,
    /// W3C `tracestate`.
    #[prost(string, tag = "3")]
    pub trace_state: String,
    /// 8 bytes; empty for a root.
    #[prost(bytes = "bytes", tag = "4")]
    pub parent_span_id: Bytes,
    /// What it is called.
    #[prost(string, tag = "5")]
    pub name: String,
    /// See [`super::span::SpanKind`].
    #[prost(int32, tag = "6")]
    pub kind: i32,
    /// Nanoseconds since the epoch.
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the epoch.
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    /// What is known of it.
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    /// There when it failed.
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
}

/// How a span ended.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// 2 is an error.
    #[prost(int32, tag = "3")]
    pub code: i32,
}

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    /// The value.
    #[prost(oneof = "Any", tags = "1, 3")]
    pub value: Option<Any>,
}

/// The kinds of values that are used here.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Any {
    /// Text.
    #[prost(string, tag = "1")]
    Text(String),
    /// A number.
    #[prost(int64, tag = "3")]
    Number(i64),
}

const STATUS_ERROR: i32 = 2;

/// Encodes spans as the body of one request.
pub(super) fn encode(service_name: &str, spans: &[Span]) -> Bytes {
    let attributes = [
        Attribute("service.name", Value::Text(service_name.to_owned())),
        Attribute("service.version", Value::Text(env!("CARGO_PKG_VERSION").to_owned())),
    ];
    let resource = Resource { attributes: attributes.iter().map(attribute).collect() };
    let scope =
        Scope { name: "reveille".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let spans = spans.iter().map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn span(span: &Span) -> OtlpSpan {
    let id = |id: u64| match id {
        0 => Bytes::new(),
        id => Bytes::copy_from_slice(&id.to_be_bytes()),
    };
    OtlpSpan {
        trace_id: span.trace_id.clone(),
        span_id: id(span.id),
        trace_state: span.state.clone(),
        parent_span_id: id(span.parent),
        name: span.name.clone(),
        kind: span.kind as i32,
        start_time_unix_nano: span.started_at_ns,
        // A clock that was set back must not make a span that ends before it starts.
        end_time_unix_nano: span.ended_at_ns.max(span.started_at_ns),
        attributes: span.attributes.iter().map(attribute).collect(),
        status: span.failed.then_some(Status { code: STATUS_ERROR }),
    }
}

fn attribute(Attribute(key, value): &Attribute) -> KeyValue {
    let any = match value {
        Value::Text(text) => Any::Text(text.clone()),
        Value::Number(number) => Any::Number(*number),
    };
    KeyValue { key: (*key).to_owned(), value: Some(AnyValue { value: Some(any) }) }
}

#[cfg(test)]
mod tests {
    use super::super::span::SpanKind;
    use super::*;

    /// What the crate `opentelemetry-proto` makes of the request below.
    const REQUEST: &str = "0a95010a180a160a0c736572766963652e6e616d6512060a047465737412790a0d0a08\
        72657665696c6c6512013012680a100102030405060708090a0b0c0d0e0f10120801020304050607081a03613d\
        31220808070605040302012a0b617474656d707420732f68300339e80300000000000041d00700000000000\
        04a160a1072657665696c6c652e617474656d7074120218037a021802";

    /// What it makes of an answer that rejects seven spans.
    const ANSWER: &str = "0a0708071203776879";

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits");
        digits.chunks_exact(2).map(byte).collect()
    }

    #[test]
    fn messages_are_those_of_opentelemetry() {
        let ended = Span {
            trace_id: (1..=16).collect(),
            id: 0x0102_0304_0506_0708,
            parent: 0x0807_0605_0403_0201,
            state: "a=1".to_owned(),
            name: "attempt s/h".to_owned(),
            kind: SpanKind::Client,
            started_at_ns: 1000,
            ended_at_ns: 2000,
            attributes: vec![Attribute("reveille.attempt", Value::Number(3))],
            failed: true,
        };
        let name = Attribute("service.name", Value::Text("test".to_owned()));
        let scope = Scope { name: "reveille".to_owned(), version: "0".to_owned() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes: vec![attribute(&name)] }),
                scope_spans: vec![ScopeSpans { scope: Some(scope), spans: vec![span(&ended)] }],
            }],
        };
        assert_eq!(Bytes::from(request.encode_to_vec()), bytes(REQUEST));
        let answer = ExportTraceServiceResponse::decode(bytes(ANSWER)).expect("it decodes");
        let (rejected_spans, error_message) = (7, "why".to_owned());
        let partial = PartialSuccess { rejected_spans, error_message };
        assert_eq!(answer.partial_success, Some(partial));
    }

    #[test]
    fn a_root_has_no_parent_and_time_does_not_go_back() {
        let ended = Span {
            trace_id: Bytes::new(),
            id: 1,
            parent: 0,
            state: String::new(),
            name: String::new(),
            kind: SpanKind::Server,
            started_at_ns: 2,
            ended_at_ns: 1,
            attributes: Vec::new(),
            failed: false,
        };
        let span = span(&ended);
        assert_eq!((span.parent_span_id, span.end_time_unix_nano), (Bytes::new(), 2));
        assert_eq!(span.status, None);
    }
}
