// A handler that waits for a person: the main job, in four shapes.

import * as restate from "@restatedev/restate-sdk";

import { ran, requestHumanReview, timesRan } from "./notes.ts";

/** A verdict as a form would post it: `approved: fine by me`. */
type Verdict = { decision: string; comment: string };

const verdictSerde: restate.Serde<Verdict> = {
  contentType: "text/x-verdict",
  serialize: ({ decision, comment }) => new TextEncoder().encode(`${decision}: ${comment}`),
  deserialize: (bytes) => {
    const [decision = "", comment = ""] = new TextDecoder().decode(bytes).split(": ", 2);
    return { decision, comment };
  },
};

export const approval = restate.service({
  name: "approval",
  handlers: {
    ask: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run(() => requestHumanReview(name, id));
      return await promise;
    },

    /** A rejection is an ordinary terminal error that the handler may handle. */
    askKindly: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run(() => requestHumanReview(name, id));
      try {
        return { approved: true, review: await promise };
      } catch (error) {
        if (!(error instanceof restate.TerminalError)) throw error;
        const { code, message, metadata = {} } = error;
        return { approved: false, code, message, metadata };
      }
    },

    /** The answer is a signature or a picture: bytes that no serializer may touch. */
    askBinary: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable(restate.serde.binary);
      await ctx.run(() => requestHumanReview(name, id));
      return [...(await promise)];
    },

    /** The answer comes in a format of our own. */
    askVerdict: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable(verdictSerde);
      await ctx.run(() => requestHumanReview(name, id));
      return await promise;
    },

    /** Work before and after the wait: each step runs once, however often the handler is replayed. */
    askBetweenSteps: async (ctx: restate.Context, name: string) => {
      await ctx.run("prepare", () => ran(name, "prepare"));
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("ask", () => requestHumanReview(name, id));
      const review = await promise;
      await ctx.run("publish", () => ran(name, "publish"));
      return review;
    },

    /** The second review is wanted only when the first one is there. */
    askTwice: async (ctx: restate.Context, name: string) => {
      const answers: string[] = [];
      for (const turn of ["first", "second"]) {
        const { id, promise } = ctx.awakeable<string>();
        await ctx.run(`ask ${turn}`, () => requestHumanReview(`${name}/${turn}`, id));
        answers.push(await promise);
      }
      return answers;
    },

    /** Asks on every attempt, and the first two fail: each has to ask with the same id. */
    askAgainAndAgain: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable<string>();
      ran(name, id);
      if (timesRan(name, id) <= 2) throw new Error("not yet");
      await ctx.run("ask", () => requestHumanReview(name, id));
      return await promise;
    },

    /** Says which revision of the program took the answer. */
    askRevision: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("ask", () => requestHumanReview(name, id));
      return `${await promise} on ${process.env.REVISION ?? "1"}`;
    },
  },
});
