// What callers may send: input declarations, and a handler that the outside may not call.

import * as restate from "@restatedev/restate-sdk";

export const door = restate.service({
  name: "door",
  handlers: {
    json: async (_ctx: restate.Context, name: string) => `Hello ${name}`,

    bytes: restate.createServiceHandler(
      { input: restate.serde.binary, output: restate.serde.binary },
      async (_ctx: restate.Context, body: Uint8Array) => body,
    ),

    image: restate.createServiceHandler(
      { input: restate.serde.binary, accept: "image/*" },
      async (_ctx: restate.Context, body: Uint8Array) => body.length,
    ),

    /** Declares that there is no input at all. */
    nothing: restate.createServiceHandler(
      { input: restate.serde.empty },
      async (_ctx: restate.Context) => "nothing",
    ),

    hidden: restate.createServiceHandler(
      { ingressPrivate: true },
      async (_ctx: restate.Context, name: string) => `Psst ${name}`,
    ),
  },
});
