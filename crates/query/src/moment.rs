//! How moments compare: as moments, in whatever form they are written.
//!
//! A column of moments shows `2026-11-22T07:53:27.673Z`; users also write `2026-11-22`,
//! `2026-11-22 07:53:27` or an offset of `+00:00`. SQLite compares texts, so its columns get a collation
//! of their own, which also orders and groups.
//!
//! - Invariant: two texts of the form that columns show compare as bytes do.

use std::cmp::Ordering;

use reveille_protocol::text::Moment;
use rusqlite::{Connection, Result};

/// The name that columns are declared with.
pub(crate) const COLLATION: &str = "MOMENT";

/// Length of a moment as columns show it.
const SHOWN_LEN: usize = 24;

/// Adds the collation to a connection.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    connection.create_collation(COLLATION, compare)
}

fn compare(left: &str, right: &str) -> Ordering {
    let is_shown = |text: &str| text.len() == SHOWN_LEN && text.ends_with('Z');
    if is_shown(left) && is_shown(right) {
        return left.cmp(right);
    }
    match (read(left), read(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

/// Reads a date, with or without time, in UTC. What is below a millisecond is cut off.
fn read(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(10)?;
    let utc = ["Z", "+00:00", "+00", " UTC"];
    let rest = utc.iter().find_map(|suffix| rest.strip_suffix(suffix)).unwrap_or(rest);
    let time = if rest.is_empty() { "00:00" } else { rest.strip_prefix(['T', ' '])? };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = is_number.then(|| format!("{fraction:0<3}"))?;
    Moment::parse(&format!("{date}T{time}{seconds}.{}", fraction.get(..3)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_forms_that_users_write() {
        let noon = Some(Moment(1_795_348_800_000));
        for (text, expected) in [
            ("2026-11-22", Some(Moment(1_795_305_600_000))),
            ("2026-11-22T12:00:00.000Z", noon),
            ("2026-11-22 12:00:00", noon),
            ("2026-11-22 12:00", noon),
            ("2026-11-22T12:00:00+00:00", noon),
            ("2026-11-22 12:00:00.0009+00", noon),
            ("2026-11-22 12:00:00 UTC", noon),
            ("2026-11-22T12:00:00.5Z", Some(Moment(1_795_348_800_500))),
            ("2026-11-22T12:00:00+02:00", None),
            ("2026-02-30", None),
            ("2026-11-22x", None),
            ("2026-11-22 12:00:00.", None),
            ("22.11.2026", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
