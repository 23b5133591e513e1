//! Wall-clock time and its text forms.
//!
//! ```text
//! execution time       2026-11-22T07:48:09.379000000Z
//! idempotency-expires  2026-11-23T07:50:07.760+00:00
//! receipts             2026-01-31T12:00:00.123Z
//! ```

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use reveille_engine::command::Millis;

/// Reads the clock; a clock before 1970 counts as 1970.
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// Prints RFC 3339 with nine fractional digits and `Z`.
pub fn nanoseconds_utc(time: Millis) -> String {
    format!("{}000000Z", Rfc3339(time))
}

/// Prints RFC 3339 with milliseconds and `+00:00`.
pub fn milliseconds_offset(time: Millis) -> String {
    format!("{}+00:00", Rfc3339(time))
}

/// Prints RFC 3339 with milliseconds and `Z`.
pub fn milliseconds_utc(time: Millis) -> String {
    format!("{}Z", Rfc3339(time))
}

/// Prints `20260131T120000Z`, as AWS wants it.
pub fn basic_utc(time: Millis) -> String {
    let text = Rfc3339(time).to_string();
    let digits: String = text.split('.').next().unwrap_or_default().replace(['-', ':'], "");
    format!("{digits}Z")
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Date and time with milliseconds, without offset.
struct Rfc3339(Millis);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / DAY_MS);
        let ms = self.0 % DAY_MS;
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}",
            ms % 1000
        )
    }
}

/// Turns days since 1970-01-01 into year, month and day.
///
/// Counts from 1 March of year 0 in eras of 400 years, so that the leap day is the last of a year
/// (the published `civil_from_days` algorithm by Howard Hinnant).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}
