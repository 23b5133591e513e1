//! Text forms that several crates print and read: hexadecimal digits, percent-encoding, moments.
//!
//! - Owns: the forms alone; which of them stands where is the matter of whoever prints.
//!
//! ```
//! use reveille_protocol::text::{Moment, hex, percent};
//!
//! assert_eq!(hex(&[0x0A, 0xFF]), "0aff");
//! assert_eq!(percent("é/x"), "%C3%A9%2Fx");
//! assert_eq!(Moment(1_769_860_800_123).to_string(), "2026-01-31T12:00:00.123");
//! assert_eq!(Moment::parse("2026-01-31T12:00:00.123"), Some(Moment(1_769_860_800_123)));
//! ```

use std::fmt::{self, Write as _};

/// Returns lower-case hexadecimal digits, two a byte.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

/// Returns the text with every byte percent-encoded that is not unreserved in RFC 3986 (section 2.3):
/// fit for one segment of a path, a value of a query or form, or a header.
pub fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    encoded
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds since 1970. Prints date and time of RFC 3339 in UTC, to the millisecond and without
/// offset; such texts sort as the moments do, up to the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / DAY_MS);
        let ms = self.0 % DAY_MS;
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let ms = ms % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}")
    }
}

impl Moment {
    /// Reads back what was printed; `None` for anything else.
    pub fn parse(text: &str) -> Option<Moment> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second, ms) =
            (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
        let days = days_since_1970(year, month, day)?;
        let moment = Moment((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms);
        (moment.to_string() == text).then_some(moment)
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

/// The inverse of [`civil`]; `None` before 1970 and for months and days that do not exist.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000"),
            (951_782_400_000, "2000-02-29T00:00:00.000"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999"),
        ] {
            assert_eq!(Moment(ms).to_string(), text);
            assert_eq!(Moment::parse(text), Some(Moment(ms)), "{text}");
        }
        // Every day of two centuries: 25 hours apart, so that each hour comes up, too.
        for step in 0..73_000_u64 {
            let moment = Moment(step * (DAY_MS + 3_600_001));
            assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "1969-12-31T23:59:59.999",
            "2023-02-29T00:00:00.000",
            "2026-13-01T00:00:00.000",
            "2026-00-01T00:00:00.000",
            "2026-01-00T00:00:00.000",
            "2026-01-01T24:00:00.000",
            "2026-01-01 00:00:00.000",
            "2026-01-01T00:00:00.000Z",
            "2026-01-01T00:00:00",
            "0000-01-01T00:00:00.000",
            "+026-01-01T00:00:00.000",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn all_but_unreserved_bytes_are_percent_encoded() {
        for (text, encoded) in [
            ("é x", "%C3%A9%20x"),
            ("a-b_c.d~9", "a-b_c.d~9"),
            ("/%", "%2F%25"),
            ("arn:aws:iam::1:role/r", "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"),
        ] {
            assert_eq!(percent(text), encoded);
        }
    }
}
