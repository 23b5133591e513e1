//! The ratchet: files and functions known to exceed a soft limit, with the size they may have.
//!
//! Owns `xtask/tidy-ratchet.txt`, one `WHAT LINES` a line. Invariant: a figure there only shrinks;
//! new lines are written by hand and argued for in review.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

use crate::workspace;

/// Something above its soft limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// `path` of a file or `path::function`.
    pub what: String,
    pub lines: usize,
    pub limit: usize,
}

const RATCHET_PATH: &str = "xtask/tidy-ratchet.txt";
const RATCHET_HEADER: &str =
    "# What exceeds a soft limit of `cargo xtask tidy`: PATH or PATH::FUNCTION, then its lines.
# Figures only shrink: `cargo xtask tidy --tighten` lowers them.
";

/// Compares the sizes found with the ratchet file, and lowers the file first if asked to.
pub fn check(sizes: &[Size], tighten: bool, problems: &mut Vec<String>) -> Result<()> {
    let path = workspace::root().join(RATCHET_PATH);
    let text =
        fs::read_to_string(&path).with_context(|| format!("could not read {RATCHET_PATH}"))?;
    let mut allowed = parse(&text)?;
    if tighten {
        allowed = tightened(&allowed, sizes);
        let lines = allowed.iter().map(|(what, lines)| format!("{what} {lines}\n"));
        fs::write(&path, RATCHET_HEADER.to_owned() + &lines.collect::<String>())
            .with_context(|| format!("could not write {RATCHET_PATH}"))?;
    }
    compare(&allowed, sizes, problems);
    Ok(())
}

/// Reads the ratchet file.
pub fn parse(text: &str) -> Result<BTreeMap<String, usize>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (what, lines) =
            line.rsplit_once(' ').with_context(|| format!("no figure in {line:?}"))?;
        let lines = lines.parse().with_context(|| format!("no number in {line:?}"))?;
        Ok((what.to_owned(), lines))
    });
    pairs.collect()
}

/// Reports what has grown, and what has shrunk without the ratchet having followed.
pub fn compare(allowed: &BTreeMap<String, usize>, sizes: &[Size], problems: &mut Vec<String>) {
    let mut actual = BTreeMap::new();
    for Size { what, lines, limit } in sizes {
        let largest = actual.entry(what.as_str()).or_insert(0);
        *largest = (*lines).max(*largest);
        match allowed.get(what) {
            None => problems.push(format!("{what}: {lines} lines, at most {limit}; split it")),
            Some(max) if lines > max => {
                problems.push(format!("{what}: grew to {lines} lines, the ratchet allows {max}"));
            }
            Some(_) => {}
        }
    }
    for (what, max) in allowed {
        let lines = actual.get(what.as_str()).copied().unwrap_or(0);
        if lines < *max {
            problems.push(format!("{what}: below its ratchet of {max}; run tidy --tighten"));
        }
    }
}

/// Lowers the figures to what was found and drops what is within the limits; never adds or raises.
pub fn tightened(allowed: &BTreeMap<String, usize>, sizes: &[Size]) -> BTreeMap<String, usize> {
    let mut lowered = BTreeMap::new();
    for Size { what, lines, .. } in sizes {
        if let Some(max) = allowed.get(what) {
            let entry = lowered.entry(what.clone()).or_insert(0);
            *entry = (*lines).max(*entry).min(*max);
        }
    }
    lowered
}
