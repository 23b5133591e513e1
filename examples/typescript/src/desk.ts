// Flow control: how many of these run at the same time is up to the rules of the server.
//
//   curl -X PUT localhost:9070/limits/rules --json '[{"pattern": "desk", "limits": {"concurrency": 2}}]'
//   curl 'localhost:8080/restate/scope/desk/call/desk/work?limit-key=alice' --json '"report"'

import * as restate from "@restatedev/restate-sdk";

import { ran, requestHumanReview } from "./notes.ts";

type Job = { name: string; board: string; millis: number };

type Delegated = { called: string; apart: boolean; answer: string };

export const desk = restate.service({
  name: "desk",
  handlers: {
    /** Works for a while; begin and end are written down. */
    work: async (ctx: restate.Context, { name, board, millis }: Job) => {
      await ctx.run("work", async () => {
        ran(board, `begin ${name}`);
        await new Promise((resolve) => setTimeout(resolve, millis));
        ran(board, `end ${name}`);
      });
      return name;
    },

    /** Waits for a person, which takes no place. */
    ask: async (ctx: restate.Context, name: string) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run(() => requestHumanReview(name, id));
      return await promise;
    },

    whoami: async (ctx: restate.Context) => {
      const { scope, limitKey } = ctx.request();
      return `${scope}/${limitKey}`;
    },

    /** Calls and sends within a scope. The scope is part of the identity: the keys are different ones. */
    delegate: async (ctx: restate.Context, scope: string): Promise<Delegated> => {
      const scoped = ctx.scope(scope);
      const called = await scoped
        .serviceClient(desk)
        .whoami(restate.rpc.opts({ limitKey: "a/b" }));
      const options = restate.rpc.sendOpts<void>({ idempotencyKey: "once" });
      const inside = await scoped.serviceSendClient(desk).whoami(options).invocationId;
      const outside = await ctx.serviceSendClient(desk).whoami(options).invocationId;
      return { called, apart: inside !== outside, answer: await ctx.attach<string>(inside) };
    },
  },
});
