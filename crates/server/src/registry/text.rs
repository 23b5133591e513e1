//! Durations and times as text.
//!
//! - Owns: the short form (`1d`, `10m`, `500ms`), reading it and ISO 8601 durations, UTC times.
//! - Invariant: what [`duration`] prints, [`parse_duration`] reads back.

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Prints milliseconds in short form: `1d`, `1h 30m`, `500ms`, `0s`.
pub(crate) fn duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s"), (1, "ms")];
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit_ms, name) in units {
        if rest >= unit_ms {
            parts.push(format!("{}{name}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    parts.join(" ")
}

/// Reads a duration in short form or ISO 8601 (`PT1H30M`) as milliseconds; `None` if it is neither
/// or too long.
pub(crate) fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix(['P', 'p']) {
        Some(iso) => parse_iso(iso),
        None => parse_short(text),
    }
}

fn parse_short(text: &str) -> Option<u64> {
    parse_parts(text, |unit| {
        Some(match unit {
            "d" | "day" | "days" => DAY_MS,
            "h" | "hour" | "hours" => HOUR_MS,
            "m" | "min" | "minute" | "minutes" => MINUTE_MS,
            "s" | "sec" | "second" | "seconds" => SECOND_MS,
            "ms" | "millisecond" | "milliseconds" => 1,
            _ => return None,
        })
    })
}

fn parse_iso(text: &str) -> Option<u64> {
    let text = text.to_ascii_uppercase();
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text.as_str(), None),
    };
    let days = match (date, time) {
        ("", Some(_)) => 0,
        // Months and years have no fixed length.
        (date, _) => parse_parts(date, |unit| match unit {
            "W" => Some(7 * DAY_MS),
            "D" => Some(DAY_MS),
            _ => None,
        })?,
    };
    let time = time.map_or(Some(0), |time| {
        parse_parts(time, |unit| match unit {
            "H" => Some(HOUR_MS),
            "M" => Some(MINUTE_MS),
            "S" => Some(SECOND_MS),
            _ => None,
        })
    })?;
    days.checked_add(time)
}

/// Reads one or more pairs of number and unit, with or without spaces between.
fn parse_parts(text: &str, unit_ms: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let mut rest = text.trim_start();
    let mut total = None::<u64>;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_len);
        let tail = tail.trim_start();
        let name_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (name, tail) = tail.split_at(name_len);
        let part = scale(number, unit_ms(name)?)?;
        total = Some(total.unwrap_or(0).checked_add(part)?);
        rest = tail.trim_start();
    }
    total
}

/// Multiplies a decimal number with a unit, exactly, dropping what is below a millisecond.
fn scale(number: &str, unit_ms: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let denominator = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction_ms = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit_ms) / denominator;
    let whole_ms = whole.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    whole_ms.checked_add(u64::try_from(fraction_ms).ok()?)
}

/// Prints a time as `2026-01-31T12:00:00.123Z`.
pub(crate) fn timestamp_ms(ms: u64) -> String {
    format!("{}.{:03}Z", date_time(ms), ms % SECOND_MS)
}

/// Prints a time as `2026-01-31T12:00:00.123000000Z`.
pub(crate) fn timestamp_nanos(ms: u64) -> String {
    format!("{}.{:03}000000Z", date_time(ms), ms % SECOND_MS)
}

fn date_time(ms: u64) -> String {
    let (year, month, day) = date(ms / DAY_MS);
    let (hour, minute) = (ms % DAY_MS / HOUR_MS, ms % HOUR_MS / MINUTE_MS);
    let second = ms % MINUTE_MS / SECOND_MS;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// The Gregorian date of a day, counted from 1970-01-01.
///
/// Years run from March to February in cycles of 400 years, so that the leap day
/// is the last day of a year and every month but that one has a fixed place.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    const CYCLE_DAYS: u64 = 146_097;
    // 1970-01-01 is 719,468 days after 0000-03-01.
    let days = days_since_1970 + 719_468;
    let (cycle, day_of_cycle) = (days / CYCLE_DAYS, days % CYCLE_DAYS);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / (CYCLE_DAYS - 1))
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + u64::from(month <= 2);
    (year, month, day)
}
