//! A review, answered in both ways: through a promise of the workflow, or through an awakeable.
//!
//! A promise belongs to a key and is completed by a handler of the workflow, which can check who may. An
//! awakeable is completed by whoever has its id, such as another system that knows nothing of the workflow.

use reveille::{
    Durable, Endpoint, HandlerResult, SharedWorkflowContext, TerminalError, WorkflowContext, race,
};

/// Serves on the port that the guide uses.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Endpoint::builder().bind(Review).build()?.listen("127.0.0.1:9080").await?;
    Ok(())
}

/// Reviews one document per key.
pub struct Review;

#[reveille::workflow]
impl Review {
    /// Waits for whichever verdict comes first.
    pub async fn run(&self, ctx: &WorkflowContext, document: String) -> HandlerResult<String> {
        let (id, from_system) = ctx.awakeable::<String>();
        ctx.set("awakeable", &id);
        ctx.set("status", "waiting");
        let from_person = ctx.promise::<String>("verdict").value();
        let (_, verdict) = race([from_person.into_boxed(), from_system.into_boxed()]).await?;
        ctx.set("status", &verdict);
        Ok(format!("{document}: {verdict}"))
    }

    /// Completes the promise; a second verdict is refused.
    #[shared]
    pub async fn submit(&self, ctx: &SharedWorkflowContext, verdict: String) -> HandlerResult<()> {
        if verdict.is_empty() {
            return Err(TerminalError::new("a verdict is a word").code(400).into());
        }
        Ok(ctx.promise("verdict").resolve(&verdict).await?)
    }

    /// Tells the id of the awakeable, for the other system.
    #[shared]
    pub async fn awakeable(&self, ctx: &SharedWorkflowContext) -> HandlerResult<Option<String>> {
        Ok(ctx.get("awakeable").await?)
    }

    /// Tells how far it is.
    #[shared]
    pub async fn status(&self, ctx: &SharedWorkflowContext) -> HandlerResult<Option<String>> {
        Ok(ctx.get("status").await?)
    }
}
