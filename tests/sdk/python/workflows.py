"""Workflows and their promises."""

from datetime import timedelta
from typing import Optional

from restate import Workflow, WorkflowContext, WorkflowSharedContext

from notes import ran, request_review


def review(name: str, retention: Optional[timedelta] = None) -> Workflow:
    """Waits for its shared handlers: they resolve a promise that `run` awaits."""
    workflow = Workflow(name)

    @workflow.main(workflow_retention=retention)
    async def run(ctx: WorkflowContext, doc: str) -> str:
        await ctx.run_typed("ask", lambda: request_review(ctx.key(), ctx.key()))
        verdict = await ctx.promise("review", type_hint=str)

        def process() -> str:
            ran(ctx.key(), "process")
            return f"{doc}: {verdict}"

        return await ctx.run_typed("process", process)

    @workflow.handler("submitReview")
    async def submit_review(ctx: WorkflowSharedContext, verdict: str) -> None:
        await ctx.promise("review", type_hint=str).resolve(verdict)

    @workflow.handler("rejectReview")
    async def reject_review(ctx: WorkflowSharedContext, reason: str) -> None:
        await ctx.promise("review", type_hint=str).reject(reason)

    @workflow.handler("peekReview")
    async def peek_review(ctx: WorkflowSharedContext) -> Optional[str]:
        return await ctx.promise("review", type_hint=str).peek()

    @workflow.handler("awaitReview")
    async def await_review(ctx: WorkflowSharedContext) -> str:
        return await ctx.promise("review", type_hint=str)

    return workflow


review_workflow = review("reviewWorkflow")
short_review_workflow = review("shortReviewWorkflow", timedelta(milliseconds=1500))

# The other direction: `run` resolves promises that several shared handlers await.
release_workflow = Workflow("releaseWorkflow")


@release_workflow.main("run")
async def run_release(ctx: WorkflowContext, version: str) -> str:
    ctx.set("phase", "building")
    artifact = await ctx.run_typed("build", lambda: f"artifact-{version}")
    await ctx.promise("built", type_hint=str).resolve(artifact)

    ctx.set("phase", "waiting for approval")
    approver = await ctx.promise("approved", type_hint=str)

    ctx.set("phase", "released")
    await ctx.promise("released", type_hint=str).resolve(f"{version} by {approver}")
    return artifact


@release_workflow.handler("awaitBuilt")
async def await_built(ctx: WorkflowSharedContext) -> str:
    return await ctx.promise("built", type_hint=str)


@release_workflow.handler("awaitReleased")
async def await_released(ctx: WorkflowSharedContext) -> str:
    return await ctx.promise("released", type_hint=str)


@release_workflow.handler()
async def approve(ctx: WorkflowSharedContext, approver: str) -> None:
    await ctx.promise("approved", type_hint=str).resolve(approver)


@release_workflow.handler()
async def phase(ctx: WorkflowSharedContext) -> str:
    return await ctx.get("phase")
