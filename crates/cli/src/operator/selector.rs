//! How the user names invocations: an id, or what they are invocations of.
//!
//! ```text
//! inv_1…              one invocation
//! Service             all of a service, object or workflow
//! Service/handler     all of a handler of a plain service
//! Object/key          all of a key of an object or workflow
//! Object/key/handler  all of a handler on a key; the key may contain slashes
//! ```
//!
//! Whether the second part is a handler or a key is decided by the invocation: those of keyed services
//! have a key, the others have none.

use super::{Usage, queries::equals};

/// What ids of invocations begin with.
const ID_PREFIX: &str = "inv_";

/// One selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// One invocation.
    Id(String),
    /// Those that a condition selects.
    Where(String),
}

impl Selector {
    /// Parses what the user typed.
    pub fn parse(text: &str) -> Result<Selector, Usage> {
        if text.starts_with(ID_PREFIX) && !text.contains('/') {
            return Ok(Selector::Id(text.to_owned()));
        }
        let wrong = || {
            Usage(format!(
                "'{text}' selects nothing: expected an id (inv_1…), Service, Service/handler, \
                 Object/key or Object/key/handler"
            ))
        };
        let (service, rest) = match text.split_once('/') {
            None => (text, None),
            Some((service, rest)) => (service, Some(rest)),
        };
        if service.is_empty() || rest == Some("") {
            return Err(wrong());
        }
        let service = equals("target_service_name", service);
        Ok(Selector::Where(match rest.map(|rest| (rest, rest.rsplit_once('/'))) {
            None => service,
            Some((_, Some((_, "")))) => return Err(wrong()),
            Some((_, Some((key, handler)))) => format!(
                "{service} AND {} AND {}",
                equals("target_service_key", key),
                equals("target_handler_name", handler)
            ),
            Some((second, None)) => format!(
                "{service} AND (({} AND target_service_key IS NULL) OR {})",
                equals("target_handler_name", second),
                equals("target_service_key", second)
            ),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        for (text, expected) in [
            ("Greeter", "target_service_name = 'Greeter'"),
            (
                "Account/7",
                "target_service_name = 'Account' AND ((target_handler_name = '7' AND \
                 target_service_key IS NULL) OR target_service_key = '7')",
            ),
            (
                "Account/7/deposit",
                "target_service_name = 'Account' AND target_service_key = '7' AND \
                 target_handler_name = 'deposit'",
            ),
            (
                "Account/a/b's/deposit",
                "target_service_name = 'Account' AND target_service_key = 'a/b''s' AND \
                 target_handler_name = 'deposit'",
            ),
            (
                "inv_/x/y",
                "target_service_name = 'inv_' AND target_service_key = 'x' AND \
                 target_handler_name = 'y'",
            ),
        ] {
            let parsed = Selector::parse(text).expect(text);
            assert_eq!(parsed, Selector::Where(expected.to_owned()), "{text}");
        }
        assert_eq!(
            Selector::parse("inv_1abc").expect("an id"),
            Selector::Id("inv_1abc".to_owned())
        );
        for wrong in ["", "/", "/x", "Greeter/", "Account/7/"] {
            let Usage(text) = Selector::parse(wrong).expect_err(wrong);
            assert!(text.contains("selects nothing"), "{text}");
        }
    }
}
