// Serves every program of this folder.
//
//   PORT=9080            where to listen
//   MODE=bidi | rr | h1  streaming over HTTP/2, request/response over HTTP/2, or over HTTP/1.1;
//        lambda          as a function of AWS Lambda, which is played (see lambda.ts)
//   IDENTITY_KEYS=...    public keys of the servers that may call, with commas between them
//   TLS_CERT, TLS_KEY    PEM files; with them, it is served over https

import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import * as restate from "@restatedev/restate-sdk";
import * as lambda from "@restatedev/restate-sdk/lambda";

import { account, archive, cabinet } from "./account.ts";
import { approval } from "./approval.ts";
import { caller, payout } from "./caller.ts";
import { combinators } from "./combinators.ts";
import { desk } from "./desk.ts";
import { door } from "./door.ts";
import { createLambdaServer } from "./lambda.ts";
import { meeting, room } from "./meeting.ts";
import { notifier } from "./notifier.ts";
import { releaseWorkflow } from "./release_workflow.ts";
import { reviewWorkflow, shortReviewWorkflow } from "./review_workflow.ts";
import { reviewer } from "./reviewer.ts";
import { patient, steps, stubborn } from "./steps.ts";

const port = Number(process.env.PORT ?? 9080);
const mode = process.env.MODE ?? "bidi";
const identityKeys = process.env.IDENTITY_KEYS?.split(",");
const { TLS_CERT, TLS_KEY } = process.env;

const services = [
  account, approval, archive, cabinet, caller, combinators, desk, door, meeting, notifier,
  patient, payout, releaseWorkflow, reviewWorkflow, reviewer, room, shortReviewWorkflow, steps, stubborn,
];
const bidirectional = mode === "bidi";
const handler = restate.createEndpointHandler({ services, bidirectional, identityKeys });

function serve() {
  if (mode === "lambda") {
    return createLambdaServer(lambda.createEndpointHandler({ services, identityKeys }));
  }
  if (TLS_CERT === undefined || TLS_KEY === undefined) {
    return mode === "h1" ? http.createServer(handler) : http2.createServer(handler);
  }
  const files = { cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) };
  return mode === "h1"
    ? https.createServer(files, handler)
    : http2.createSecureServer(files, handler);
}

const server = serve();
server.listen(port, "127.0.0.1", () => console.log(`Serving on port ${port} (${mode}).`));
