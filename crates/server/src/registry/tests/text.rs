//! Durations and times as text.

use crate::registry::{duration, parse_duration, timestamp_ms, timestamp_nanos};

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
        assert_eq!(duration(ms), expected);
        assert_eq!(parse_duration(expected), Some(ms), "{expected}");
    }
}

#[test]
fn durations_read_in_other_forms() {
    for (text, expected) in [
        ("10 min", Some(600_000)),
        ("1h30m", Some(5_400_000)),
        ("0.5s", Some(500)),
        ("PT10M", Some(600_000)),
        ("PT1.5S", Some(1_500)),
        ("P1DT12H", Some(129_600_000)),
        ("p1w", Some(604_800_000)),
        ("", None),
        ("10", None),
        ("m", None),
        ("-1m", None),
        ("10 years", None),
        ("1..5s", None),
        ("P", None),
        ("PT", None),
        ("P1M", None),
        ("99999999999999999999d", None),
        ("18446744073709551615d", None),
    ] {
        assert_eq!(parse_duration(text), expected, "{text}");
    }
}

#[test]
fn times_print_in_utc() {
    for (ms, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
        (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(timestamp_ms(ms), expected);
    }
    assert_eq!(timestamp_nanos(1_769_860_800_123), "2026-01-31T12:00:00.123000000Z");
}
