//! A handler that waits for a person: the main job, in several shapes.

use std::string::FromUtf8Error;

use bytes::Bytes;
use restate_sdk::{
    prelude::*,
    serde::{Deserialize, Serialize},
};
use serde_json::{Value, json};

use crate::{
    notes::{ran, times_ran},
    outcome::failure,
};

/// A verdict as a form would post it: `approved: fine by me`.
struct Verdict {
    decision: String,
    comment: String,
}

impl Serialize for Verdict {
    type Error = FromUtf8Error;

    fn serialize(&self) -> Result<Bytes, FromUtf8Error> {
        Ok(format!("{}: {}", self.decision, self.comment).into())
    }
}

impl Deserialize for Verdict {
    type Error = FromUtf8Error;

    fn deserialize(bytes: &mut Bytes) -> Result<Self, FromUtf8Error> {
        let text = String::from_utf8(bytes.to_vec())?;
        let (decision, comment) = text.split_once(": ").unwrap_or((&text, ""));
        Ok(Self { decision: decision.into(), comment: comment.into() })
    }
}

pub struct Approval;

#[restate_sdk::service(name = "approval")]
impl Approval {
    #[handler]
    async fn ask(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        let (wait, answer) = ctx.awakeable::<Json<Value>>();
        announce!(ctx, &name, wait)?;
        Ok(answer.await?)
    }

    #[handler(name = "askKindly")]
    async fn ask_kindly(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        Ok(Json(match answer.await {
            Ok(review) => json!({"approved": true, "review": review}),
            Err(error) => {
                let mut refusal = failure(&error);
                refusal["approved"] = json!(false);
                refusal
            }
        }))
    }

    #[handler(name = "askBinary")]
    async fn ask_binary(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Vec<u8>>> {
        let (wait, answer) = ctx.awakeable::<Vec<u8>>();
        announce!(ctx, &name, wait)?;
        Ok(Json(answer.await?))
    }

    #[handler(name = "askVerdict")]
    async fn ask_verdict(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        let (wait, answer) = ctx.awakeable::<Verdict>();
        announce!(ctx, &name, wait)?;
        let verdict = answer.await?;
        Ok(Json(json!({"decision": verdict.decision, "comment": verdict.comment})))
    }

    #[handler(name = "askBetweenSteps")]
    async fn ask_between_steps(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        note!(ctx, &name, "prepare")?;
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        let review = answer.await?;
        note!(ctx, &name, "publish")?;
        Ok(review)
    }

    /// The second review is wanted only when the first one is there.
    #[handler(name = "askTwice")]
    async fn ask_twice(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Vec<String>>> {
        let mut answers = Vec::new();
        for turn in ["first", "second"] {
            let (wait, answer) = ctx.awakeable::<String>();
            announce!(ctx, format!("{name}/{turn}"), wait)?;
            answers.push(answer.await?);
        }
        Ok(Json(answers))
    }

    /// Asks on every attempt, and the first two fail: each has to ask with the same id.
    #[handler(name = "askAgainAndAgain")]
    async fn ask_again_and_again(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        ran(&name, &wait);
        if times_ran(&name, &wait) <= 2 {
            return Err("not yet".into());
        }
        announce!(ctx, &name, wait)?;
        Ok(answer.await?)
    }

    /// Says which revision of the program took the answer.
    #[handler(name = "askRevision")]
    async fn ask_revision(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        let revision = std::env::var("REVISION").unwrap_or_else(|_| "1".into());
        Ok(format!("{} on {revision}", answer.await?))
    }
}
