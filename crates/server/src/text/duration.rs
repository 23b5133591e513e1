//! Durations as text: of delays, settings, filters and options.
//!
//! ```text
//! friendly  (number space* unit space*)+          10s  100ms  1h30m  10 sec  1.5s
//! ISO 8601  P (number [WD])* [T (number [HMS])+]  PT10S  P1D  P1DT1H  PT1.5S
//! ```
//!
//! A day is 24 hours and a week is 7 days; months and years have no fixed length and are refused,
//! and so is a number without unit, because nobody agrees on which unit that is; a bare `0` is fine.
//! - Invariant: what is below a millisecond is rounded up, so nothing ever starts early; what
//!   [`short`] prints, [`parse`] reads back.

use crate::limits::DURATION_MS_MAX;

/// Why a text is not a duration. All variants mean: the client must fix its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing to read.
    #[error("the duration is empty")]
    Empty,
    /// Time only goes forward.
    #[error("the duration is negative")]
    Negative,
    /// Digits are missing where a number must be.
    #[error("expected a number at byte {0}")]
    Number(usize),
    /// The unit is missing or not one of ours.
    #[error("expected a unit such as ms, s, m, h or d at byte {0}")]
    Unit(usize),
    /// Longer than a thousand years.
    #[error("the duration is longer than {DURATION_MS_MAX} ms")]
    TooLong,
}

const NANOSECOND: u128 = 1;
const MICROSECOND: u128 = 1_000 * NANOSECOND;
const MILLISECOND: u128 = 1_000 * MICROSECOND;
const SECOND: u128 = 1_000 * MILLISECOND;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;
const WEEK: u128 = 7 * DAY;

/// Digits of a fraction that count: a nanosecond of a week has fifteen.
const FRACTION_DIGITS: usize = 15;
/// Digits of a number that count before it is certainly too long.
const INTEGER_DIGITS: usize = 18;

/// Parses a duration into milliseconds, at most [`DURATION_MS_MAX`].
pub fn parse(text: &str) -> Result<u64, DurationError> {
    let mut rest = Cursor { text, at: 0 };
    rest.skip_spaces();
    let nanoseconds = match rest.peek() {
        Some(b'0') if text.trim_matches(' ') == "0" => 0,
        None => return Err(DurationError::Empty),
        Some(b'-') => return Err(DurationError::Negative),
        Some(b'P' | b'p') => {
            rest.at += 1;
            iso(&mut rest)?
        }
        Some(_) => friendly(&mut rest)?,
    };
    let milliseconds = nanoseconds.div_ceil(MILLISECOND);
    u64::try_from(milliseconds)
        .ok()
        .filter(|ms| *ms <= DURATION_MS_MAX)
        .ok_or(DurationError::TooLong)
}

/// Prints milliseconds in short form: `1d`, `1h 30m`, `500ms`, `0s`.
pub fn short(milliseconds: u64) -> String {
    let mut rest = u128::from(milliseconds) * MILLISECOND;
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms")];
    let mut parts = Vec::new();
    for (unit, name) in units {
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

fn friendly(rest: &mut Cursor<'_>) -> Result<u128, DurationError> {
    let mut sum = 0u128;
    while rest.peek().is_some() {
        let number = rest.number()?;
        rest.skip_spaces();
        let at = rest.at;
        let unit = friendly_unit(rest.word()).ok_or(DurationError::Unit(at))?;
        sum = sum.saturating_add(number.times(unit));
        rest.skip_spaces();
    }
    Ok(sum)
}

fn friendly_unit(word: &str) -> Option<u128> {
    Some(match word {
        "w" | "wk" | "wks" | "week" | "weeks" => WEEK,
        "d" | "day" | "days" => DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "ms" | "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => {
            MILLISECOND
        }
        "us" | "µs" | "μs" | "usec" | "usecs" | "micro" | "micros" | "microsecond"
        | "microseconds" => MICROSECOND,
        "ns" | "nsec" | "nsecs" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => NANOSECOND,
        _ => return None,
    })
}

fn iso(rest: &mut Cursor<'_>) -> Result<u128, DurationError> {
    let mut sum = 0u128;
    let mut time = false;
    let mut components = 0;
    while let Some(next) = rest.peek() {
        match next {
            b'T' | b't' if !time => {
                rest.at += 1;
                time = true;
                components = 0;
                continue;
            }
            b'-' => return Err(DurationError::Negative),
            _ => {}
        }
        let number = rest.number()?;
        let at = rest.at;
        let unit = match (time, rest.peek().map(|unit| unit.to_ascii_uppercase())) {
            (false, Some(b'W')) => WEEK,
            (false, Some(b'D')) => DAY,
            (true, Some(b'H')) => HOUR,
            (true, Some(b'M')) => MINUTE,
            (true, Some(b'S')) => SECOND,
            _ => return Err(DurationError::Unit(at)),
        };
        rest.at += 1;
        components += 1;
        sum = sum.saturating_add(number.times(unit));
    }
    // `P`, `PT` and `P1DT` promise a component that does not come.
    if components == 0 { Err(DurationError::Number(rest.at)) } else { Ok(sum) }
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn digits(&mut self) -> &'t str {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Reads up to the next digit, space or the end; a unit is never longer than that.
    fn word(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn number(&mut self) -> Result<Number<'t>, DurationError> {
        let start = self.at;
        let integer = self.digits();
        if integer.is_empty() {
            return Err(DurationError::Number(start));
        }
        let mut fraction = "";
        if let Some(b'.' | b',') = self.peek() {
            self.at += 1;
            fraction = self.digits();
            if fraction.is_empty() {
                return Err(DurationError::Number(self.at));
            }
        }
        let significant = integer.trim_start_matches('0');
        if significant.len() > INTEGER_DIGITS {
            return Err(DurationError::TooLong);
        }
        Ok(Number { integer: significant, fraction })
    }
}

/// A decimal number; both parts are digits only.
struct Number<'t> {
    integer: &'t str,
    fraction: &'t str,
}

impl Number<'_> {
    /// Multiplies with a unit in nanoseconds; what is below a nanosecond is rounded up.
    fn times(&self, unit: u128) -> u128 {
        let value = |digits: &str| {
            digits.bytes().fold(0u128, |value, digit| value * 10 + u128::from(digit - b'0'))
        };
        let digits = &self.fraction[..self.fraction.len().min(FRACTION_DIGITS)];
        let scale = (0..digits.len()).fold(1u128, |scale, _| scale * 10);
        value(self.integer) * unit + (value(digits) * unit).div_ceil(scale)
    }
}
