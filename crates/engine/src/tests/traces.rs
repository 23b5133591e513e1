//! Trace contexts: their text, and how they go from caller to callee.

use reveille_protocol::id::InvocationId;

use crate::command::AttemptId;
use crate::trace::{STATE_BYTES_MAX, TraceContext, attempt_span, invocation_span};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn traceparents() {
    let long = format!("{PARENT}-more");
    let table: [(&str, Option<&str>); 14] = [
        (PARENT, Some(PARENT)),
        (" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ", Some(PARENT)),
        // A later version may say more, and is answered in ours.
        ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", Some(PARENT)),
        ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(PARENT)),
        // Flags that nobody has defined are not passed on.
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fd", Some(PARENT)),
        ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", None),
        (&long, None),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None),
        ("00-0af7651916cd43dd8448eb211c80319cé-b7ad6b716920333-01", None),
        ("", None),
    ];
    for (text, expected) in table {
        let parsed = TraceContext::parse(text, None).map(|context| context.traceparent());
        assert_eq!(parsed.as_deref(), expected, "{text}");
    }
}

#[test]
fn tracestates_are_kept_up_to_a_bound() {
    let (fits, exceeds) = ("x".repeat(STATE_BYTES_MAX), "x".repeat(STATE_BYTES_MAX + 1));
    for (state, expected) in [(Some("a=1,b=2"), "a=1,b=2"), (Some(&fits), &fits), (None, "")] {
        let context = TraceContext::parse(PARENT, state).expect("valid");
        assert_eq!(context.state, expected);
    }
    for unfit in [exceeds.as_str(), "a=1\r\nb: 2", "a=é"] {
        assert_eq!(TraceContext::parse(PARENT, Some(unfit)).expect("valid").state, "", "{unfit}");
    }
}

#[test]
fn spans_are_named_by_life_and_attempt() {
    let (one, other) = (InvocationId::from_parts(1, 2), InvocationId::from_parts(1, 3));
    let attempt = |created_at, number| AttemptId { created_at, number };
    let spans = [
        invocation_span(one, 1),
        invocation_span(one, 2),
        invocation_span(other, 1),
        attempt_span(one, attempt(1, 1)),
        attempt_span(one, attempt(1, 2)),
        attempt_span(one, attempt(2, 1)),
        attempt_span(other, attempt(1, 1)),
    ];
    for (at, span) in spans.iter().enumerate() {
        assert!(!spans[..at].contains(span), "{at}");
    }
    assert_eq!(invocation_span(one, 1), spans[0], "the same again");
}

#[test]
fn only_a_recorded_context_names_spans_of_ours() {
    let attempt = AttemptId { created_at: 1, number: 1 };
    let id = InvocationId::from_parts(1, 2);
    let mut context = TraceContext::parse(PARENT, Some("a=1")).expect("valid");
    assert_eq!(context.of_attempt(id, attempt), context);
    context.recorded = true;
    let of_attempt = context.of_attempt(id, attempt);
    assert_eq!(of_attempt.parent, attempt_span(id, attempt));
    assert_eq!((of_attempt.trace_id, of_attempt.state), (context.trace_id, context.state));
}
