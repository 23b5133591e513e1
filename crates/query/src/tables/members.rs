//! Building blocks of entries as JSON: objects with and without payloads, results.

use reveille_protocol::message::Failure;
use serde_json::{Map, Value as Json, json};

/// Members of a JSON object, those of the lite form first.
pub(super) struct Members(Map<String, Json>);

impl Members {
    pub(super) fn new() -> Self {
        Members(Map::new())
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A member that is left out of the lite form.
    pub(super) fn payload(self, is_full: bool, name: &str, value: impl FnOnce() -> Json) -> Self {
        if is_full { self.with(name, value()) } else { self }
    }

    pub(super) fn named(self, name: String) -> Self {
        if name.is_empty() { self } else { self.with("name", name) }
    }

    pub(super) fn done(self) -> Json {
        Json::Object(self.0)
    }
}

pub(super) fn bytes(content: &[u8]) -> Json {
    Json::from(content)
}

pub(super) fn text(content: &[u8]) -> Json {
    String::from_utf8_lossy(content).into()
}

pub(super) fn failure_json(failure: &Failure) -> Json {
    let metadata: Map<String, Json> =
        failure.metadata.iter().map(|pair| (pair.key.clone(), json!(pair.value))).collect();
    json!({"code": failure.code, "message": failure.message, "metadata": metadata})
}

/// What a result is: `"Void"`, or its kind, with its content in the full form.
pub(super) enum Outcome<'a> {
    Void,
    Success(&'a [u8]),
    Failure(&'a Failure),
    InvocationId(&'a str),
    StateKeys(Vec<Json>),
}

impl Outcome<'_> {
    pub(super) fn json(self, is_full: bool) -> Json {
        let (kind, content) = match self {
            Outcome::Void => return json!("Void"),
            Outcome::Success(content) => ("Success", is_full.then(|| bytes(content))),
            Outcome::Failure(failure) => ("Failure", is_full.then(|| failure_json(failure))),
            Outcome::InvocationId(id) => ("InvocationId", is_full.then(|| json!(id))),
            Outcome::StateKeys(keys) => ("StateKeys", is_full.then(|| json!(keys))),
        };
        content.map_or_else(|| json!(kind), |content| json!({kind: content}))
    }
}
