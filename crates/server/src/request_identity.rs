//! Request identity: deployments recognise requests of this server by its signature (scheme `v1`).
//!
//! Two headers on every request, a JWT as SDKs verify it: Ed25519 over base64url of header and claims,
//! the audience being the path without the deployment's own prefix. The body is not signed; TLS is what
//! protects it.
//! - Owns: the key, its text form, the token and how long one is used again.
//! - Does not own: which requests are signed ([`crate::invoker`]).
//! - Invariant: no text of this module shows the private key, and a token that is sent is valid for at
//!   least [`LIFETIME_S`] minus [`REUSE_S`] seconds more.
//! - Start at [`RequestIdentity::sign`].

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::limits;

/// Seconds from its making until a token expires.
pub const LIFETIME_S: u64 = 60;

/// Seconds before its making from which a token is valid, for clocks that are behind.
pub const BACKDATE_S: u64 = 60;

/// Seconds for which a token is used again. Signing takes some 20 µs, finding a token less than one.
pub const REUSE_S: u64 = 15;

const SCHEME: HeaderName = HeaderName::from_static("x-restate-signature-scheme");
const TOKEN: HeaderName = HeaderName::from_static("x-restate-jwt-v1");

/// DER of a PKCS#8 Ed25519 key up to its 32 bytes, as OpenSSL writes it.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Why there is no key. Mend the file or the setting.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        cause: String,
    },
    /// The text is no such key.
    #[error(
        "it is no Ed25519 private key as PKCS#8 PEM; make one with `reveille identity generate` or \
         `openssl genpkey -algorithm ed25519`"
    )]
    NoKey,
    /// As [`IdentityError::NoKey`], with the file.
    #[error("{path} cannot be used: {cause}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        cause: Box<IdentityError>,
    },
}

/// Signs requests. Clones share key and tokens.
#[derive(Clone)]
pub struct RequestIdentity {
    inner: Arc<Inner>,
}

struct Inner {
    key: Ed25519KeyPair,
    public_key: String,
    /// The first part of every token, with its dot.
    header: String,
    tokens: Mutex<HashMap<String, Token>>,
}

struct Token {
    value: HeaderValue,
    made_at_s: u64,
}

impl fmt::Debug for RequestIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestIdentity").field(&self.inner.public_key).finish()
    }
}

impl RequestIdentity {
    /// Reads the key from a PEM file.
    pub fn from_file(path: &Path) -> Result<RequestIdentity, IdentityError> {
        let shown = path.display().to_string();
        let text = std::fs::read(path).map_err(|cause| IdentityError::Read {
            path: shown.clone(),
            cause: cause.to_string(),
        })?;
        RequestIdentity::from_pem(&text)
            .map_err(|cause| IdentityError::File { path: shown, cause: Box::new(cause) })
    }

    /// Reads the key from PEM text: PKCS#8, with or without the public key in it.
    pub fn from_pem(text: &[u8]) -> Result<RequestIdentity, IdentityError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|_| IdentityError::NoKey)?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        Ok(RequestIdentity::from_key(key.map_err(|_| IdentityError::NoKey)?))
    }

    fn from_key(key: Ed25519KeyPair) -> RequestIdentity {
        let public_key = format!("publickeyv1_{}", base58(key.public_key().as_ref()));
        let header = format!(r#"{{"typ":"JWT","alg":"EdDSA","kid":"{public_key}"}}"#);
        let header = URL_SAFE_NO_PAD.encode(header) + ".";
        let tokens = Mutex::default();
        RequestIdentity { inner: Arc::new(Inner { key, public_key, header, tokens }) }
    }

    /// The public key as SDKs take it: `publickeyv1_` and base58.
    pub fn public_key(&self) -> &str {
        &self.inner.public_key
    }

    /// Adds the two headers; what stood under their names goes. `now_s` is Unix time in seconds.
    pub fn sign(&self, headers: &mut HeaderMap, audience: &str, now_s: u64) {
        headers.insert(SCHEME, HeaderValue::from_static("v1"));
        headers.insert(TOKEN, self.token(audience, now_s));
    }

    fn token(&self, audience: &str, now_s: u64) -> HeaderValue {
        let mut tokens = self.inner.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = tokens.get(audience)
            && (token.made_at_s..token.made_at_s + REUSE_S).contains(&now_s)
        {
            return token.value.clone();
        }
        if tokens.len() >= limits::IDENTITY_TOKENS {
            // More handlers than that are called: none of them is signed less often than before.
            tokens.clear();
        }
        let value = self.inner.make(audience, now_s);
        tokens.insert(audience.to_owned(), Token { value: value.clone(), made_at_s: now_s });
        value
    }
}

impl Inner {
    fn make(&self, audience: &str, now_s: u64) -> HeaderValue {
        let audience = serde_json::Value::from(audience);
        let (exp, nbf) = (now_s + LIFETIME_S, now_s.saturating_sub(BACKDATE_S));
        let claims = format!(r#"{{"aud":{audience},"exp":{exp},"iat":{now_s},"nbf":{nbf}}}"#);
        let mut token = self.header.clone();
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        let mut value = HeaderValue::try_from(token).expect("base64url and dots");
        value.set_sensitive(true);
        value
    }
}

/// Makes a private key as PKCS#8 PEM from 32 random bytes.
pub fn private_key_pem(seed: &[u8; 32]) -> String {
    let der = [PKCS8_PREFIX.as_slice(), seed].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// Encodes with the alphabet of Bitcoin; leading zero bytes become `1`.
fn base58(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // Lowest digit first.
    let mut digits: Vec<u8> = Vec::new();
    for byte in &bytes[zeros..] {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let digits = digits.iter().rev().map(|digit| char::from(ALPHABET[usize::from(*digit)]));
    std::iter::repeat_n('1', zeros).chain(digits).collect()
}

#[cfg(test)]
mod tests;
