//! Scopes and limit keys: what they may look like, and the levels they name.
//!
//! A scope is a namespace that becomes part of the identity of an invocation. A limit key names up to
//! two levels below it, `tenant` or `tenant/user`, and is not part of the identity. Rules
//! ([`crate::rules`]) limit how many invocations of a level run at the same time.
//! - Owns: the checks and texts of both, [`Levels`], what is stored of a level.
//! - Does not own: counting ([`crate::units`]).
//! - Invariant: names have no byte 0, so that a key of rows can end them with one.

use crate::record::InvocationRecord;

/// Longest scope or level of a limit key, in bytes.
pub const NAME_LEN_MAX: usize = 36;

/// Levels of a limit key.
pub const LIMIT_KEY_LEVELS_MAX: usize = 2;

/// Why a scope or a level of a limit key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Leave it out instead.
    #[error("value cannot be empty")]
    Empty,
    /// Use other characters.
    #[error("value contains characters outside the allowed set [a-zA-Z0-9_.-]")]
    Characters,
    /// Use a shorter one; the field is its length.
    #[error("value too long: {0} bytes (max {NAME_LEN_MAX})")]
    TooLong(usize),
}

/// Why a limit key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitKeyError {
    /// Use fewer levels.
    #[error("too many path components in the given limit-key (max {LIMIT_KEY_LEVELS_MAX})")]
    TooManyLevels,
    /// Fix one level.
    #[error("invalid limit-key component: {0}")]
    Level(NameError),
}

/// Checks a scope, or one level of a limit key.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() {
        Err(NameError::Empty)
    } else if !name.chars().all(allowed) {
        Err(NameError::Characters)
    } else if name.len() > NAME_LEN_MAX {
        Err(NameError::TooLong(name.len()))
    } else {
        Ok(())
    }
}

/// Checks a limit key and returns its normal form: without a slash at its end.
pub fn parse_limit_key(text: &str) -> Result<String, LimitKeyError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.split('/').count() > LIMIT_KEY_LEVELS_MAX {
        return Err(LimitKeyError::TooManyLevels);
    }
    text.split('/').try_for_each(check_name).map_err(LimitKeyError::Level)?;
    Ok(text.to_owned())
}

/// What is counted of one level of a scope or limit key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LevelRecord {
    /// Invocations that run or back off.
    #[prost(uint32, tag = "1")]
    pub usage: u32,
    /// Invocations that queue for units, here or below.
    #[prost(uint64, tag = "2")]
    pub waiting: u64,
    /// Name of the child that had the last turn.
    #[prost(string, optional, tag = "3")]
    pub last: Option<String>,
    /// Next queue position to give out, of a scope.
    #[prost(uint64, tag = "4")]
    pub tail: u64,
}

/// The levels that an invocation belongs to: its scope, then those of its limit key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels<'a> {
    names: [&'a str; 3],
    len: usize,
}

impl<'a> Levels<'a> {
    /// Reads them from a record; `None` without a scope.
    pub fn of(record: &'a InvocationRecord) -> Option<Levels<'a>> {
        Some(Levels::new(record.scope.as_deref()?, record.limit_key.as_deref()))
    }

    /// Makes them from a checked scope and limit key.
    pub fn new(scope: &'a str, limit_key: Option<&'a str>) -> Levels<'a> {
        let mut names = [scope, "", ""];
        let mut len = 1;
        let below = limit_key.into_iter().flat_map(|limit_key| limit_key.split('/'));
        for (slot, name) in names[1..].iter_mut().zip(below) {
            *slot = name;
            len += 1;
        }
        Levels { names, len }
    }

    /// All three names; a level that the invocation does not have is empty.
    pub fn names(&self) -> [&'a str; 3] {
        self.names
    }

    /// The levels it has, outermost first: the names from the scope down to each.
    pub fn iter(&self) -> impl Iterator<Item = &[&'a str]> {
        (1..=self.len).map(|len| &self.names[..len])
    }
}
