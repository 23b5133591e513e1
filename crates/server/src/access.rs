//! Bearer tokens: who may use a listener at all.
//!
//! Settings hold hashes only. A token is long and random, so a plain SHA-256 of it is enough: there is
//! nothing to guess.
//! - Owns: reading lists of hashes, checking the `authorization` header, making tokens.
//! - Does not own: which requests need a token ([`crate::ingress`], [`crate::admin`]).
//! - Invariant: how long a check takes does not depend on how much of a token is right, nor on which
//!   hash it matches.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use reveille_protocol::text::hex;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::limits;

/// What every token of `reveille token` begins with, so that scanners for leaked secrets find it.
pub const TOKEN_PREFIX: &str = "reveille_";

const HASH_PREFIX: &str = "sha256:";

/// The tokens that are let in; none means that everyone is. Clones share the list.
#[derive(Clone, Default)]
pub struct Tokens {
    list: Arc<[Token]>,
}

struct Token {
    name: Option<String>,
    hash: [u8; 32],
}

/// What the header of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// There are no tokens: everyone is let in, and headers mean nothing here.
    Open,
    /// A token that is let in.
    Granted,
    /// No token. Answer 401.
    Missing,
    /// Something that is no token of the list. Answer 401.
    Wrong,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Why a text is no list of hashes. Fix the setting. Never shows the text: it may hold a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// An entry is no hash.
    #[error(
        "expected none, or hashes with commas between them such as sha256:{}... or name=sha256:...: \
         64 hexadecimal digits each, made by `reveille token`",
        "5e884898da28"
    )]
    NoHash,
    /// Too many.
    #[error("expected at most {} tokens", limits::TOKENS_MAX)]
    TooMany,
}

impl Tokens {
    /// Reads `none`, or `[name=]sha256:<hex>` entries with commas between them.
    pub fn parse(text: &str) -> Result<Tokens, TokensError> {
        if text == "none" {
            return Ok(Tokens::default());
        }
        let entries: Result<Vec<Token>, _> = text.split(',').map(parse_entry).collect();
        let entries = entries?;
        if entries.len() > limits::TOKENS_MAX {
            return Err(TokensError::TooMany);
        }
        Ok(Tokens { list: entries.into() })
    }

    /// True when everyone is let in.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The names of the tokens, for people; one without a name is called by its number.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let numbered = self.list.iter().enumerate();
        numbered.map(|(at, token)| token.name.clone().unwrap_or_else(|| format!("#{}", at + 1)))
    }

    /// Checks the `authorization` header of a request.
    pub fn check(&self, headers: &HeaderMap) -> Access {
        if self.is_empty() {
            return Access::Open;
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Access::Missing };
        // Which of several would count is anyone's guess, so none does.
        if values.next().is_some() {
            return Access::Wrong;
        }
        let Some(token) = bearer(value.as_bytes()) else { return Access::Wrong };
        let presented = digest(&SHA256, token);
        let matches = self.list.iter().fold(subtle::Choice::from(0), |matches, token| {
            matches | token.hash.as_slice().ct_eq(presented.as_ref())
        });
        if bool::from(matches) { Access::Granted } else { Access::Wrong }
    }
}

fn parse_entry(entry: &str) -> Result<Token, TokensError> {
    let (name, hash) = match entry.trim().split_once('=') {
        Some((name, hash)) => (Some(name.trim()), hash.trim()),
        None => (None, entry.trim()),
    };
    // A name is shown in logs: what is pasted in its place by mistake must not be a token.
    let valid = |name: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=limits::TOKEN_NAME_BYTES).contains(&name.len())
            && name.chars().all(allowed)
            && !name.starts_with(TOKEN_PREFIX)
    };
    if !name.is_none_or(valid) {
        return Err(TokensError::NoHash);
    }
    let digits = hash.strip_prefix(HASH_PREFIX).ok_or(TokensError::NoHash)?.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return Err(TokensError::NoHash);
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(TokensError::NoHash);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Ok(Token { name: name.map(str::to_owned), hash })
}

/// Finds the token in the value of the header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Makes a token from 32 random bytes.
pub fn token(random: &[u8; 32]) -> String {
    format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// The hash of a token as settings hold it.
pub fn hash(token: &str) -> String {
    format!("{HASH_PREFIX}{}", hex(digest(&SHA256, token.as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn headers_are_checked_against_every_hash() {
        let (old, new) = (token(&[1; 32]), token(&[2; 32]));
        let list = format!("ci = {}, {}", hash(&old), hash(&new));
        let tokens = Tokens::parse(&list).expect("a list");
        assert_eq!(tokens.names().collect::<Vec<_>>(), ["ci", "#2"]);
        let bearer = |token: &str| format!("Bearer {token}");
        for (values, expected) in [
            (&[][..], Access::Missing),
            (&[bearer(&old).as_str()][..], Access::Granted),
            (&[bearer(&new).as_str()][..], Access::Granted),
            (&[format!("bEARER  {new} ").as_str()][..], Access::Granted),
            (&[bearer(&token(&[3; 32])).as_str()][..], Access::Wrong),
            (&[bearer(&old[..old.len() - 1]).as_str()][..], Access::Wrong),
            (&[bearer(&hash(&old)).as_str()][..], Access::Wrong),
            (&[format!("Basic {old}").as_str()][..], Access::Wrong),
            (&[old.as_str()][..], Access::Wrong),
            (&["Bearer "][..], Access::Wrong),
            (&[""][..], Access::Wrong),
            (&[bearer(&old).as_str(), bearer(&new).as_str()][..], Access::Wrong),
        ] {
            assert_eq!(tokens.check(&headers(values)), expected, "{values:?}");
        }
        assert_eq!(Tokens::default().check(&headers(&[])), Access::Open);
    }

    #[test]
    fn lists_are_checked_and_never_shown() {
        let good = hash("x");
        let with = |change: &str| change.replace("HASH", &good);
        for (text, expected) in [
            ("none".to_owned(), Ok(0)),
            (with("HASH"), Ok(1)),
            (with(" a=HASH , b.c-d_1=HASH "), Ok(2)),
            (good.to_ascii_uppercase().replace("SHA256", "sha256"), Ok(1)),
            (String::new(), Err(TokensError::NoHash)),
            (with("HASH,"), Err(TokensError::NoHash)),
            (with("=HASH"), Err(TokensError::NoHash)),
            (with("two words=HASH"), Err(TokensError::NoHash)),
            (with("reveille_c2VjcmV0=HASH"), Err(TokensError::NoHash)),
            (with("HASH0"), Err(TokensError::NoHash)),
            (good.replace("sha256", "md5"), Err(TokensError::NoHash)),
            (good.replace('a', "g"), Err(TokensError::NoHash)),
            (token(&[9; 32]), Err(TokensError::NoHash)),
            (vec![good.as_str(); limits::TOKENS_MAX + 1].join(","), Err(TokensError::TooMany)),
        ] {
            let parsed = Tokens::parse(&text).map(|tokens| tokens.list.len());
            assert_eq!(parsed, expected, "{text}");
        }
        let shown = format!("{:?}", Tokens::parse(&with("a=HASH")).expect("a list"));
        assert_eq!(shown, r#"["a"]"#);
    }
}
