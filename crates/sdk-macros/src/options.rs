//! Options in attribute arguments, for services and handlers alike.
//!
//! - Owns: their names, the notation of durations, and the calls that they become.
//! - Invariant: a duration is checked here, at compile time.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Error, LitBool, LitFloat, LitInt, LitStr, Result, Token, meta::ParseNestedMeta,
    spanned::Spanned,
};

/// What is listed when an option is unknown.
const KNOWN: &str = "`name`, `private`, `lazy_state`, `inactivity_timeout`, `abort_timeout`, \
    `journal_retention`, `idempotency_retention`, `workflow_retention` and `retry(..)`";
const KNOWN_OF_RETRY: &str = "`initial_delay`, `delay_max`, `attempts_max`, `factor` and `then`";
/// Units of durations, in ms.
const UNITS: [(&[&str], u64); 5] = [
    (&["ms", "millis", "milliseconds"], 1),
    (&["s", "sec", "second", "seconds"], 1000),
    (&["m", "min", "minute", "minutes"], 60_000),
    (&["h", "hour", "hours"], 3_600_000),
    (&["d", "day", "days"], 86_400_000),
];

/// Options as they were written.
#[derive(Default)]
pub struct Options {
    /// The name, if it differs from that in the code.
    pub name: Option<LitStr>,
    /// From doc comments.
    documentation: Option<String>,
    /// Calls on `reveille::Options`.
    calls: TokenStream,
}

impl Options {
    /// Makes options with the text of doc comments.
    pub fn documented(documentation: Option<String>) -> Self {
        Self { documentation, ..Self::default() }
    }

    /// Takes one argument.
    pub fn parse(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "name" => self.name = Some(meta.value()?.parse()?),
            "private" | "lazy_state" => {
                let value = match meta.input.peek(Token![=]) {
                    true => meta.value()?.parse::<LitBool>()?,
                    false => LitBool::new(true, meta.path.span()),
                };
                self.call(meta, value);
            }
            "inactivity_timeout"
            | "abort_timeout"
            | "journal_retention"
            | "idempotency_retention"
            | "workflow_retention" => {
                let duration = duration(meta)?;
                self.call(meta, duration);
            }
            "retry" => {
                let retry = retry(meta)?;
                self.call(meta, retry);
            }
            _ => return Err(meta.error(format!("unknown option; known are {KNOWN}"))),
        }
        Ok(())
    }

    fn call(&mut self, meta: &ParseNestedMeta<'_>, argument: impl ToTokens) {
        let path = &meta.path;
        self.calls.extend(quote! { .#path(#argument) });
    }

    /// The expression that makes them.
    pub fn expression(&self) -> TokenStream {
        let calls = &self.calls;
        let documentation =
            self.documentation.as_ref().map(|text| quote! { .documentation(#text) });
        quote! { ::reveille::Options::new() #documentation #calls }
    }
}

fn retry(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let mut calls = quote! { ::reveille::InvocationRetry::new() };
    meta.parse_nested_meta(|meta| {
        let path = &meta.path;
        let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
        let call = match name.as_str() {
            "initial_delay" | "delay_max" => {
                let duration = duration(&meta)?;
                quote! { .#path(#duration) }
            }
            "attempts_max" => {
                let attempts: LitInt = meta.value()?.parse()?;
                quote! { .#path(#attempts) }
            }
            "factor" => {
                let factor: LitFloat = meta.value()?.parse()?;
                quote! { .#path(#factor) }
            }
            "then" => {
                let then: LitStr = meta.value()?.parse()?;
                match then.value().as_str() {
                    "pause" => quote! { .then_pause() },
                    "fail" => quote! { .then_fail() },
                    _ => return Err(Error::new(then.span(), "it is \"pause\" or \"fail\"")),
                }
            }
            _ => {
                let message = format!("unknown option of `retry`; known are {KNOWN_OF_RETRY}");
                return Err(meta.error(message));
            }
        };
        calls.extend(call);
        Ok(())
    })?;
    Ok(calls)
}

fn duration(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let text: LitStr = meta.value()?.parse()?;
    let millis = millis(&text.value()).ok_or_else(|| invalid_duration(text.span()))?;
    Ok(quote! { ::std::time::Duration::from_millis(#millis) })
}

fn invalid_duration(span: Span) -> Error {
    Error::new(
        span,
        "a duration is a number and a unit, such as \"200ms\", \"30s\", \"5 min\", \
        \"12h\" or \"7 days\"",
    )
}

/// Reads a number and a unit.
fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let (_, factor) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn durations() {
        let table = [
            ("200ms", Some(200)),
            (" 30 s ", Some(30_000)),
            ("5 min", Some(300_000)),
            ("12h", Some(43_200_000)),
            ("7 days", Some(604_800_000)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 fortnight", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ];
        for (text, expected) in table {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
