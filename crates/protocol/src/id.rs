//! Identifiers and their text forms.
//!
//! ```text
//! invocation  inv_1  + 11 digits (partition key) + 22 digits (unique part)   38 characters
//! awakeable   sign_1 + base64url of invocation, secret and index             65 characters
//! deployment  dp_1   + 22 digits                                             26 characters
//! subscription sub_1 + 22 digits                                             27 characters
//! ```
//!
//! `1` is the version of the text form. Digits are base 62, `0-9a-zA-Z`, most significant first,
//! fixed width.
//! - Owns: [`InvocationId`], [`AwakeableId`], [`DeploymentId`], [`SubscriptionId`]; parsing and
//!   printing.
//! - Does not own: how ids are chosen, nor the check of an awakeable's secret.
//! - Invariant: what `Display` prints, `FromStr` reads back.

mod awakeable;
mod base62;
mod subscription;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use awakeable::{AwakeableId, AwakeableIdError, START_ID_LEN};
pub use subscription::SubscriptionId;

/// The only known version of the text forms.
const TEXT_VERSION: u8 = b'1';
/// Base-62 digits of a `u64`.
const DIGITS_U64: usize = 11;
/// Base-62 digits of a `u128`.
const DIGITS_U128: usize = 22;

/// Identifies an invocation: 8 bytes of partition key, then 16 unique bytes.
///
/// Both numbers are little-endian in the bytes, which are those of the wire; the derived order is
/// the order of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvocationId([u8; 24]);

impl InvocationId {
    /// Joins a partition key and a unique part.
    pub fn from_parts(partition_key: u64, unique: u128) -> Self {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&partition_key.to_le_bytes());
        bytes[8..].copy_from_slice(&unique.to_le_bytes());
        Self(bytes)
    }

    /// Takes the 24 bytes of the wire form.
    pub fn from_bytes(bytes: [u8; 24]) -> Self {
        Self(bytes)
    }

    /// Returns the 24 bytes of the wire form.
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// Returns the partition key: invocations of one object key share it.
    pub fn partition_key(&self) -> u64 {
        self.0[..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Returns the unique part.
    pub fn unique(&self) -> u128 {
        self.0[8..].iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("inv_1")?;
        base62::write::<DIGITS_U64>(f, self.partition_key().into())?;
        base62::write::<DIGITS_U128>(f, self.unique())
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for InvocationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = strip(text, "inv", DIGITS_U64 + DIGITS_U128)?;
        let (partition_key, unique) = digits.split_at(DIGITS_U64);
        let partition_key = base62::read(partition_key).and_then(|key| u64::try_from(key).ok());
        match (partition_key, base62::read(unique)) {
            (Some(partition_key), Some(unique)) => Ok(Self::from_parts(partition_key, unique)),
            _ => Err(IdError::Format),
        }
    }
}

/// Identifies a deployment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentId(
    /// The number behind the digits.
    pub u128,
);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dp_1")?;
        base62::write::<DIGITS_U128>(f, self.0)
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeploymentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = strip(text, "dp", DIGITS_U128)?;
        base62::read(digits).map(Self).ok_or(IdError::Format)
    }
}

/// Why a text is not an id. All variants mean: the client must fix its input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// No or another prefix, an illegal digit, or a number that is too big.
    #[error("bad format")]
    Format,
    /// Too short or too long; also the empty text.
    #[error("bad length")]
    Length,
    /// A version of the text form that we do not know.
    #[error("unrecognized codec version")]
    Version,
}

/// Removes `prefix`, the underscore and the version; exactly `digits_len` bytes remain.
fn strip<'a>(text: &'a str, prefix: &str, digits_len: usize) -> Result<&'a [u8], IdError> {
    if text.is_empty() {
        return Err(IdError::Length);
    }
    match text.split_once('_') {
        Some((found, rest)) if found == prefix => match rest.as_bytes() {
            [] => Err(IdError::Length),
            [TEXT_VERSION, digits @ ..] if digits.len() == digits_len => Ok(digits),
            [TEXT_VERSION, ..] => Err(IdError::Length),
            _ => Err(IdError::Version),
        },
        _ => Err(IdError::Format),
    }
}
