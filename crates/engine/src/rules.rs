//! Concurrency rules: which levels have a limit, and how high it is.
//!
//! A pattern has one to three components, `scope`, `scope/l1` or `scope/l1/l2`, each a name or `*`. It
//! limits the level of its last component, each distinct value of it separately: with `*/*` every
//! pair of a scope and a first level has its own units. Of several patterns that match a level the
//! most specific one counts: compared from the left, a name beats `*`. A disabled rule is not there;
//! one without a limit makes what it matches unlimited.
//! - Owns: patterns, matching, the set as the engine reads it.
//! - Does not own: storing and changing the set (crate `server`), counting ([`crate::units`]).

use std::collections::BTreeMap;

use crate::command::Millis;
use crate::level::{NameError, check_name};

/// Components of a pattern.
pub const PATTERN_COMPONENTS_MAX: usize = 3;

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Say what it matches.
    #[error("pattern cannot be empty")]
    Empty,
    /// Use fewer components.
    #[error("too many path components (max {PATTERN_COMPONENTS_MAX})")]
    TooManyComponents,
    /// Fix one component.
    #[error("invalid component: {0}")]
    Component(NameError),
}

/// Every rule, by pattern in normal form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Grows with every change of the set.
    pub version: u32,
    /// By pattern.
    pub by_pattern: BTreeMap<String, Rule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Most invocations of the level at the same time, at least 1; `None` is without limit.
    pub concurrency: Option<u32>,
    /// For people.
    pub description: Option<String>,
    /// True while the rule is to be ignored.
    pub disabled: bool,
    /// Version of the set with which it changed last.
    pub version: u32,
    /// When it changed last.
    pub modified_at: Millis,
}

/// The rule that counts for a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<'a> {
    /// Its pattern.
    pub pattern: &'a str,
    /// Its limit.
    pub concurrency: u32,
}

/// Checks a pattern and returns its normal form: without a slash at its end.
pub fn parse_pattern(text: &str) -> Result<String, PatternError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() {
        return Err(PatternError::Empty);
    }
    if text.split('/').count() > PATTERN_COMPONENTS_MAX {
        return Err(PatternError::TooManyComponents);
    }
    for component in text.split('/').filter(|component| *component != "*") {
        check_name(component).map_err(PatternError::Component)?;
    }
    Ok(text.to_owned())
}

impl Rules {
    /// Finds the limit of a level, named from the scope down; `None` when it has none. Costs at most
    /// eight lookups.
    pub fn limit(&self, level: &[&str]) -> Option<Limit<'_>> {
        if self.by_pattern.is_empty() {
            return None;
        }
        // Counted up, a set bit is a `*`, the scope the highest: the most specific comes first.
        let rule = (0..1_u32 << level.len()).find_map(|wildcards| {
            let mut pattern = String::with_capacity(level.iter().map(|name| name.len() + 1).sum());
            for (at, name) in level.iter().enumerate() {
                let wild = wildcards >> (level.len() - 1 - at) & 1 == 1;
                pattern.push_str(if at == 0 { "" } else { "/" });
                pattern.push_str(if wild { "*" } else { name });
            }
            self.by_pattern.get_key_value(&pattern).filter(|(_, rule)| !rule.disabled)
        });
        let (pattern, rule) = rule?;
        rule.concurrency.map(|concurrency| Limit { pattern, concurrency })
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, Rules, parse_pattern};

    #[test]
    fn patterns_are_checked() {
        for (text, expected) in [
            ("*", Ok("*")),
            ("s", Ok("s")),
            ("s/", Ok("s")),
            ("s/*/x", Ok("s/*/x")),
            ("", Err("pattern cannot be empty")),
            ("/", Err("pattern cannot be empty")),
            ("a/b/c/d", Err("too many path components (max 3)")),
            ("/s", Err("invalid component: value cannot be empty")),
            ("s//x", Err("invalid component: value cannot be empty")),
            (
                "s/x*",
                Err("invalid component: value contains characters outside the allowed set \
                     [a-zA-Z0-9_.-]"),
            ),
            (
                "0123456789012345678901234567890123456",
                Err("invalid component: value too long: 37 bytes (max 36)"),
            ),
        ] {
            let parsed = parse_pattern(text).map_err(|error| error.to_string());
            assert_eq!(parsed.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn the_most_specific_pattern_counts() {
        let rules = |patterns: &[&str]| {
            let mut rules = Rules::default();
            for (number, pattern) in (1..).zip(patterns) {
                let (disabled, pattern) = match pattern.strip_prefix('-') {
                    Some(pattern) => (true, pattern),
                    None => (false, *pattern),
                };
                let (concurrency, pattern) = match pattern.strip_suffix('!') {
                    Some(pattern) => (None, pattern),
                    None => (Some(number), pattern),
                };
                let rule = Rule { concurrency, disabled, ..Rule::default() };
                rules.by_pattern.insert(pattern.to_owned(), rule);
            }
            rules
        };
        for (patterns, level, expected) in [
            (&[][..], &["s"][..], None),
            (&["*"], &["s"], Some("*")),
            (&["*"], &["s", "a"], None),
            (&["s/a"], &["s"], None),
            (&["*", "s"], &["s"], Some("s")),
            (&["*", "-s"], &["s"], Some("*")),
            (&["*", "s!"], &["s"], None),
            (&["*/*", "*/a", "s/*"], &["s", "a"], Some("s/*")),
            (&["*/*", "*/a", "s/*", "s/a"], &["s", "a"], Some("s/a")),
            (&["*/*", "*/a"], &["s", "a"], Some("*/a")),
            (&["*/*", "*/a"], &["s", "b"], Some("*/*")),
            (&["*/a/x", "s/*/*"], &["s", "a", "x"], Some("s/*/*")),
            (&["s/*/x", "s/a/*"], &["s", "a", "x"], Some("s/a/*")),
        ] {
            let rules = rules(patterns);
            let found = rules.limit(level).map(|limit| limit.pattern);
            assert_eq!(found, expected, "{patterns:?} {level:?}");
        }
    }
}
