//! What became of something awaited, as JSON.

use std::collections::BTreeMap;

use reveille::TerminalError;
use serde_json::{Value, json};

pub fn outcome(result: Result<Value, TerminalError>) -> Value {
    match result {
        Ok(value) => json!({"value": value}),
        Err(error) => failure(&error),
    }
}

pub fn failure(error: &TerminalError) -> Value {
    let metadata: BTreeMap<_, _> = error.pairs().collect();
    json!({"code": error.status(), "message": error.message(), "metadata": metadata})
}
