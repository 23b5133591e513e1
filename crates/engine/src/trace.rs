//! Trace contexts: how an invocation stays in the trace of whoever caused it.
//!
//! A context is stored with the invocation, so it survives restarts, and only when there is one. The
//! ids of spans are derived from ids that are stored anyway: a retry or a restart names the same span.
//! - Owns: the stored shape, the W3C text of it, and which span is the parent of what.
//! - Does not own: spans and their export (crate `server`).
//! - Invariant: a context that is not recorded passes through unchanged, so nobody is told of a span
//!   that nobody will ever see.

use bytes::Bytes;
use reveille_protocol::{id::InvocationId, text};
use twox_hash::XxHash3_64;

use crate::command::{AttemptId, Millis};

/// Longest `tracestate` that is kept, in bytes; a longer one is left out, as W3C allows.
pub const STATE_BYTES_MAX: usize = 512;

/// The trace that something belongs to, and its parent there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TraceContext {
    /// Trace id, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub trace_id: Bytes,
    /// Id of the parent span; 0 when there is none.
    #[prost(fixed64, tag = "2")]
    pub parent: u64,
    /// W3C trace flags: bit 0 is *sampled*, bit 1 is *random*.
    #[prost(uint32, tag = "3")]
    pub flags: u32,
    /// The `tracestate` of others, passed on unchanged.
    #[prost(string, tag = "4")]
    pub state: String,
    /// True when this server exports spans of the trace. Decided where the trace enters, so that a
    /// trace is whole or not there.
    #[prost(bool, tag = "5")]
    pub recorded: bool,
}

/// What is needed for the span of an invocation that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// Its context.
    pub context: TraceContext,
    /// When it was created.
    pub created_at: Millis,
    /// When it ended.
    pub completed_at: Millis,
}

impl TraceContext {
    /// Reads a W3C `traceparent`, and the `tracestate` beside it. `None` for anything invalid, which
    /// counts as absent.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<TraceContext> {
        let text = traceparent.trim();
        let version = hex::<1>(text.get(..2)?)?[0];
        let ended = if version == 0 { text.len() == 55 } else { is_end(text.as_bytes().get(55)) };
        let dashed = [2, 35, 52].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        if version == 0xFF || !ended || !dashed {
            return None;
        }
        let trace_id = hex::<16>(text.get(3..35)?)?;
        let parent = u64::from_be_bytes(hex::<8>(text.get(36..52)?)?);
        let flags = u32::from(hex::<1>(text.get(53..55)?)?[0] & 3);
        if trace_id == [0; 16] || parent == 0 {
            return None;
        }
        let fits = |state: &&str| {
            // It becomes a header of requests; what a handler sent need not have been one.
            state.len() <= STATE_BYTES_MAX && state.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        let state = tracestate.map(str::trim).filter(fits);
        Some(TraceContext {
            trace_id: Bytes::copy_from_slice(&trace_id),
            parent,
            flags,
            state: state.unwrap_or_default().to_owned(),
            recorded: false,
        })
    }

    /// True when whoever began the trace wants it to be recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The W3C `traceparent` of this context.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{:016x}-{:02x}", self.trace_id_text(), self.parent, self.flags & 3)
    }

    /// The trace id as 32 hex digits.
    pub fn trace_id_text(&self) -> String {
        text::hex(&self.trace_id)
    }

    /// The context of whatever an attempt causes: what the deployment is sent, and its calls.
    pub fn of_attempt(&self, id: InvocationId, attempt: AttemptId) -> TraceContext {
        let parent = if self.recorded { attempt_span(id, attempt) } else { self.parent };
        TraceContext { parent, ..self.clone() }
    }
}

/// Id of the span of an invocation.
pub fn invocation_span(id: InvocationId, created_at: Millis) -> u64 {
    span(id, created_at, 0)
}

/// Id of the span of an attempt.
pub fn attempt_span(id: InvocationId, attempt: AttemptId) -> u64 {
    span(id, attempt.created_at, attempt.number)
}

/// A hash of what tells one life of an id from another; attempts count from 1. Never 0, which W3C
/// forbids.
fn span(id: InvocationId, created_at: Millis, number: u32) -> u64 {
    let mut named = [0; 36];
    named[..24].copy_from_slice(id.as_bytes());
    named[24..32].copy_from_slice(&created_at.to_be_bytes());
    named[32..].copy_from_slice(&number.to_be_bytes());
    XxHash3_64::oneshot(&named).max(1)
}

fn is_end(next: Option<&u8>) -> bool {
    next.is_none_or(|next| *next == b'-')
}

/// Reads lower-case hex digits, the only ones that W3C allows.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
