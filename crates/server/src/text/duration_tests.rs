//! The grammar of delays.

use super::super::delay::{DelayError, parse};
use crate::limits::DELAY_MS_MAX;

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
        ("365000d", DELAY_MS_MAX),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn refused() {
    let table = [
        ("", DelayError::Empty),
        ("  ", DelayError::Empty),
        ("10", DelayError::Unit(2)),
        ("abc", DelayError::Number(0)),
        ("2026-01-01", DelayError::Unit(4)),
        ("-5s", DelayError::Negative),
        ("PT-5S", DelayError::Negative),
        ("-PT5S", DelayError::Negative),
        ("5x", DelayError::Unit(1)),
        ("5s 3", DelayError::Unit(4)),
        ("1.s", DelayError::Number(2)),
        (".5s", DelayError::Number(0)),
        ("P", DelayError::Number(1)),
        ("PT", DelayError::Number(2)),
        ("P1DT", DelayError::Number(4)),
        ("P1M", DelayError::Unit(2)),
        ("P1Y", DelayError::Unit(2)),
        ("P1H", DelayError::Unit(2)),
        ("PT1D", DelayError::Unit(3)),
        ("PT1HT1S", DelayError::Number(4)),
        ("365001d", DelayError::TooLong),
        ("99999999999999999999999999999999999999999w", DelayError::TooLong),
        ("999999999999999999w", DelayError::TooLong),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}
