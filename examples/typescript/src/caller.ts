// Handlers that call, send, schedule, attach to and cancel other handlers.

import * as restate from "@restatedev/restate-sdk";

import { account } from "./account.ts";
import { approval } from "./approval.ts";
import { ran, requestHumanReview } from "./notes.ts";
import { steps, type Failure } from "./steps.ts";

type Amount = { key: string; amount: number };

export const caller = restate.service({
  name: "caller",
  handlers: {
    add: async (ctx: restate.Context, { key, amount }: Amount) => {
      return await ctx.objectClient(account, key).add(amount);
    },

    addLater: async (ctx: restate.Context, { key, amount, millis }: Amount & { millis: number }) => {
      const options = restate.rpc.sendOpts<number>({ delay: millis });
      return await ctx.objectSendClient(account, key).add(amount, options).invocationId;
    },

    /** Both sends carry one idempotency key: the account is credited once. */
    addOnce: async (ctx: restate.Context, { key, amount }: Amount) => {
      const options = restate.rpc.sendOpts<number>({ idempotencyKey: `once-${key}` });
      const first = await ctx.objectSendClient(account, key).add(amount, options).invocationId;
      const second = await ctx.objectSendClient(account, key).add(amount, options).invocationId;
      return first === second;
    },

    /** Both calls carry one idempotency key: the second gets the result of the first. */
    callOnce: async (ctx: restate.Context, { key, amount }: Amount) => {
      const options = restate.rpc.opts<number, number>({ idempotencyKey: `call-${key}` });
      const first = await ctx.objectClient(account, key).add(amount, options);
      return [first, await ctx.objectClient(account, key).add(amount, options)];
    },

    /** Starts an approval and returns its invocation id without waiting for the answer. */
    startApproval: async (ctx: restate.Context, name: string) => {
      return await ctx.serviceSendClient(approval).ask(name).invocationId;
    },

    attach: async (ctx: restate.Context, id: string) => {
      return await ctx.attach<string>(restate.InvocationIdParser.fromString(id));
    },

    /** Starts an approval, loses patience, and cancels it. */
    cancelApproval: async (ctx: restate.Context, name: string) => {
      const id = await ctx.serviceSendClient(approval).ask(name).invocationId;
      ctx.cancel(id);
      return await outcome(ctx.attach<string>(id));
    },

    /** Awaits a child; when cancelled itself, the child is cancelled with it. */
    delegate: async (ctx: restate.Context, name: string) => {
      return await ctx.serviceClient(approval).ask(name);
    },

    /** Undoes its first step when what follows is cancelled or rejected. */
    reserve: async (ctx: restate.Context, name: string) => {
      await ctx.run("reserve", () => ran(name, "reserve"));
      try {
        return await ctx.serviceClient(approval).ask(name);
      } catch (error) {
        if (error instanceof restate.TerminalError) await ctx.run("release", () => ran(name, "release"));
        throw error;
      }
    },

    /** The terminal error of a callee arrives as it was thrown. */
    refused: async (ctx: restate.Context, failure: Failure) => {
      return await outcome(ctx.serviceClient(steps).refuse(failure));
    },
  },
});

async function outcome<T>(promise: Promise<T>) {
  try {
    return { value: await promise };
  } catch (error) {
    if (!(error instanceof restate.TerminalError)) throw error;
    return { code: error.code, message: error.message, metadata: error.metadata ?? {} };
  }
}

/** Books one amount per approved payout: the balance tells how many were completed, exactly. */
export const payout = restate.service({
  name: "payout",
  handlers: {
    request: async (ctx: restate.Context, { name, key }: { name: string; key: string }) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("ask", () => requestHumanReview(name, id));
      const review = await promise;
      await ctx.objectClient(account, key).add(1);
      return `${name}: ${review}`;
    },
  },
});
