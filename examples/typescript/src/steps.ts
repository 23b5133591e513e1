// Durable steps, failures and retries.

import * as restate from "@restatedev/restate-sdk";

import { ran, requestHumanReview, timesRan } from "./notes.ts";

export type Failure = { message: string; code: number; metadata?: Record<string, string> };

export const steps = restate.service({
  name: "steps",
  handlers: {
    /** `count` steps, each of which needs the result of the one before. */
    walk: async (ctx: restate.Context, { key, count }: { key: string; count: number }) => {
      let sum = 0;
      for (let step = 1; step <= count; step++) {
        sum = await ctx.run(`step ${step}`, () => {
          ran(key, `step ${step}`);
          return sum + step;
        });
      }
      return sum;
    },

    /** A step that fails some times before it works: only the step is retried to success. */
    flakyStep: async (ctx: restate.Context, { key, failures }: Flaky) => {
      await ctx.run("before", () => ran(key, "before"));
      return await ctx.run(
        "flaky",
        () => {
          ran(key, "flaky");
          const attempts = timesRan(key, "flaky");
          if (attempts <= failures) throw new Error(`attempt ${attempts} failed`);
          return `worked at attempt ${attempts}`;
        },
        { initialRetryInterval: 10, maxRetryInterval: 20 },
      );
    },

    /** A step that gives up: its last error becomes terminal. */
    hopelessStep: async (ctx: restate.Context, key: string) => {
      await ctx.run(
        "hopeless",
        () => {
          ran(key, "hopeless");
          throw new Error("still broken");
        },
        { maxRetryAttempts: 3, initialRetryInterval: 10 },
      );
    },

    /** A step that fails for good at once. */
    refusedStep: async (ctx: restate.Context, key: string) => {
      await ctx.run("refused", () => {
        ran(key, "refused");
        throw new restate.TerminalError("never", { errorCode: 451 });
      });
    },

    /** A handler that fails some times: the server runs it again and replays what is journaled. */
    flakyHandler: async (ctx: restate.Context, { key, failures }: Flaky) => {
      await ctx.run("before", () => ran(key, "before"));
      ran(key, "attempt");
      const attempts = timesRan(key, "attempt");
      if (attempts <= failures) throw new Error(`attempt ${attempts} failed`);
      return `worked at attempt ${attempts}`;
    },

    /** A terminal error is an outcome: nobody retries it. */
    refuse: async (_ctx: restate.Context, { message, code, metadata }: Failure) => {
      throw new restate.TerminalError(message, { errorCode: code, metadata });
    },

    /** Gives back what the caller sent. */
    headers: async (ctx: restate.Context) => Object.fromEntries(ctx.request().headers),
  },
});

type Flaky = { key: string; failures: number };

/** Waits that end the attempt soon: the stream is closed, the slot is free, and an answer replays the handler. */
export const patient = restate.service({
  name: "patient",
  handlers: {
    wait: async (ctx: restate.Context, key: string) => {
      ran(key, "attempt");
      ctx.request().attemptCompletedSignal.addEventListener("abort", () => ran(key, "attempt over"));
      const before = await ctx.run("before", () => {
        ran(key, "before");
        return "before";
      });
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("ask", () => requestHumanReview(key, id));
      const review = await promise;
      const after = await ctx.run("after", () => {
        ran(key, "after");
        return "after";
      });
      return [before, review, after, ctx.rand.uuidv4() === ctx.rand.uuidv4()];
    },
  },
  options: { inactivityTimeout: { milliseconds: 200 }, abortTimeout: { seconds: 30 } },
});

/** Fails twice and is then left alone until an operator resumes it. */
export const stubborn = restate.service({
  name: "stubborn",
  handlers: {
    listen: async (ctx: restate.Context, key: string) => {
      ran(key, "attempt");
      if (timesRan(key, "attempt") <= 2) throw new Error("not yet");
      return await ctx.signal<string>("news");
    },
  },
  options: { retryPolicy: { maxAttempts: 2, initialInterval: 10, onMaxAttempts: "pause" } },
});
