//! Durations and times: what is read, what is printed.

use super::duration::{DurationError, parse, short};
use super::time;
use crate::limits::DURATION_MS_MAX;

#[test]
fn accepted() {
    let table = [
        ("10s", 10_000),
        ("100ms", 100),
        ("1d", 86_400_000),
        ("1h30m", 5_400_000),
        ("10 sec", 10_000),
        ("10seconds", 10_000),
        ("1.5s", 1_500),
        (" 2 days 1 hour ", 176_400_000),
        ("1w", 604_800_000),
        ("0s", 0),
        ("0", 0),
        (" 0 ", 0),
        ("0.25h", 900_000),
        ("1ns", 1),
        ("1001us", 2),
        ("7µs", 1),
        ("PT10S", 10_000),
        ("PT1.5S", 1_500),
        ("PT1,5S", 1_500),
        ("P1D", 86_400_000),
        ("P1DT1H", 90_000_000),
        ("P1W", 604_800_000),
        ("pt1m", 60_000),
        ("PT0S", 0),
        ("0000000000000000000000001s", 1_000),
        ("1.00000000000000000000000001s", 1_000),
        ("365000d", DURATION_MS_MAX),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn refused() {
    let table = [
        ("", DurationError::Empty),
        ("  ", DurationError::Empty),
        ("10", DurationError::Unit(2)),
        ("0 0", DurationError::Unit(2)),
        ("abc", DurationError::Number(0)),
        ("2026-01-01", DurationError::Unit(4)),
        ("-5s", DurationError::Negative),
        ("PT-5S", DurationError::Negative),
        ("-PT5S", DurationError::Negative),
        ("5x", DurationError::Unit(1)),
        ("5s 3", DurationError::Unit(4)),
        ("1.s", DurationError::Number(2)),
        (".5s", DurationError::Number(0)),
        ("P", DurationError::Number(1)),
        ("PT", DurationError::Number(2)),
        ("P1DT", DurationError::Number(4)),
        ("P1M", DurationError::Unit(2)),
        ("P1Y", DurationError::Unit(2)),
        ("P1H", DurationError::Unit(2)),
        ("PT1D", DurationError::Unit(3)),
        ("PT1HT1S", DurationError::Number(4)),
        ("365001d", DurationError::TooLong),
        ("99999999999999999999999999999999999999999w", DurationError::TooLong),
        ("999999999999999999w", DurationError::TooLong),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}

#[test]
fn durations_print_in_short_form_and_read_back() {
    for (ms, expected) in [
        (0, "0s"),
        (1, "1ms"),
        (500, "500ms"),
        (1_000, "1s"),
        (1_500, "1s 500ms"),
        (60_000, "1m"),
        (600_000, "10m"),
        (3_600_000, "1h"),
        (5_400_000, "1h 30m"),
        (86_400_000, "1d"),
        (604_800_000, "7d"),
        (90_061_001, "1d 1h 1m 1s 1ms"),
    ] {
        assert_eq!(short(ms), expected);
        assert_eq!(parse(expected), Ok(ms), "{expected}");
    }
}

#[test]
fn rfc3339() {
    let table = [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_799_999, "2000-02-29T23:59:59.999Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        (1_795_334_001_421, "2026-11-22T07:53:21.421Z"),
        (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ];
    for (ms, expected) in table {
        assert_eq!(time::milliseconds_utc(ms), expected);
    }
    assert_eq!(time::nanoseconds_utc(1_795_334_001_421), "2026-11-22T07:53:21.421000000Z");
    assert_eq!(time::milliseconds_offset(1_795_334_001_421), "2026-11-22T07:53:21.421+00:00");
}
