//! Text forms of moments, spans and bytes, and reading them back.

use reveille_engine::{mask::mask_secrets, record::StoredFailure};
use reveille_protocol::message::Failure;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// `2026-11-22T07:53:27.673Z`: sorts and compares like the moment it stands for.
pub(crate) fn time(at: u64) -> String {
    let (days, rest) = (at / DAY_MS, at % DAY_MS);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    let millis = rest % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Milliseconds since 1970 of a text of [`time`].
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let shape = text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, millis) =
        (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    let days = days_of(year, month, day);
    shape.then_some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
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

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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

/// Days since 1970 to a date; the algorithm of Howard Hinnant ("chrono-compatible low-level date
/// algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A date to days since 1970.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
