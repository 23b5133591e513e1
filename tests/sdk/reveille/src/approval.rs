//! A handler that waits for a person: the main job, in several shapes.

use reveille::{
    Context, HandlerResult,
    payload::{Bytes, Decode, Encode, PayloadError, Raw},
};
use serde_json::{Value, json};

use crate::{
    notes::{announce, note, ran, times_ran},
    outcome::failure,
};

/// A verdict as a form would post it: `approved: fine by me`.
struct Verdict {
    decision: String,
    comment: String,
}

impl Encode for Verdict {
    const CONTENT_TYPE: Option<&str> = Some("text/plain");

    fn encode(&self) -> Result<Bytes, PayloadError> {
        Ok(format!("{}: {}", self.decision, self.comment).into())
    }
}

impl Decode for Verdict {
    const CONTENT_TYPE: Option<&str> = Some("text/plain");
    const IS_REQUIRED: bool = true;

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        let text = str::from_utf8(&bytes).map_err(|error| PayloadError::new(error.to_string()))?;
        let (decision, comment) = text.split_once(": ").unwrap_or((text, ""));
        Ok(Self { decision: decision.into(), comment: comment.into() })
    }
}

pub struct Approval;

#[reveille::service(name = "approval")]
impl Approval {
    async fn ask(&self, ctx: &Context, name: String) -> HandlerResult<Value> {
        let (wait, answer) = ctx.awakeable::<Value>();
        announce(ctx, &name, &wait).await?;
        Ok(answer.await?)
    }

    #[handler(name = "askKindly")]
    async fn ask_kindly(&self, ctx: &Context, name: String) -> HandlerResult<Value> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        Ok(match answer.await {
            Ok(review) => json!({"approved": true, "review": review}),
            Err(error) => {
                let mut refusal = failure(&error);
                refusal["approved"] = json!(false);
                refusal
            }
        })
    }

    #[handler(name = "askBinary")]
    async fn ask_binary(&self, ctx: &Context, name: String) -> HandlerResult<Vec<u8>> {
        let (wait, answer) = ctx.awakeable::<Raw>();
        announce(ctx, &name, &wait).await?;
        Ok(answer.await?.0.to_vec())
    }

    #[handler(name = "askVerdict")]
    async fn ask_verdict(&self, ctx: &Context, name: String) -> HandlerResult<Value> {
        let (wait, answer) = ctx.awakeable::<Verdict>();
        announce(ctx, &name, &wait).await?;
        let verdict = answer.await?;
        Ok(json!({"decision": verdict.decision, "comment": verdict.comment}))
    }

    #[handler(name = "askBetweenSteps")]
    async fn ask_between_steps(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        note(ctx, &name, "prepare").await?;
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        let review = answer.await?;
        note(ctx, &name, "publish").await?;
        Ok(review)
    }

    /// The second review is wanted only when the first one is there.
    #[handler(name = "askTwice")]
    async fn ask_twice(&self, ctx: &Context, name: String) -> HandlerResult<Vec<String>> {
        let mut answers = Vec::new();
        for turn in ["first", "second"] {
            let (wait, answer) = ctx.awakeable::<String>();
            announce(ctx, &format!("{name}/{turn}"), &wait).await?;
            answers.push(answer.await?);
        }
        Ok(answers)
    }

    /// Asks on every attempt, and the first two fail: each has to ask with the same id.
    #[handler(name = "askAgainAndAgain")]
    async fn ask_again_and_again(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        ran(&name, &wait)?;
        if times_ran(&name, &wait) <= 2 {
            return Err("not yet".into());
        }
        announce(ctx, &name, &wait).await?;
        Ok(answer.await?)
    }

    /// Says which revision of the program took the answer.
    #[handler(name = "askRevision")]
    async fn ask_revision(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        let revision = std::env::var("REVISION").unwrap_or_else(|_| "1".into());
        Ok(format!("{} on {revision}", answer.await?))
    }
}
