//! Patterns: text in which `…` stands for any run of characters, and `{name}` for a variable.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a case has kept so far, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// Puts the variables in. Braces that name none stay, so JSON needs no escapes.
pub(crate) fn fill(text: &str, variables: &Variables) -> String {
    let mut filled = text.to_owned();
    for (name, value) in variables {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

/// Tells whether a text fits a pattern.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Tells whether a JSON value fits one whose strings are patterns. Objects must have the same
/// members, lists the same length.
pub(crate) fn json_fits(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::String(pattern), Value::String(text)) => fits(pattern, text),
        (Value::Array(patterns), Value::Array(values)) => {
            patterns.len() == values.len()
                && patterns.iter().zip(values).all(|(pattern, value)| json_fits(pattern, value))
        }
        (Value::Object(patterns), Value::Object(values)) => {
            patterns.len() == values.len()
                && patterns.iter().all(|(name, pattern)| {
                    values.get(name).is_some_and(|value| json_fits(pattern, value))
                })
        }
        _ => pattern == value,
    }
}

/// Puts the variables into every string of a JSON value.
pub(crate) fn json_fill(value: &Value, variables: &Variables) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, variables)),
        Value::Array(values) => {
            Value::Array(values.iter().map(|value| json_fill(value, variables)).collect())
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (fill(name, variables), json_fill(value, variables)))
                .collect(),
        ),
        other => other.clone(),
    }
}
