//! The checks of a token, one broken thing at a time; and a recorded token.

use http::HeaderValue;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

const NOW_S: u64 = 1_700_000_000;
const PUBLIC_KEY: &str = "publickeyv1_GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB";
const PATH: &str = "/invoke/Greeter/greet";

/// Of the key whose seed is 32 times 7, as a server of the peer would send it.
const RECORDED: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6InB1YmxpY2tleXYxX0dtYURycHBCQzdQNUFSS1Y4ZzNkaml3UDg5\
     dnoxakxLMjNWMkdCanVBRUdCIn0.eyJhdWQiOiIvaW52b2tlL0dyZWV0ZXIvZ3JlZXQiLCJleHAiOjE3MDAwMDAwNjAsImlhd\
     CI6MTcwMDAwMDAwMCwibmJmIjoxNjk5OTk5OTQwfQ.l0Qg2eHg7R_jC6L-rW9wEW2I0SKmfl9k03cUM5qRQPIn8dD1rLMYOmu\
     oICvdknDjLUKqBxZi_sHyyfDyMHpcBA";

fn headers(scheme: Option<&str>, token: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(SCHEME, scheme), (TOKEN, token)] {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        }
    }
    headers
}

fn token(seed: u8, header: &str, claims: &str) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn keys() -> Vec<IdentityKey> {
    vec![IdentityKey::parse(PUBLIC_KEY).expect("a key")]
}

#[test]
fn keys_are_base58() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    assert_eq!(keys()[0].0, pair.public_key().as_ref());
    let long = format!("{PREFIX}{}", "z".repeat(10_000));
    for text in ["", "publickeyv1_", "publickeyv1_0OIl", "publickeyv2_1", &PUBLIC_KEY[..30], &long]
    {
        assert!(IdentityKey::parse(text).is_none(), "{text:.40}");
    }
    assert_eq!(base58("11"), Some(vec![0, 0]));
}

#[test]
fn recorded_token() {
    let headers = headers(Some("v1"), Some(RECORDED));
    assert_eq!(refuse_at(&keys(), &headers, PATH, NOW_S), None);
    assert_eq!(refuse_at(&keys(), &headers, "/pre/fix/invoke/Greeter/greet", NOW_S), None);
    assert_eq!(refuse_at(&keys(), &headers, PATH, NOW_S + 59), None);
    assert!(refuse_at(&keys(), &headers, PATH, NOW_S + 60).is_some());
    assert!(refuse_at(&keys(), &headers, PATH, NOW_S - 61).is_some());
    assert!(refuse_at(&keys(), &headers, "/invoke/Greeter/other", NOW_S).is_some());
    assert_eq!(refuse_at(&[], &HeaderMap::new(), PATH, NOW_S), None);
}

#[test]
fn one_broken_thing_at_a_time() {
    let header = r#"{"alg":"EdDSA"}"#;
    let claims = |aud: &str| format!(r#"{{"aud":{aud},"exp":{},"nbf":{NOW_S}}}"#, NOW_S + 60);
    let good = token(7, header, &claims(r#""/discover""#));
    let without = |field: &str| token(7, header, &claims(r#""/discover""#).replace(field, "x"));
    let table: [(&str, Option<&str>, Option<String>, bool); 13] = [
        ("good", Some("v1"), Some(good.clone()), true),
        (
            "audience in a list",
            Some("v1"),
            Some(token(7, header, &claims(r#"["/discover"]"#))),
            true,
        ),
        ("no headers", None, None, false),
        ("unsigned", Some("unsigned"), None, false),
        ("another scheme", Some("v2"), Some(good.clone()), false),
        ("no token", Some("v1"), None, false),
        ("another path", Some("v1"), Some(token(7, header, &claims(r#""/pre/discover""#))), false),
        ("no audience", Some("v1"), Some(without("aud")), false),
        ("no expiry", Some("v1"), Some(without("exp")), false),
        ("no begin", Some("v1"), Some(without("nbf")), false),
        ("another key", Some("v1"), Some(token(8, header, &claims(r#""/discover""#))), false),
        (
            "another algorithm",
            Some("v1"),
            Some(token(7, r#"{"alg":"HS256"}"#, &claims(r#""/discover""#))),
            false,
        ),
        ("cut off", Some("v1"), Some(good[..good.len() - 1].to_owned()), false),
    ];
    for (name, scheme, token, is_good) in table {
        let headers = headers(scheme, token.as_deref());
        let refused = refuse_at(&keys(), &headers, "/pre/discover", NOW_S);
        assert_eq!(refused.is_none(), is_good, "{name}: {refused:?}");
    }
}
