//! Workflows and their promises.

use restate_sdk::prelude::*;

use crate::notes::ran;

/// Waits for its shared handlers: they resolve a promise that `run` awaits.
macro_rules! review {
    ($type:ident, $name:tt, $retention:tt) => {
        pub struct $type;

        #[restate_sdk::workflow(name = $name, workflow_completion_retention = $retention)]
        impl $type {
            #[handler]
            async fn run(&self, ctx: WorkflowContext<'_>, doc: String) -> HandlerResult<String> {
                let key = ctx.key().to_owned();
                announce!(ctx, &key, key)?;
                let verdict = ctx.promise::<String>("review").await?;
                let process = ctx.run(|| async move {
                    ran(&key, "process");
                    Ok(format!("{doc}: {verdict}"))
                });
                Ok(process.name("process").await?)
            }

            #[handler(name = "submitReview")]
            async fn submit_review(
                &self,
                ctx: SharedWorkflowContext<'_>,
                verdict: String,
            ) -> HandlerResult<()> {
                ctx.resolve_promise("review", verdict);
                Ok(())
            }

            #[handler(name = "rejectReview")]
            async fn reject_review(
                &self,
                ctx: SharedWorkflowContext<'_>,
                reason: String,
            ) -> HandlerResult<()> {
                ctx.reject_promise("review", TerminalError::new(reason));
                Ok(())
            }

            #[handler(name = "peekReview")]
            async fn peek_review(
                &self,
                ctx: SharedWorkflowContext<'_>,
            ) -> HandlerResult<Option<String>> {
                Ok(ctx.peek_promise::<String>("review").await?)
            }

            #[handler(name = "awaitReview")]
            async fn await_review(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<String> {
                Ok(ctx.promise::<String>("review").await?)
            }
        }
    };
}

review!(ReviewWorkflow, "reviewWorkflow", "1 day");
review!(ShortReviewWorkflow, "shortReviewWorkflow", "1500ms");

pub struct ReleaseWorkflow;

/// The other direction: `run` resolves promises that several shared handlers await.
#[restate_sdk::workflow(name = "releaseWorkflow")]
impl ReleaseWorkflow {
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>, version: String) -> HandlerResult<String> {
        ctx.set("phase", "building".to_owned());
        let name = format!("artifact-{version}");
        let artifact = ctx.run(|| async move { Ok(name) }).name("build").await?;
        ctx.resolve_promise("built", artifact.clone());

        ctx.set("phase", "waiting for approval".to_owned());
        let approver = ctx.promise::<String>("approved").await?;

        ctx.set("phase", "released".to_owned());
        ctx.resolve_promise("released", format!("{version} by {approver}"));
        Ok(artifact)
    }

    #[handler(name = "awaitBuilt")]
    async fn await_built(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<String> {
        Ok(ctx.promise::<String>("built").await?)
    }

    #[handler(name = "awaitReleased")]
    async fn await_released(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<String> {
        Ok(ctx.promise::<String>("released").await?)
    }

    #[handler]
    async fn approve(&self, ctx: SharedWorkflowContext<'_>, approver: String) -> HandlerResult<()> {
        ctx.resolve_promise("approved", approver);
        Ok(())
    }

    #[handler]
    async fn phase(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<Option<String>> {
        Ok(ctx.get::<String>("phase").await?)
    }
}
