// Virtual objects: one writer per key, readers at any time.

import * as restate from "@restatedev/restate-sdk";

import { requestHumanReview } from "./notes.ts";

type Entry = { name: string; value: unknown };

export const account = restate.object({
  name: "account",
  handlers: {
    add: async (ctx: restate.ObjectContext, amount: number) => {
      const balance = ((await ctx.get<number>("balance")) ?? 0) + amount;
      ctx.set("balance", balance);
      return balance;
    },

    /** Holds the key until somebody approves; later calls of this key queue up behind it. */
    withdraw: async (ctx: restate.ObjectContext, { name, amount }: Withdrawal) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("ask", () => requestHumanReview(name, id));
      const verdict = await promise;
      const balance = (await ctx.get<number>("balance")) ?? 0;
      ctx.set("balance", balance - amount);
      return `${verdict} ${balance - amount}`;
    },

    /** Appends to the statement and returns it, so that the order of calls shows. */
    book: async (ctx: restate.ObjectContext, line: string) => {
      const statement = [...((await ctx.get<string[]>("statement")) ?? []), line];
      ctx.set("statement", statement);
      return statement;
    },

    get: restate.createObjectSharedHandler(async (ctx: restate.ObjectSharedContext) => {
      return (await ctx.get<number>("balance")) ?? 0;
    }),
  },
});

type Withdrawal = { name: string; amount: number };

const cellHandlers = {
  put: async (ctx: restate.ObjectContext, { name, value }: Entry) => ctx.set(name, value),

  clear: async (ctx: restate.ObjectContext, name: string) => ctx.clear(name),

  clearAll: async (ctx: restate.ObjectContext) => ctx.clearAll(),

  /** A write is visible to this handler at once, and stays when the handler fails. */
  putAndFail: async (ctx: restate.ObjectContext, { name, value }: Entry) => {
    ctx.set(name, value);
    throw new restate.TerminalError(`${name} is ${JSON.stringify(await ctx.get(name))}`);
  },

  get: restate.createObjectSharedHandler(async (ctx: restate.ObjectSharedContext, name: string) => {
    return await ctx.get(name);
  }),

  keys: restate.createObjectSharedHandler(async (ctx: restate.ObjectSharedContext) => {
    return (await ctx.stateKeys()).sort();
  }),
};

/** State travels with each attempt. */
export const cabinet = restate.object({ name: "cabinet", handlers: cellHandlers });

/** State is fetched when it is read: for keys with a lot of it. */
export const archive = restate.object({
  name: "archive",
  handlers: cellHandlers,
  options: { enableLazyState: true },
});
