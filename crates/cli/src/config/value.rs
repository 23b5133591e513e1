//! Formats of values: durations, sizes and bounded numbers.
//!
//! - Owns: text to number, with an error that shows a right example.
//! - Invariant: what is accepted never overflows and is inside the bounds named in the error.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use reveille_server::{config::KafkaClusterConfig, registry::kafka::Properties, text::duration};

/// Largest size limit: the store holds values of twice that, so a body fits with its envelope.
const SIZE_MAX: u64 = reveille_store::VALUE_BYTES_MAX as u64 / 2;

/// Longest duration: 100 years. It keeps sums with a present time far from overflow.
const DURATION_MS_MAX: u64 = 100 * 365 * 86_400_000;

const SIZE_UNITS: &[(&[&str], f64)] = &[
    (&["b", "byte", "bytes"], 1.0),
    (&["kb"], 1e3),
    (&["mb"], 1e6),
    (&["gb"], 1e9),
    (&["kib"], 1024.0),
    (&["mib"], 1_048_576.0),
    (&["gib"], 1_073_741_824.0),
];

/// Reads a duration in milliseconds: friendly (`1h 30m`) or ISO 8601 (`PT1H30M`); 100 years at most.
pub fn duration_ms(text: &str) -> anyhow::Result<u64> {
    let text = text.trim();
    let total = if text == "0" { Ok(0) } else { duration::parse(text) };
    let total = total.context("expected a duration such as 10s, 1h 30m, 500ms or PT10S")?;
    ensure!(total <= DURATION_MS_MAX, "expected a duration of at most 100 years");
    Ok(total)
}

/// Reads a size in bytes: a number, or a number with a unit (`32MiB`, `500 kB`).
pub fn size(text: &str) -> anyhow::Result<usize> {
    let lower = text.trim().to_ascii_lowercase();
    let total = match lower.parse::<u64>() {
        Ok(bytes) => bytes as f64,
        Err(_) => sum(&lower).context("expected a size such as 32MiB")?,
    };
    let in_bounds = (1.0..=SIZE_MAX as f64).contains(&total);
    ensure!(in_bounds, "expected a size from 1 byte to {}MiB", SIZE_MAX >> 20);
    Ok(total.round() as usize)
}

/// Reads a whole number within bounds, both included.
pub fn number(text: &str, min: u64, max: u64) -> anyhow::Result<u64> {
    match text.trim().parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => bail!("expected a whole number from {min} to {max}"),
    }
}

/// Reads `true` or `false`.
pub fn flag(text: &str) -> anyhow::Result<bool> {
    text.trim().parse().ok().context("expected true or false")
}

/// Adds up `<number><unit>` pairs; spaces are allowed between all parts.
fn sum(text: &str) -> anyhow::Result<f64> {
    let mut rest = text.trim();
    ensure!(!rest.is_empty(), "it is empty");
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let Ok(number) = number.parse::<f64>() else { bail!("there is no number before {unit:?}") };
        ensure!(!unit.is_empty(), "there is no unit after {number}");
        let found = SIZE_UNITS.iter().find(|(names, _)| names.contains(&unit));
        let Some((_, factor)) = found else { bail!("there is no unit {unit:?}") };
        total += number * factor;
        rest = after.trim_start();
    }
    Ok(total)
}

/// Parses headers: `name=value`, with commas between several; `none` is none. The error does not
/// repeat values, which may be credentials.
pub fn headers(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let pairs = text.split(',').map(|pair| match pair.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => bail!("expected headers such as name=value,other=value, or none"),
    });
    pairs.collect()
}

/// Parses clusters: a JSON object of properties by name of the cluster; `none` is none. The error does
/// not repeat values, which may be credentials.
pub fn kafka_clusters(text: &str) -> anyhow::Result<Vec<KafkaClusterConfig>> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let Ok(clusters) = serde_json::from_str::<BTreeMap<String, Properties>>(text) else {
        bail!(r#"expected JSON such as {{"main": {{"bootstrap.servers": "host:9092"}}}}, or none"#);
    };
    let cluster = |(name, properties)| KafkaClusterConfig { name, properties };
    Ok(clusters.into_iter().map(cluster).collect())
}
