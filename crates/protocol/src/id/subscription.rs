//! Identifies a subscription to a topic.

use std::fmt;
use std::str::FromStr;

use super::{DIGITS_U128, IdError, base62, strip};

/// Identifies a subscription to a topic: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(
    /// The number behind the digits.
    pub u128,
);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sub_1")?;
        base62::write::<DIGITS_U128>(f, self.0)
    }
}

impl fmt::Debug for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SubscriptionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = strip(text, "sub", DIGITS_U128)?;
        base62::read(digits).map(Self).ok_or(IdError::Format)
    }
}
