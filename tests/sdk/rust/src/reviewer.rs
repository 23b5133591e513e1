//! The other side: answering an awakeable from a handler.

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
pub struct Review {
    id: String,
}

pub struct Reviewer;

#[restate_sdk::service(name = "reviewer")]
impl Reviewer {
    #[handler]
    async fn approve(&self, ctx: Context<'_>, review: Json<Review>) -> HandlerResult<()> {
        ctx.resolve_awakeable(&review.0.id, "Looks good!".to_owned());
        Ok(())
    }

    #[handler]
    async fn reject(&self, ctx: Context<'_>, review: Json<Review>) -> HandlerResult<()> {
        let failure = TerminalError::new("This cannot be reviewed.");
        ctx.reject_awakeable(&review.0.id, failure);
        Ok(())
    }

    #[handler(name = "rejectWithCode")]
    async fn reject_with_code(&self, ctx: Context<'_>, review: Json<Review>) -> HandlerResult<()> {
        let message = "Review rejected: insufficient documentation";
        ctx.reject_awakeable(&review.0.id, TerminalError::new_with_code(400, message));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub struct Notice {
    id: String,
    payload: Value,
}

pub struct Notifier;

#[restate_sdk::service(name = "NotifierService")]
impl Notifier {
    /// The older shape: the outside calls a handler, and the handler completes the awakeable.
    #[handler]
    async fn notify(&self, ctx: Context<'_>, notice: Json<Notice>) -> HandlerResult<()> {
        let Notice { id, payload } = notice.into_inner();
        ctx.resolve_awakeable(&id, Json(payload));
        Ok(())
    }
}
