//! Awakeable ids: an invocation, its secret and a signal index.
//!
//! The deployment builds them from `Start.id`, which is our 24-byte invocation id followed by 16
//! secret bytes, so that nobody can complete an awakeable by guessing. The peer's ids carry no
//! secret (28 bytes instead of 44) and are refused.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::id::{InvocationId, TEXT_VERSION};
use crate::signal;

/// The length of `Start.id` in bytes: the invocation id and the secret.
pub const START_ID_LEN: usize = 40;
/// `Start.id` and a big-endian `u32`.
const AWAKEABLE_ID_LEN: usize = START_ID_LEN + 4;
/// Base64 characters of `AWAKEABLE_ID_LEN` bytes, without padding.
const AWAKEABLE_TEXT_LEN: usize = (AWAKEABLE_ID_LEN * 8).div_ceil(6);
/// Base64 characters of the peer's 28 bytes; a `prom_1` id up to here is merely too short.
const PEER_TEXT_LEN: usize = 38;

/// Writes no padding, accepts it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Identifies an awakeable.
///
/// `Display` prints the secret, as the text form needs it; `Debug` does not. Compare the secret in
/// constant time against the one of the invocation, not with `==`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AwakeableId {
    /// The invocation that waits.
    pub invocation: InvocationId,
    /// The secret of that invocation.
    pub secret: [u8; 16],
    /// The signal index, at least [`signal::AWAKEABLE_FIRST`] when parsed.
    pub index: u32,
}

impl fmt::Display for AwakeableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; AWAKEABLE_ID_LEN];
        bytes[..24].copy_from_slice(self.invocation.as_bytes());
        bytes[24..START_ID_LEN].copy_from_slice(&self.secret);
        bytes[START_ID_LEN..].copy_from_slice(&self.index.to_be_bytes());
        write!(f, "sign_1{}", BASE64.encode(bytes))
    }
}

impl fmt::Debug for AwakeableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwakeableId")
            .field("invocation", &self.invocation)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl FromStr for AwakeableId {
    type Err = AwakeableIdError;

    /// Reads a `sign_1` id, or a legacy `prom_1` id of the same layout, with or without padding.
    fn from_str(text: &str) -> Result<Self, AwakeableIdError> {
        if text.is_empty() {
            return Err(AwakeableIdError::Length);
        }
        let (prefix, rest) = text.split_once('_').ok_or(AwakeableIdError::Format)?;
        if !matches!(prefix, "sign" | "prom" | "inv" | "dp" | "sub" | "vq") {
            return Err(AwakeableIdError::Resource(prefix.to_owned()));
        }
        let encoded = match rest.as_bytes() {
            [] => return Err(AwakeableIdError::Length),
            [TEXT_VERSION, encoded @ ..] => encoded,
            _ => return Err(AwakeableIdError::Version),
        };
        match prefix {
            "prom" if encoded.len() < PEER_TEXT_LEN => Err(AwakeableIdError::Length),
            "sign" | "prom" => decode(encoded).ok_or(AwakeableIdError::Type),
            _ => Err(AwakeableIdError::Type),
        }
    }
}

fn decode(encoded: &[u8]) -> Option<AwakeableId> {
    // One `=` pads 59 characters to a multiple of four.
    if encoded.len() > AWAKEABLE_TEXT_LEN + 1 {
        return None;
    }
    let bytes = BASE64.decode(encoded).ok()?;
    let (invocation, rest) = bytes.split_first_chunk::<24>()?;
    let (secret, index) = rest.split_first_chunk::<16>()?;
    let index = u32::from_be_bytes(index.try_into().ok()?);
    (index >= signal::AWAKEABLE_FIRST).then(|| AwakeableId {
        invocation: InvocationId::from_bytes(*invocation),
        secret: *secret,
        index,
    })
}

/// Why a text is not an awakeable id. All variants mean: the client must fix its input.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AwakeableIdError {
    /// There is no underscore.
    #[error("bad format")]
    Format,
    /// Empty, or nothing behind the prefix.
    #[error("bad length")]
    Length,
    /// The id of something else, or not of our layout, or an index that no awakeable has.
    #[error("id doesn't match the expected type")]
    Type,
    /// A version of the text form that we do not know.
    #[error("unrecognized codec version")]
    Version,
    /// A prefix that names nothing; the field is that prefix.
    #[error("unrecognized resource type: {0}")]
    Resource(String),
}
