//! Functions that SQLite lacks.
//!
//! | function | result |
//! |---|---|
//! | `now()` | the moment that the query sees |
//! | `ago('10 minutes')`, `hence('1h')` | that much before or after it |
//! | `regexp(pattern, text)` | what `ILIKE` asks: `%` and `_`, upper and lower case alike |
//! | `first_of(x)`, `last_of(x)` | aggregates: the first and the last value |
//! | `starts_with(text, prefix)` | true or false |

use rusqlite::{
    Connection, Error, Result,
    functions::{Aggregate, Context, FunctionFlags},
    types::Value,
};

use crate::text;

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// Adds every function to a connection.
pub(crate) fn register(connection: &Connection, now_ms: u64) -> Result<()> {
    connection.create_scalar_function("now", 0, FLAGS, move |_| Ok(text::time(now_ms)))?;
    connection.create_scalar_function("ago", 1, FLAGS, move |context| {
        Ok(text::time(now_ms.saturating_sub(span_ms(&context.get::<String>(0)?)?)))
    })?;
    connection.create_scalar_function("hence", 1, FLAGS, move |context| {
        Ok(text::time(now_ms.saturating_add(span_ms(&context.get::<String>(0)?)?)))
    })?;
    connection.create_scalar_function("regexp", 2, FLAGS, |context| {
        let pattern: Option<String> = context.get(0)?;
        let text: Option<String> = context.get(1)?;
        Ok(pattern
            .zip(text)
            .map(|(pattern, text)| is_like(&pattern.to_lowercase(), &text.to_lowercase())))
    })?;
    connection.create_scalar_function("starts_with", 2, FLAGS, |context| {
        let text: Option<String> = context.get(0)?;
        let prefix: Option<String> = context.get(1)?;
        Ok(text.zip(prefix).map(|(text, prefix)| text.starts_with(&prefix)))
    })?;
    connection.create_aggregate_function("first_of", 1, FLAGS, First)?;
    connection.create_aggregate_function("last_of", 1, FLAGS, Last)
}

/// Reads `10 minutes`, `1h 30m`, `2 days`.
fn span_ms(text: &str) -> Result<u64> {
    const UNITS: [(&str, u64); 6] = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
    ];
    let unknown = || {
        let message = format!("{text:?} is no span such as '10 minutes', '1h 30m' or '2 days'");
        Error::UserFunctionError(message.into())
    };
    let mut total = 0_u64;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let amount: u64 = rest[..digits].parse().map_err(|_| unknown())?;
        let unit = rest[digits..].trim_start();
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let name = match unit[..letters].to_ascii_lowercase().as_str() {
            "ms" | "millisecond" | "milliseconds" => "ms",
            "s" | "sec" | "secs" | "second" | "seconds" => "s",
            "m" | "min" | "mins" | "minute" | "minutes" => "m",
            "h" | "hour" | "hours" => "h",
            "d" | "day" | "days" => "d",
            "w" | "week" | "weeks" => "w",
            _ => return Err(unknown()),
        };
        let factor = UNITS.iter().find(|(unit, _)| *unit == name).map_or(0, |(_, factor)| *factor);
        total = amount
            .checked_mul(factor)
            .and_then(|span| total.checked_add(span))
            .ok_or_else(unknown)?;
        rest = unit[letters..].trim_start();
    }
    Ok(total)
}

/// Matches with `%` for any text and `_` for one character. Linear in the text for each `%`.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut in_text) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some('%') => {
                last_any = Some((at, in_text));
                at += 1;
            }
            Some(c) if *c == '_' || *c == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => match last_any {
                Some((any, from)) => {
                    last_any = Some((any, from + 1));
                    at = any + 1;
                    in_text = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '%')
}

struct First;
struct Last;

impl Aggregate<Option<Value>, Value> for First {
    fn init(&self, _context: &mut Context<'_>) -> Result<Option<Value>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, first: &mut Option<Value>) -> Result<()> {
        if first.is_none() {
            *first = Some(context.get(0)?);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, first: Option<Option<Value>>) -> Result<Value> {
        Ok(first.flatten().unwrap_or(Value::Null))
    }
}

impl Aggregate<Option<Value>, Value> for Last {
    fn init(&self, _context: &mut Context<'_>) -> Result<Option<Value>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, last: &mut Option<Value>) -> Result<()> {
        *last = Some(context.get(0)?);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, last: Option<Option<Value>>) -> Result<Value> {
        Ok(last.flatten().unwrap_or(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::{is_like, span_ms};

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("%", "", true),
            ("", "a", false),
            ("%ab%ab", "abxab", true),
            ("%aab", "aaab", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn spans() {
        for (text, expected) in [
            ("10 minutes", Some(600_000)),
            ("1h 30m", Some(5_400_000)),
            ("2 days", Some(172_800_000)),
            ("5ms", Some(5)),
            ("", Some(0)),
            ("soon", None),
            ("5 parsecs", None),
            ("99999999999999999999d", None),
            ("9999999999999999d", None),
        ] {
            assert_eq!(span_ms(text).ok(), expected, "{text}");
        }
    }
}
