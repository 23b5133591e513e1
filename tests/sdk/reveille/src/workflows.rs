//! Workflows and their promises.

use reveille::{HandlerResult, SharedWorkflowContext, TerminalError, WorkflowContext};

use crate::notes::{announce, ran};

/// Waits for its shared handlers: they resolve a promise that `run` awaits.
macro_rules! review {
    ($type:ident, $name:literal, $retention:literal) => {
        pub struct $type;

        #[reveille::workflow(name = $name)]
        impl $type {
            #[handler(workflow_retention = $retention)]
            async fn run(&self, ctx: &WorkflowContext, doc: String) -> HandlerResult<String> {
                announce(ctx, ctx.key(), ctx.key()).await?;
                let verdict = ctx.promise::<String>("review").await?;
                let process = || ran(ctx.key(), "process").map(|()| format!("{doc}: {verdict}"));
                Ok(ctx.run_sync("process", process).await?)
            }

            #[shared(name = "submitReview")]
            async fn submit_review(
                &self,
                ctx: &SharedWorkflowContext,
                verdict: String,
            ) -> HandlerResult<()> {
                Ok(ctx.promise("review").resolve(&verdict).await?)
            }

            #[shared(name = "rejectReview")]
            async fn reject_review(
                &self,
                ctx: &SharedWorkflowContext,
                reason: String,
            ) -> HandlerResult<()> {
                let reason = TerminalError::new(reason);
                Ok(ctx.promise::<String>("review").reject(reason).await?)
            }

            #[shared(name = "peekReview")]
            async fn peek_review(
                &self,
                ctx: &SharedWorkflowContext,
            ) -> HandlerResult<Option<String>> {
                Ok(ctx.promise("review").peek().await?)
            }

            #[shared(name = "awaitReview")]
            async fn await_review(&self, ctx: &SharedWorkflowContext) -> HandlerResult<String> {
                Ok(ctx.promise("review").await?)
            }
        }
    };
}

review!(ReviewWorkflow, "reviewWorkflow", "1 day");
review!(ShortReviewWorkflow, "shortReviewWorkflow", "1500ms");

pub struct ReleaseWorkflow;

/// The other direction: `run` resolves promises that several shared handlers await.
#[reveille::workflow(name = "releaseWorkflow")]
impl ReleaseWorkflow {
    async fn run(&self, ctx: &WorkflowContext, version: String) -> HandlerResult<String> {
        ctx.set("phase", "building");
        let artifact = ctx.run_sync("build", || Ok(format!("artifact-{version}"))).await?;
        ctx.promise("built").resolve(&artifact).await?;

        ctx.set("phase", "waiting for approval");
        let approver = ctx.promise::<String>("approved").await?;

        ctx.set("phase", "released");
        ctx.promise("released").resolve(&format!("{version} by {approver}")).await?;
        Ok(artifact)
    }

    #[shared(name = "awaitBuilt")]
    async fn await_built(&self, ctx: &SharedWorkflowContext) -> HandlerResult<String> {
        Ok(ctx.promise("built").await?)
    }

    #[shared(name = "awaitReleased")]
    async fn await_released(&self, ctx: &SharedWorkflowContext) -> HandlerResult<String> {
        Ok(ctx.promise("released").await?)
    }

    #[shared]
    async fn approve(&self, ctx: &SharedWorkflowContext, approver: String) -> HandlerResult<()> {
        Ok(ctx.promise("approved").resolve(&approver).await?)
    }

    #[shared]
    async fn phase(&self, ctx: &SharedWorkflowContext) -> HandlerResult<Option<String>> {
        Ok(ctx.get("phase").await?)
    }
}
