//! Request identity, scheme `v1`: only requests that a known server has signed are answered.
//!
//! A JWT, signed with Ed25519, whose audience is the path without the deployment's own prefix.
//! - Owns: public keys, the checks of a token.
//! - Invariant: with a key configured, nothing but health is answered to a request that lacks a valid
//!   token. No clock skew is admitted; servers date tokens back.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

const SCHEME: &str = "x-restate-signature-scheme";
const TOKEN: &str = "x-restate-jwt-v1";
const PREFIX: &str = "publickeyv1_";
const KEY_BYTES: usize = 32;
/// Base58 digits that 32 bytes have at most.
const KEY_DIGITS_MAX: usize = 44;

/// The public half of what a server signs with.
pub(super) struct IdentityKey([u8; KEY_BYTES]);

impl IdentityKey {
    /// Reads `publickeyv1_` and base58.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let bytes = base58(digits)?;
        bytes.try_into().ok().map(Self)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: Audience,
    exp: u64,
    nbf: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Why a request is refused, if it is.
pub(super) fn refuse(
    keys: &[IdentityKey],
    headers: &HeaderMap,
    path: &str,
) -> Option<&'static str> {
    // A clock before 1970 refuses everything.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    refuse_at(keys, headers, path, now.as_secs())
}

fn refuse_at(
    keys: &[IdentityKey],
    headers: &HeaderMap,
    path: &str,
    now_s: u64,
) -> Option<&'static str> {
    if keys.is_empty() {
        return None;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match text(SCHEME) {
        Some("v1") => {}
        Some("unsigned") => return Some("the request is not signed"),
        Some(_) => return Some("unknown signature scheme"),
        None => return Some("the request has no signature scheme"),
    }
    let Some(token) = text(TOKEN) else { return Some("the request has no token") };
    match claims(keys, token) {
        None => Some("the token is not signed with a known key"),
        Some(claims) if !claims.aud.names(audience(path)) => Some("the token is for another path"),
        Some(claims) if claims.exp <= now_s => Some("the token has expired"),
        Some(claims) if claims.nbf > now_s => Some("the token is not valid yet"),
        Some(_) => None,
    }
}

/// The claims of a token that one of the keys has signed.
fn claims(keys: &[IdentityKey], token: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    let signature = decode(signature)?;
    let is_signed = |key: &IdentityKey| {
        UnparsedPublicKey::new(&ED25519, &key.0).verify(signed.as_bytes(), &signature).is_ok()
    };
    if header.alg != "EdDSA" || !keys.iter().any(is_signed) {
        return None;
    }
    serde_json::from_slice(&decode(claims)?).ok()
}

impl Audience {
    fn names(&self, path: &str) -> bool {
        match self {
            Self::One(audience) => audience == path,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == path),
        }
    }
}

/// The path without the prefix of the deployment.
fn audience(path: &str) -> &str {
    let mut slashes = path.rmatch_indices('/').map(|(at, _)| at);
    let (last, third) = (slashes.next(), slashes.nth(1));
    match (last, third) {
        (Some(last), _) if &path[last..] == "/discover" => &path[last..],
        (_, Some(third)) if path[third..].starts_with("/invoke/") => &path[third..],
        _ => path,
    }
}

/// Decodes with the alphabet of Bitcoin; a leading `1` is a zero byte.
fn base58(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if text.len() > KEY_DIGITS_MAX {
        return None;
    }
    // Lowest byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for digit in text.chars() {
        let mut carry = ALPHABET.find(digit)? as u32;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    let zeros = text.chars().take_while(|digit| *digit == '1').count();
    bytes.resize(bytes.len() + zeros, 0);
    bytes.reverse();
    Some(bytes)
}

#[cfg(test)]
mod tests;
