//! What became of something awaited, as JSON.

use restate_sdk::prelude::*;
use serde_json::{Value, json};

pub fn outcome(result: Result<Json<Value>, TerminalError>) -> Value {
    match result {
        Ok(Json(value)) => json!({"value": value}),
        Err(error) => failure(&error),
    }
}

/// This SDK knows no metadata of errors.
pub fn failure(error: &TerminalError) -> Value {
    json!({"code": error.code(), "message": error.message(), "metadata": {}})
}
