// Waiting for several things, or not for ever.

import * as restate from "@restatedev/restate-sdk";

import { account } from "./account.ts";
import { requestHumanReview } from "./notes.ts";

type Timed = { name: string; millis: number };

export const combinators = restate.service({
  name: "combinators",
  handlers: {
    withTimeout: async (ctx: restate.Context, { name, millis }: Timed) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("announce", () => requestHumanReview(name, id));
      try {
        return await promise.orTimeout({ milliseconds: millis });
      } catch (error) {
        if (error instanceof restate.TimeoutError) return "timed out";
        throw error;
      }
    },

    firstOfTwo: async (ctx: restate.Context, name: string) => {
      const left = ctx.awakeable<string>();
      const right = ctx.awakeable<string>();
      await ctx.run("announce left", () => requestHumanReview(`${name}/left`, left.id));
      await ctx.run("announce right", () => requestHumanReview(`${name}/right`, right.id));
      return await restate.RestatePromise.race([left.promise, right.promise]);
    },

    /** Whichever comes first: a person, a clock, another handler. */
    firstOfAll: async (ctx: restate.Context, { name, millis }: Timed) => {
      const person = ctx.awakeable<string>();
      await ctx.run("announce", () => requestHumanReview(name, person.id));
      const clock = ctx.sleep(millis).map(() => "the clock");
      const call = ctx
        .objectClient(account, `combinators-${name}`)
        .withdraw({ name: `${name}/call`, amount: 1 });
      return await restate.RestatePromise.race([person.promise, clock, call]);
    },

    allOfThem: async (ctx: restate.Context, name: string) => {
      const person = ctx.awakeable<string>();
      await ctx.run("announce", () => requestHumanReview(name, person.id));
      const clock = ctx.sleep({ milliseconds: 50 }).map(() => "slept");
      const call = ctx.objectClient(account, `combinators-${name}`).add(7);
      return await restate.RestatePromise.all([person.promise, clock, call]);
    },

    /** The answer to `early` is there before anybody awaits it: `gate` opens first. */
    answeredEarly: async (ctx: restate.Context, name: string) => {
      const early = ctx.awakeable<string>();
      const gate = ctx.awakeable<string>();
      await ctx.run("announce early", () => requestHumanReview(`${name}/early`, early.id));
      await ctx.run("announce gate", () => requestHumanReview(`${name}/gate`, gate.id));
      const opened = await gate.promise;
      return [opened, await early.promise];
    },

    settled: async (ctx: restate.Context, name: string) => {
      const left = ctx.awakeable<string>();
      const right = ctx.awakeable<string>();
      await ctx.run("announce left", () => requestHumanReview(`${name}/left`, left.id));
      await ctx.run("announce right", () => requestHumanReview(`${name}/right`, right.id));
      const both = await restate.RestatePromise.allSettled([left.promise, right.promise]);
      return both.map((one) => (one.status === "fulfilled" ? one.value : one.reason.message));
    },

    sleep: async (ctx: restate.Context, millis: number) => {
      const before = await ctx.date.now();
      await ctx.sleep(millis);
      return (await ctx.date.now()) - before;
    },
  },
});
