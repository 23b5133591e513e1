// The other side: answering an awakeable from a handler.

import * as restate from "@restatedev/restate-sdk";

type Review = { id: string };

export const reviewer = restate.service({
  name: "reviewer",
  handlers: {
    approve: async (ctx: restate.Context, { id }: Review) => {
      ctx.resolveAwakeable(id, "Looks good!");
    },

    reject: async (ctx: restate.Context, { id }: Review) => {
      ctx.rejectAwakeable(id, "This cannot be reviewed.");
    },

    rejectWithCode: async (ctx: restate.Context, { id }: Review) => {
      ctx.rejectAwakeable(
        id,
        new restate.TerminalError("Review rejected: insufficient documentation", { errorCode: 400 }),
      );
    },

    /** Metadata travels with a terminal error from protocol version 6 on. */
    rejectWithMetadata: async (ctx: restate.Context, { id }: Review) => {
      const metadata = { section: "installation" };
      const options = { errorCode: 400, metadata };
      ctx.rejectAwakeable(id, new restate.TerminalError("Review rejected", options));
    },
  },
});
