//! The handler of the demonstration: asks for a review, waits for it, carries the verdict out.
//!
//! It is written as any handler would be: the two effects on the world stand inside `run`, so that
//! they are not repeated when the handler is executed again after a crash or a wait.

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use bytes::Bytes;
use reveille_endpoint::{Attempt, Endpoint, Failure, ServiceDef, Stop};
use serde_json::{Value, json};

use super::steps::{Step, StepKind, Steps};

/// Name of the service.
pub const SERVICE: &str = "approval";

/// Name of the handler.
pub const HANDLER: &str = "ask";

/// Returns the deployment. Its steps are written to `steps`.
pub fn endpoint(steps: Arc<Steps>) -> Endpoint {
    let ask = move |attempt: &mut Attempt| ask(attempt, &steps);
    Endpoint::builder().service(ServiceDef::service(SERVICE).handler(HANDLER, ask)).build()
}

/// Returns what the handler is called with.
pub fn input(round: u64, document: &str) -> Value {
    json!({"round": round, "document": document})
}

fn ask(attempt: &mut Attempt, steps: &Steps) -> Result<Bytes, Stop> {
    let (round, document) = parse_input(&attempt.input())?;

    let (id, answered) = attempt.awakeable();
    let asked = attempt.try_run("ask for a review", || {
        stored(steps.record(Step { round, kind: StepKind::Ask, detail: id }))
    });
    attempt.wait(asked)?;

    let outcome = match attempt.wait(answered) {
        Ok(review) => format!("Published {document}. The review: {}", as_text(&review)),
        Err(Stop::Terminal(failure)) => {
            format!("Did not publish {document}. The reason: {}", failure.message)
        }
        Err(stop) => return Err(stop),
    };

    let finished = attempt.try_run("carry it out", || {
        stored(steps.record(Step { round, kind: StepKind::Finish, detail: outcome.clone() }))
    });
    attempt.wait(finished)?;
    Ok(Value::String(outcome).to_string().into())
}

fn parse_input(input: &[u8]) -> Result<(u64, String), Stop> {
    let value: Value = serde_json::from_slice(input)
        .map_err(|error| Stop::terminal(400, format!("the input is not JSON: {error}")))?;
    match (value["round"].as_u64(), value["document"].as_str()) {
        (Some(round), Some(document)) => Ok((round, document.to_owned())),
        _ => Err(Stop::terminal(400, "the input needs a round and a document")),
    }
}

/// Returns a JSON string without its quotes, and everything else as it came.
fn as_text(review: &[u8]) -> String {
    serde_json::from_slice(review).unwrap_or_else(|_| String::from_utf8_lossy(review).into_owned())
}

fn stored(result: io::Result<()>) -> Result<Bytes, Failure> {
    match result {
        Ok(()) => Ok(Bytes::from_static(b"null")),
        Err(error) => Err(Failure {
            code: 500,
            message: format!("the step could not be written down: {error}"),
            metadata: Vec::new(),
        }),
    }
}
