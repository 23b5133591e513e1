//! Wall-clock time and its text forms.
//!
//! ```text
//! execution time       2026-11-22T07:48:09.379000000Z
//! idempotency-expires  2026-11-23T07:50:07.760+00:00
//! receipts             2026-01-31T12:00:00.123Z
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use reveille_engine::command::Millis;
use reveille_protocol::text::Moment;

/// Reads the clock; a clock before 1970 counts as 1970.
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// Prints RFC 3339 with nine fractional digits and `Z`.
pub fn nanoseconds_utc(time: Millis) -> String {
    format!("{}000000Z", Moment(time))
}

/// Prints RFC 3339 with milliseconds and `+00:00`.
pub fn milliseconds_offset(time: Millis) -> String {
    format!("{}+00:00", Moment(time))
}

/// Prints RFC 3339 with milliseconds and `Z`.
pub fn milliseconds_utc(time: Millis) -> String {
    format!("{}Z", Moment(time))
}

/// Prints `20260131T120000Z`, as AWS wants it.
pub fn basic_utc(time: Millis) -> String {
    let text = Moment(time).to_string();
    let digits: String = text.split('.').next().unwrap_or_default().replace(['-', ':'], "");
    format!("{digits}Z")
}
