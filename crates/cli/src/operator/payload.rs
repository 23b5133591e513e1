//! Bytes that users look at and type: JSON where they are JSON, else text, else base64.
//!
//! - Owns: the JSON form of a value of any bytes, and the flags that give one.
//! - Invariant: the JSON form stands for exactly the same bytes again, except that the spelling of JSON
//!   (blanks, order) is not kept; who must keep it compares with the form that was shown.

use std::{io::Read as _, path::PathBuf};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Usage;

/// Marks text that is not JSON.
const TEXT: &str = "$text";

/// Marks bytes that are neither JSON nor text.
const BASE64: &str = "$base64";

/// Largest value that is read from a file: more would not get through.
const VALUE_BYTES_MAX: u64 = 128 << 20;

/// Shows bytes as JSON.
pub fn to_json(bytes: &[u8]) -> Value {
    let parsed = serde_json::from_slice(bytes).ok();
    match (parsed.filter(|value| !is_marked(value)), std::str::from_utf8(bytes)) {
        (Some(value), _) => value,
        (None, Ok(text)) => json!({TEXT: text}),
        (None, Err(_)) => json!({BASE64: STANDARD.encode(bytes)}),
    }
}

/// The bytes that the JSON form stands for.
pub fn from_json(value: &Value) -> Result<Vec<u8>, Usage> {
    match (is_marked(value), value[TEXT].as_str(), value[BASE64].as_str()) {
        (true, Some(text), _) => Ok(text.as_bytes().to_vec()),
        (true, _, Some(text)) => {
            STANDARD.decode(text).map_err(|_| Usage(format!("'{text}' is not base64")))
        }
        (true, ..) => Err(Usage(format!("{TEXT} and {BASE64} stand before strings"))),
        (false, ..) => Ok(value.to_string().into_bytes()),
    }
}

fn is_marked(value: &Value) -> bool {
    let only = value.as_object().filter(|object| object.len() == 1);
    only.is_some_and(|object| object.contains_key(TEXT) || object.contains_key(BASE64))
}

/// Where a value comes from.
#[derive(Clone, Debug, clap::Args)]
#[group(multiple = false)]
pub struct ValueFlags {
    /// The value as JSON, such as '{"approved": true}' or '"yes"'
    #[arg(long, value_name = "JSON")]
    value: Option<String>,
    /// The value as text, sent as it is
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The value as a file, - for standard input; JSON if its name ends so
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ValueFlags {
    /// Reads the value: its content type and its bytes. Without any flag it is empty.
    pub fn read(&self) -> anyhow::Result<(Option<&'static str>, Vec<u8>)> {
        if let Some(value) = &self.value {
            check_json(value.as_bytes())?;
            return Ok((Some("application/json"), value.clone().into_bytes()));
        }
        if let Some(text) = &self.text {
            return Ok((Some("text/plain; charset=utf-8"), text.clone().into_bytes()));
        }
        let Some(path) = &self.file else { return Ok((None, Vec::new())) };
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let bytes = read_file(path)?;
        if is_json {
            check_json(&bytes).with_context(|| path.display().to_string())?;
        }
        let content_type = if is_json { "application/json" } else { "application/octet-stream" };
        Ok((Some(content_type), bytes))
    }

    /// True when none was given.
    pub fn is_absent(&self) -> bool {
        self.value.is_none() && self.text.is_none() && self.file.is_none()
    }
}

/// Reads a file, `-` for standard input, up to [`VALUE_BYTES_MAX`].
pub fn read_file(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(VALUE_BYTES_MAX + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(path)
            .and_then(|file| file.take(VALUE_BYTES_MAX + 1).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > VALUE_BYTES_MAX {
        return Err(
            Usage(format!("{} has more than {VALUE_BYTES_MAX} bytes", path.display())).into()
        );
    }
    Ok(bytes)
}

fn check_json(bytes: &[u8]) -> Result<(), Usage> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map(|_| ()).map_err(|error| {
        Usage(format!(
            "the value is not JSON: {error}; texts need quotes ('\"yes\"'), or use --text"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_their_json_form() {
        for (bytes, expected) in [
            (&b"{\"a\":1}"[..], json!({"a": 1})),
            (b"\"x\"", json!("x")),
            (b"plain", json!({"$text": "plain"})),
            (b"", json!({"$text": ""})),
            (b"\xff\x00", json!({"$base64": "/wA="})),
            // What looks like our marks is kept apart from them.
            (b"{\"$text\":\"x\"}", json!({"$text": "{\"$text\":\"x\"}"})),
        ] {
            let shown = to_json(bytes);
            assert_eq!(shown, expected);
            assert_eq!(from_json(&shown).expect("bytes"), bytes);
        }
        for wrong in [json!({"$base64": "?"}), json!({"$text": 1})] {
            assert!(from_json(&wrong).is_err(), "{wrong}");
        }
    }
}
