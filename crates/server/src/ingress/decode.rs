//! Percent-decoding of keys, scopes, awakeable ids and query parameters.
//!
//! - Invariant: nothing but keys, scopes, awakeable ids and query values is ever decoded; names and
//!   idempotency keys are taken as they stand in the path.

use std::borrow::Cow;

use reveille_engine::keys::NAME_BYTES_MAX;
use reveille_engine::level::check_name;

use super::error::IngressError;

/// Decodes an object or workflow key: `+` stays, a malformed escape stays as it is, and what is not
/// UTF-8 afterwards is refused.
pub fn decode_key(segment: &str) -> Result<String, IngressError> {
    let key = match decode(segment, false) {
        Cow::Borrowed(_) => segment.to_owned(),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map_err(|error| IngressError::KeyNotUtf8(error.utf8_error()))?,
    };
    check_key_len("object key", &key)?;
    Ok(key)
}

/// Decodes a scope of a path.
pub fn decode_scope(segment: &str) -> Result<String, IngressError> {
    let scope = String::from_utf8_lossy(&decode(segment, false)).into_owned();
    check_name(&scope).map_err(IngressError::Scope)?;
    Ok(scope)
}

/// Decodes an awakeable id of a path: some SDKs pad it with `=`, which cautious clients escape.
pub fn decode_awakeable_id(segment: &str) -> Cow<'_, str> {
    match decode(segment, false) {
        Cow::Borrowed(_) => Cow::Borrowed(segment),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Refuses keys that do not fit into the rows of the store.
pub fn check_key_len(what: &'static str, key: &str) -> Result<(), IngressError> {
    if key.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(IngressError::KeyTooLong { what, len: key.len() })
}

/// Finds a parameter in a query string: the first one of that name, whatever its case; `+` is read
/// as a space.
pub fn query_parameter<'q>(query: Option<&'q str>, name: &str) -> Option<Cow<'q, str>> {
    query?.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !decode(found, true).eq_ignore_ascii_case(name.as_bytes()) {
            return None;
        }
        Some(match decode(value, true) {
            Cow::Borrowed(_) => Cow::Borrowed(value),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    })
}

/// Decodes escapes; borrows when there is nothing to decode.
fn decode(text: &str, plus_is_space: bool) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| *byte == b'%' || (plus_is_space && *byte == b'+')) {
        return Cow::Borrowed(bytes);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        (rest, _) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (after, decoded.push(high << 4 | low)),
                _ => (tail, decoded.push(b'%')),
            },
            (b'+', _) if plus_is_space => (tail, decoded.push(b' ')),
            _ => (tail, decoded.push(*first)),
        };
    }
    Cow::Owned(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
