//! Text forms of moments, spans and failures, and reading them back.

use reveille_engine::{mask::mask_secrets, record::StoredFailure};
use reveille_protocol::{message::Failure, text::Moment};

/// `2026-11-22T07:53:27.673Z`: sorts and compares like the moment it stands for.
pub(crate) fn time(at: u64) -> String {
    format!("{}Z", Moment(at))
}

/// Milliseconds since 1970 of a text of [`time`].
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let Moment(at) = Moment::parse(text.strip_suffix('Z')?)?;
    i64::try_from(at).ok()
}

/// `PT86400S`, with a fraction when there is one.
pub(crate) fn duration(span: u64) -> String {
    match span % 1000 {
        0 => format!("PT{}S", span / 1000),
        millis => format!("PT{}.{millis:03}S", span / 1000),
    }
}

/// Milliseconds of a text of [`duration`].
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let seconds = text.strip_prefix("PT")?.strip_suffix('S')?;
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let fraction = format!("{fraction:0<3}");
    Some(whole.parse::<i64>().ok()? * 1000 + fraction.get(..3)?.parse::<i64>().ok()?)
}

/// `[409 Conflict] message`: a failure in one line. Its text comes from a handler, which may have put
/// an awakeable id into it.
pub(crate) fn failure(failure: &Failure) -> String {
    coded(failure.code, &mask_secrets(&failure.message))
}

/// The same of a failed attempt, its stack trace below.
pub(crate) fn attempt_failure(failure: &StoredFailure) -> String {
    let line = coded(failure.code, &failure.message);
    match failure.stacktrace.as_str() {
        "" => line,
        trace => format!("{line}\n{trace}"),
    }
}

fn coded(code: u32, message: &str) -> String {
    match reason(code) {
        Some(reason) => format!("[{code} {reason}] {message}"),
        None => format!("[{code}] {message}"),
    }
}

/// Words for the codes that the service protocol and its users give a meaning.
fn reason(code: u32) -> Option<&'static str> {
    Some(match code {
        400 => "Bad request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not found",
        408 => "Request timeout",
        410 => "Gone",
        413 => "Payload too large",
        415 => "Unsupported media type",
        422 => "Unprocessable entity",
        429 => "Too many requests",
        500 => "Internal",
        501 => "Not implemented",
        503 => "Service unavailable",
        504 => "Gateway timeout",
        570 => "Journal mismatch",
        571 => "Protocol violation",
        573 => "Unsupported feature",
        _ => return None,
    })
}
