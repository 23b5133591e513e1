// Named signals: messages to a running invocation.

import * as restate from "@restatedev/restate-sdk";

import { ran } from "./notes.ts";

type Message = { id: string; name: string; text: string };

export const meeting = restate.service({
  name: "meeting",
  handlers: {
    wait: async (ctx: restate.Context, name: string) => await ctx.signal<string>(name),

    waitTwice: async (ctx: restate.Context, name: string) => {
      const first = await ctx.signal<string>(name);
      await ctx.run("note", () => ran(ctx.request().id, `heard ${first}`));
      return [first, await ctx.signal<string>(name)];
    },

    tell: async (ctx: restate.Context, { id, name, text }: Message) => {
      const target = ctx.invocation(restate.InvocationIdParser.fromString(id));
      target.signal<string>(name).resolve(text);
    },

    refuse: async (ctx: restate.Context, { id, name, text }: Message) => {
      const target = ctx.invocation(restate.InvocationIdParser.fromString(id));
      target.signal<string>(name).reject(new restate.TerminalError(text, { errorCode: 403 }));
    },
  },
});

/** One meeting at a time per room: the next one is queued, and its signals wait with it. */
export const room = restate.object({
  name: "room",
  handlers: { wait: async (ctx: restate.ObjectContext, name: string) => await ctx.signal<string>(name) },
});
