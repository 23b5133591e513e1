// The other direction: `run` resolves promises that several shared handlers await.

import * as restate from "@restatedev/restate-sdk";

export const releaseWorkflow = restate.workflow({
  name: "releaseWorkflow",
  handlers: {
    run: async (ctx: restate.WorkflowContext, version: string) => {
      ctx.set("phase", "building");
      const artifact = await ctx.run("build", () => `artifact-${version}`);
      await ctx.promise<string>("built").resolve(artifact);

      ctx.set("phase", "waiting for approval");
      const approver = await ctx.promise<string>("approved");

      ctx.set("phase", "released");
      await ctx.promise<string>("released").resolve(`${version} by ${approver}`);
      return artifact;
    },

    awaitBuilt: restate.createWorkflowSharedHandler(async (ctx: restate.WorkflowSharedContext) => {
      return await ctx.promise<string>("built");
    }),

    awaitReleased: restate.createWorkflowSharedHandler(
      async (ctx: restate.WorkflowSharedContext) => await ctx.promise<string>("released"),
    ),

    approve: restate.createWorkflowSharedHandler(
      async (ctx: restate.WorkflowSharedContext, approver: string) => {
        await ctx.promise<string>("approved").resolve(approver);
      },
    ),

    phase: restate.createWorkflowSharedHandler(async (ctx: restate.WorkflowSharedContext) => {
      return await ctx.get<string>("phase");
    }),
  },
});
