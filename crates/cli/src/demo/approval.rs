//! The handler of the demonstration: asks for a review, waits for it, carries the verdict out.
//!
//! It is written as any handler would be: the two effects on the world are steps, so that they are not
//! repeated when the handler is executed again after a crash or a wait.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use reveille::{Context, Endpoint, EndpointError, HandlerResult, payload::Raw};
use serde::{Deserialize, Serialize};

use super::steps::{Step, StepKind, Steps};

/// Name of the service.
pub const SERVICE: &str = "approval";

/// Name of the handler.
pub const HANDLER: &str = "ask";

/// What the handler is called with.
#[derive(Serialize, Deserialize)]
pub struct Question {
    /// Number of the demonstration in this directory.
    pub round: u64,
    /// What is to be reviewed.
    pub document: String,
}

/// Returns the deployment. Its steps are written to `steps`.
pub fn endpoint(steps: Arc<Steps>) -> Result<Endpoint, EndpointError> {
    Endpoint::builder().bind(Approval { steps }).build()
}

struct Approval {
    steps: Arc<Steps>,
}

#[reveille::service(name = "approval")]
impl Approval {
    async fn ask(&self, ctx: &Context, question: Question) -> HandlerResult<String> {
        let Question { round, document } = question;
        let step = |kind, detail: &str| {
            let detail = detail.to_owned();
            Ok(self.steps.record(Step { round, kind, detail })?)
        };

        let (id, answer) = ctx.awakeable::<Raw>();
        ctx.run_sync("ask for a review", || step(StepKind::Ask, &id)).await?;

        let outcome = match answer.await {
            Ok(Raw(review)) => format!("Published {document}. The review: {}", as_text(&review)),
            Err(error) if error.is_cancelled() => return Err(error.into()),
            Err(error) => format!("Did not publish {document}. The reason: {}", error.message()),
        };

        ctx.run_sync("carry it out", || step(StepKind::Finish, &outcome)).await?;
        Ok(outcome)
    }
}

/// Returns a JSON string without its quotes, and everything else as it came.
fn as_text(review: &[u8]) -> String {
    serde_json::from_slice(review).unwrap_or_else(|_| String::from_utf8_lossy(review).into_owned())
}
