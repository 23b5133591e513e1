//! Presence and content type of request bodies.
//!
//! - Does not own: what is in a body. A handler's JSON Schema is never enforced here: the SDK does
//!   that, and says it better.

use http::HeaderValue;
use reveille_engine::schema::InputRule;

use super::error::InputError;

/// Checks a request against the declared input of its handler.
pub fn validate(
    rule: &InputRule,
    content_type: Option<&HeaderValue>,
    body_len: usize,
) -> Result<(), InputError> {
    match (&rule.content_type, content_type) {
        (None, None) if body_len == 0 => Ok(()),
        (None, actual) => Err(InputError::NotEmpty(format!("{actual:?}"))),
        (Some(_), None) if rule.required || body_len > 0 => Err(InputError::ContentTypeEmpty),
        (Some(_), None) => Ok(()),
        (Some(expected), Some(actual)) => {
            let actual = String::from_utf8_lossy(actual.as_bytes());
            if matches(expected, &actual) {
                return Ok(());
            }
            let (actual, expected) = (actual.into_owned(), expected.clone());
            Err(InputError::ContentTypeMismatch { actual, expected })
        }
    }
}

/// Tells whether a content type says that the body is JSON.
pub fn is_json(content_type: Option<&HeaderValue>) -> bool {
    content_type.and_then(|value| value.to_str().ok()).and_then(media_type).is_some_and(
        |(kind, subtype)| {
            let suffix = subtype.rsplit_once('+').map(|(_, suffix)| suffix);
            suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
                || (kind.eq_ignore_ascii_case("application")
                    && subtype.eq_ignore_ascii_case("json"))
        },
    )
}

/// Matches like an `Accept` header: `*` stands for anything, parameters do not count.
fn matches(expected: &str, actual: &str) -> bool {
    let same =
        |expected: &str, actual: &str| expected == "*" || expected.eq_ignore_ascii_case(actual);
    match (media_type(expected), media_type(actual)) {
        (Some(expected), Some(actual)) => same(expected.0, actual.0) && same(expected.1, actual.1),
        _ => false,
    }
}

/// Splits into type and subtype, without parameters.
fn media_type(text: &str) -> Option<(&str, &str)> {
    let (kind, subtype) = text.split(';').next()?.trim().split_once('/')?;
    (!kind.is_empty() && !subtype.is_empty()).then_some((kind, subtype))
}
