// The older shape: the outside calls a handler, and the handler completes the awakeable.

import * as restate from "@restatedev/restate-sdk";

export const notifier = restate.service({
  name: "NotifierService",
  handlers: {
    notify: async (ctx: restate.Context, { id, payload }: { id: string; payload: unknown }) => {
      ctx.resolveAwakeable(id, payload);
    },
  },
});
