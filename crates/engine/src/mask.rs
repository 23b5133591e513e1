//! What must not be stored, logged or shown: the secret part of awakeable ids, values of headers that
//! may be credentials.
//!
//! SDKs print whole awakeable ids in some error texts. The first 32 characters after the prefix are
//! the public invocation id; everything behind them is replaced.

/// Characters of base64url that the 24 public bytes take.
const PUBLIC_CHARS: usize = 32;

/// What is shown instead of a value that may be a secret.
pub const HIDDEN: &str = "***";

/// True for headers whose name suggests a credential.
pub fn may_be_secret(name: &str) -> bool {
    const SUSPECTS: [&str; 9] = [
        "authorization",
        "cookie",
        "token",
        "secret",
        "key",
        "password",
        "credential",
        "jwt",
        "signature",
    ];
    let name = name.to_ascii_lowercase();
    SUSPECTS.iter().any(|suspect| name.contains(suspect))
}

/// Replaces the secret part of every awakeable id in `text` by `***`.
pub fn mask_secrets(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("sign_1").into_iter().chain(rest.find("prom_1")).min() {
        let (before, id) = rest.split_at(at + 6);
        masked.push_str(before);
        let is_id_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let len = id.find(|c| !is_id_char(c)).unwrap_or(id.len());
        if len > PUBLIC_CHARS {
            masked.push_str(&id[..PUBLIC_CHARS]);
            masked.push_str("***");
        } else {
            masked.push_str(&id[..len]);
        }
        rest = &id[len..];
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::mask_secrets;

    #[test]
    fn masks_only_what_is_secret() {
        let public = "A".repeat(32);
        let id = format!("sign_1{public}{}", "s".repeat(27));
        let masked = format!("sign_1{public}***");
        for (text, expected) in [
            ("no id here".to_owned(), "no id here".to_owned()),
            (format!("waits on {id}."), format!("waits on {masked}.")),
            (format!("{id},{id}"), format!("{masked},{masked}")),
            (format!("prom_1{public}x"), format!("prom_1{public}***")),
            ("sign_1short rest".to_owned(), "sign_1short rest".to_owned()),
        ] {
            assert_eq!(mask_secrets(&text), expected);
        }
    }
}
