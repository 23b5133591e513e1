//! The other side: answering an awakeable from a handler.

use reveille::{Context, HandlerResult, TerminalError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
pub struct Review {
    id: String,
}

pub struct Reviewer;

#[reveille::service(name = "reviewer")]
impl Reviewer {
    async fn approve(&self, ctx: &Context, review: Review) -> HandlerResult<()> {
        ctx.resolve_awakeable(&review.id, "Looks good!");
        Ok(())
    }

    async fn reject(&self, ctx: &Context, review: Review) -> HandlerResult<()> {
        ctx.reject_awakeable(&review.id, TerminalError::new("This cannot be reviewed."));
        Ok(())
    }

    #[handler(name = "rejectWithCode")]
    async fn reject_with_code(&self, ctx: &Context, review: Review) -> HandlerResult<()> {
        let failure = TerminalError::new("Review rejected: insufficient documentation").code(400);
        ctx.reject_awakeable(&review.id, failure);
        Ok(())
    }

    /// Metadata travels with a terminal error from protocol version 6 on.
    #[handler(name = "rejectWithMetadata")]
    async fn reject_with_metadata(&self, ctx: &Context, review: Review) -> HandlerResult<()> {
        let failure = TerminalError::new("Review rejected").code(400);
        ctx.reject_awakeable(&review.id, failure.metadata("section", "installation"));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub struct Notice {
    id: String,
    payload: Value,
}

pub struct Notifier;

#[reveille::service(name = "NotifierService")]
impl Notifier {
    /// The older shape: the outside calls a handler, and the handler completes the awakeable.
    async fn notify(&self, ctx: &Context, notice: Notice) -> HandlerResult<()> {
        ctx.resolve_awakeable(&notice.id, &notice.payload);
        Ok(())
    }
}
