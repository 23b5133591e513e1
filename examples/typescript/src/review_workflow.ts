// A workflow that waits for its shared handlers: they resolve a promise that `run` awaits.

import * as restate from "@restatedev/restate-sdk";

import { ran, requestWorkflowReview } from "./notes.ts";

const handlersOf = (workflow: string) => ({
  run: async (ctx: restate.WorkflowContext, doc: string) => {
    await ctx.run("ask", () => requestWorkflowReview(workflow, ctx.key, doc));
    const review = await ctx.promise<string>("review");
    return await ctx.run("process", () => {
      ran(ctx.key, "process");
      return `${doc}: ${review}`;
    });
  },

  submitReview: restate.createWorkflowSharedHandler(
    async (ctx: restate.WorkflowSharedContext, review: string) => {
      await ctx.promise<string>("review").resolve(review);
    },
  ),

  rejectReview: restate.createWorkflowSharedHandler(
    async (ctx: restate.WorkflowSharedContext, reason: string) => {
      await ctx.promise<string>("review").reject(reason);
    },
  ),

  peekReview: restate.createWorkflowSharedHandler(async (ctx: restate.WorkflowSharedContext) => {
    return (await ctx.promise<string>("review").peek()) ?? null;
  }),

  awaitReview: restate.createWorkflowSharedHandler(async (ctx: restate.WorkflowSharedContext) => {
    return await ctx.promise<string>("review");
  }),
});

export const reviewWorkflow = restate.workflow({
  name: "reviewWorkflow",
  handlers: handlersOf("reviewWorkflow"),
});

/** The same program, forgotten soon after it ended. */
export const shortReviewWorkflow = restate.workflow({
  name: "shortReviewWorkflow",
  handlers: handlersOf("shortReviewWorkflow"),
  options: { workflowRetention: { milliseconds: 1500 } },
});
