//! Moments and spans as people say them: `3m ago`, `in 2h`.
//!
//! - Owns: reading the times of the API and printing ages.
//! - Does not own: durations as settings ([`reveille_server::text::duration`]).

use reveille_server::text::{duration, time};
use serde_json::Value;

use super::Usage;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Reads RFC 3339 in UTC, such as `2026-11-22T07:35:38.837Z`, into milliseconds since 1970.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (date, clock) = text.split_once(['T', ' '])?;
    let date = numbers::<3>(date, '-')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let [hour, minute, second] = numbers::<3>(clock, ':')?;
    if !(1..=12).contains(&date[1]) || !(1..=31).contains(&date[2]) || date[0] < 1970 {
        return None;
    }
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if hour > 23 || minute > 59 || second > 60 || !digits {
        return None;
    }
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(days(date) * DAY + hour * HOUR + minute * MINUTE + second * SECOND + millis)
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[u64; N]> {
    let parts: Option<Vec<u64>> = text.split(separator).map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

/// Days since 1970-01-01 of year, month and day, counted from 1 March of year 0.
fn days([year, month, day]: [u64; 3]) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year / 400, year % 400);
    era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Prints a span in its largest unit: `3m`, `2h`, `5d`, `350ms`.
pub fn span(span_ms: u64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")];
    match units.into_iter().find(|(unit, _)| span_ms >= *unit) {
        Some((unit, name)) => format!("{}{name}", span_ms / unit),
        None => format!("{span_ms}ms"),
    }
}

/// Prints a moment relative to now: `3m ago`, `in 2h`, `just now`.
pub fn relative(now_ms: u64, at_ms: u64) -> String {
    match at_ms {
        at if now_ms.abs_diff(at) < SECOND => "just now".to_owned(),
        at if at > now_ms => format!("in {}", span(at - now_ms)),
        at => format!("{} ago", span(now_ms - at)),
    }
}

/// Prints a time of the API relative to now. What is no time is shown as it is.
pub fn ago(now_ms: u64, value: &Value) -> String {
    match value.as_str() {
        None => String::new(),
        Some(text) => parse(text).map_or_else(|| text.to_owned(), |at| relative(now_ms, at)),
    }
}

/// Prints a time of the API both ways: `2026-11-22T07:35:38.837Z (3m ago)`.
pub fn both(now_ms: u64, value: &Value) -> String {
    match value.as_str().map(|text| (text, parse(text))) {
        None => String::new(),
        Some((text, None)) => text.to_owned(),
        Some((_, Some(at))) => {
            format!("{} ({})", time::milliseconds_utc(at), relative(now_ms, at))
        }
    }
}

/// Reads what the user means by "since": an age such as `10m`, or a time in UTC.
pub fn since(now_ms: u64, text: &str) -> Result<u64, Usage> {
    let age = duration::parse(text).ok().map(|age_ms| now_ms.saturating_sub(age_ms));
    age.or_else(|| parse(text)).ok_or_else(|| {
        Usage(format!(
            "'{text}' is no age such as 10m or 2d, and no time such as 2026-01-31T12:00:00Z"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_back() {
        for at in [0, 951_782_400_000, 1_795_333_278_837, 1_798_761_599_999, 4_107_542_400_000] {
            assert_eq!(parse(&time::milliseconds_utc(at)), Some(at));
            assert_eq!(parse(&time::nanoseconds_utc(at)), Some(at));
            assert_eq!(parse(&time::milliseconds_offset(at)), Some(at));
        }
        assert_eq!(parse("1970-01-02T00:00:01Z"), Some(DAY + SECOND));
        for wrong in ["", "now", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ages() {
        let now = 10 * DAY;
        for (at, expected) in [
            (now, "just now"),
            (now - 999, "just now"),
            (now - 59 * SECOND, "59s ago"),
            (now - 3 * MINUTE - 59 * SECOND, "3m ago"),
            (now - 23 * HOUR, "23h ago"),
            (0, "10d ago"),
            (now + 2 * HOUR, "in 2h"),
        ] {
            assert_eq!(relative(now, at), expected);
        }
        assert_eq!(since(now, "1d").expect("an age"), 9 * DAY);
        assert_eq!(since(now, "1970-01-02T00:00:00Z").expect("a time"), DAY);
        assert!(since(now, "yesterday").is_err());
    }
}
