//! The token to the byte, its reuse, and what is no key.

use super::*;

const SEED: [u8; 32] = [7; 32];
const PUBLIC_KEY: &str = "publickeyv1_GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB";

/// Recorded from a token that the verifier of the TypeScript SDK accepted.
const TOKEN_OF_1700000000: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6InB1YmxpY2tleXYxX0dtYURycHBCQzdQNUFSS1Y4ZzNkaml3UDg5\
     dnoxakxLMjNWMkdCanVBRUdCIn0.eyJhdWQiOiIvaW52b2tlL0dyZWV0ZXIvZ3JlZXQiLCJleHAiOjE3MDAwMDAwNjAsImlhd\
     CI6MTcwMDAwMDAwMCwibmJmIjoxNjk5OTk5OTQwfQ.l0Qg2eHg7R_jC6L-rW9wEW2I0SKmfl9k03cUM5qRQPIn8dD1rLMYOmu\
     oICvdknDjLUKqBxZi_sHyyfDyMHpcBA";

fn identity() -> RequestIdentity {
    RequestIdentity::from_pem(private_key_pem(&SEED).as_bytes()).expect("a key")
}

fn signed(identity: &RequestIdentity, audience: &str, now_s: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // What a deployment's own headers say does not count, and is not sent beside it.
    headers.append("x-restate-jwt-v1", HeaderValue::from_static("forged"));
    headers.append("x-restate-signature-scheme", HeaderValue::from_static("unsigned"));
    identity.sign(&mut headers, audience, now_s);
    assert_eq!(headers.len(), 2);
    headers
}

#[test]
fn a_token_is_the_recorded_one() {
    let identity = identity();
    assert_eq!(identity.public_key(), PUBLIC_KEY);
    let headers = signed(&identity, "/invoke/Greeter/greet", 1_700_000_000);
    assert_eq!(headers["x-restate-signature-scheme"], "v1");
    assert_eq!(headers["x-restate-jwt-v1"], TOKEN_OF_1700000000);
    assert!(headers["x-restate-jwt-v1"].is_sensitive());
}

#[test]
fn a_token_is_used_again_for_its_path_only_and_never_for_long() {
    let identity = identity();
    let token = |audience, now_s| identity.token(audience, now_s);
    let first = token("/a", 1000);
    for (audience, now_s, same) in [
        ("/a", 1000, true),
        ("/a", 1000 + REUSE_S - 1, true),
        ("/b", 1000, false),
        ("/a", 1000 + REUSE_S, false),
        // A clock that was set back: what was made in its future may not be valid yet.
        ("/a", 999, false),
    ] {
        assert_eq!(token(audience, now_s) == first, same, "{audience} at {now_s}");
    }
    const { assert!(REUSE_S * 2 < LIFETIME_S) };
}

#[test]
fn tokens_are_bounded() {
    let identity = identity();
    for number in 0..=limits::IDENTITY_TOKENS {
        identity.token(&format!("/{number}"), 1000);
    }
    let kept = identity.inner.tokens.lock().expect("no panic").len();
    assert!((1..=limits::IDENTITY_TOKENS).contains(&kept), "{kept}");
}

#[test]
fn base58_of_bitcoin() {
    for (bytes, expected) in [
        (&b""[..], ""),
        (&[0, 0, 1][..], "112"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (&[0xff; 4][..], "7YXq9G"),
    ] {
        assert_eq!(base58(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    let pem = private_key_pem(&SEED);
    let short = pem.replace("CowBwc", "CowBw");
    let other_kind = "-----BEGIN PUBLIC KEY-----\nc2VjcmV0\n-----END PUBLIC KEY-----\n";
    for text in ["", "secret", other_kind, &pem[..60], &short.replace("MC4", "MC5")] {
        let error = RequestIdentity::from_pem(text.as_bytes()).expect_err(text).to_string();
        assert!(error.contains("reveille identity generate"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let missing = RequestIdentity::from_file(Path::new("/no/such/file")).expect_err("no file");
    assert!(missing.to_string().starts_with("cannot read /no/such/file: "), "{missing}");
    assert_eq!(format!("{:?}", identity()), format!("RequestIdentity({PUBLIC_KEY:?})"));
}
