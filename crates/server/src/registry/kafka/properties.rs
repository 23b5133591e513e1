//! Properties of Kafka clients: text by name, some of it secret.
//!
//! - Invariant: a value that may be a secret is never printed: `Debug` and [`Properties::shown`] say
//!   `***` for it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KafkaError;
use crate::limits;

/// What is shown of a secret.
const MASK: &str = "***";

/// Parts of names whose values are secrets.
const SECRET: [&str; 7] =
    ["password", "secret", "key.pem", "jaas", "oauthbearer.config", "token", "passphrase"];

/// Properties of which a wrong value would lose records, or that this server decides itself.
const OURS: [&str; 5] = [
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.commit.enable",
    "enable.partition.eof",
    "group.instance.id",
];

/// Properties that make the client library load code or run programs.
const UNSAFE: [&str; 4] =
    ["plugin.library.paths", "ssl.engine.location", "ssl.providers", "sasl.kerberos.kinit.cmd"];

/// Our own option: what becomes of a record that fits no handler.
pub const BAD_RECORDS: &str = "reveille.bad-records";

/// Properties by name.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Properties(pub BTreeMap<String, String>);

impl Properties {
    /// Reads one value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns them with secrets masked.
    pub fn shown(&self) -> BTreeMap<String, String> {
        let mask = |name: &str, value: &str| if is_secret(name) { MASK } else { value }.to_owned();
        self.0.iter().map(|(name, value)| (name.clone(), mask(name, value))).collect()
    }

    /// Takes from `before` the secrets that are masked here, so that what was shown can be sent back.
    pub fn unmask(&mut self, before: &Properties) {
        for (name, value) in &mut self.0 {
            if value == MASK
                && is_secret(name)
                && let Some(before) = before.get(name)
            {
                before.clone_into(value);
            }
        }
    }

    /// True when they say where a broker is.
    pub fn has_brokers(&self) -> bool {
        let brokers = ["bootstrap.servers", "metadata.broker.list"];
        brokers.iter().any(|name| self.get(name).is_some_and(|value| !value.is_empty()))
    }

    /// Refuses what must not be set here, and what is too long.
    pub fn check(&self) -> Result<(), KafkaError> {
        let refuse = |text: String| Err(KafkaError::Property(text));
        let bytes: usize = self.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > limits::KAFKA_PROPERTIES_BYTES {
            let max = limits::KAFKA_PROPERTIES_BYTES;
            return refuse(format!("the properties have {bytes} bytes, at most {max} fit"));
        }
        for (name, value) in &self.0 {
            if OURS.contains(&name.as_str()) {
                return refuse(format!("'{name}' is decided by the server, leave it out"));
            }
            if UNSAFE.contains(&name.as_str()) {
                let text = "makes the client load code or run a program, which is not allowed";
                return refuse(format!("'{name}' {text}: leave it out"));
            }
            match (name.as_str(), value.as_str()) {
                (BAD_RECORDS, "wait" | "skip") => {}
                (BAD_RECORDS, _) => return refuse(format!("'{name}' is either wait or skip")),
                (name, _) if name.starts_with("reveille.") => {
                    return refuse(format!("there is no option '{name}', only '{BAD_RECORDS}'"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}
