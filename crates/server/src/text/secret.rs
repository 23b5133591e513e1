//! What must not be shown: values of headers that may be credentials, wherever they turn up.
//!
//! A deployment that answers an error may repeat the request in it, with everything that an operator
//! configured for it. Such texts are shown to whoever may read invocations, and logged.
//! - Owns: how the values of suspect headers are hidden in texts.
//! - Does not own: which headers are suspect, secrets of awakeable ids ([`reveille_engine::mask`]).

use std::fmt::Write as _;

use http::HeaderMap;
pub use reveille_engine::mask::{HIDDEN, may_be_secret};

/// Values shorter than this are not looked for in texts: they would hide half of them.
const VALUE_BYTES_MIN: usize = 6;

/// Hides the values of suspect headers of `configured` in a text, and what follows the name of the
/// scheme in them (`Bearer ...`).
pub fn hide_values(text: &str, configured: &[(String, String)]) -> String {
    let mut hidden = text.to_owned();
    for (name, value) in configured.iter().filter(|(name, _)| may_be_secret(name)) {
        let credentials = value.split_once(' ').map_or("", |(_scheme, credentials)| credentials);
        for secret in [value.trim(), credentials.trim()] {
            if secret.len() >= VALUE_BYTES_MIN && hidden.contains(secret) {
                tracing::debug!(header = name, "a deployment repeats a secret in an error");
                hidden = hidden.replace(secret, HIDDEN);
            }
        }
    }
    hidden
}

/// Prints headers as `{"name": "value"}`, without the values of suspect ones.
pub fn headers(headers: &HeaderMap) -> String {
    let mut text = String::from("{");
    for (name, value) in headers {
        let separator = if text.len() > 1 { ", " } else { "" };
        let value =
            if may_be_secret(name.as_str()) { format!("{HIDDEN:?}") } else { format!("{value:?}") };
        write!(text, "{separator}\"{name}\": {value}").expect("a String takes everything");
    }
    text + "}"
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let configured = [
            ("Authorization", "Bearer c2VjcmV0"),
            ("x-api-key", "k-12345"),
            ("x-token", "short"),
            ("x-gateway", "open-to-all"),
        ];
        let configured = configured.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("nothing", "nothing"),
            ("got 'Bearer c2VjcmV0'", "got '***'"),
            ("token c2VjcmV0 is unknown, c2VjcmV0", "token *** is unknown, ***"),
            (r#"{"x-api-key":"k-12345"}"#, r#"{"x-api-key":"***"}"#),
            ("a short text from open-to-all", "a short text from open-to-all"),
        ] {
            assert_eq!(hide_values(text, &configured), expected);
        }
    }

    #[test]
    fn suspect_headers_are_printed_without_their_values() {
        let mut map = HeaderMap::new();
        for (name, value) in
            [("server", "x\"y"), ("set-cookie", "id=1"), ("x-restate-jwt-v1", "a.b")]
        {
            map.insert(name, HeaderValue::from_static(value));
        }
        let expected = r#"{"server": "x\"y", "set-cookie": "***", "x-restate-jwt-v1": "***"}"#;
        assert_eq!(headers(&map), expected);
        assert_eq!(headers(&HeaderMap::new()), "{}");
    }
}
