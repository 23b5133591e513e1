// Plays AWS Lambda for tests: the API that invokes a function, with the SDK's handler behind it, and the
// one that hands out the credentials of a role.

import * as http from "node:http";

const ACCOUNT_KEY = "AKIDACCOUNT";
const ROLE = { key: "ASIAROLE", secret: "role-secret", token: "role-token" };

type LambdaHandler = (event: unknown, context: unknown) => Promise<unknown>;

function read(request: http.IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
  });
}

/** Who signed, and for which service, region and headers; undefined without a signature. */
function signer(request: http.IncomingMessage) {
  const authorization = request.headers.authorization ?? "";
  const parts = /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/(\w+)\/aws4_request, SignedHeaders=([\w;-]+), Signature=[0-9a-f]{64}$/
    .exec(authorization);
  if (parts === null || !/^\d{8}T\d{6}Z$/.test(`${request.headers["x-amz-date"]}`)) return undefined;
  return { key: parts[1], region: parts[3], service: parts[4], headers: parts[5].split(";") };
}

function assumeRole(key: string | undefined, body: string): [number, string] {
  const form = new URLSearchParams(body);
  const isRole = form.get("RoleArn") === "arn:aws:iam::123456789012:role/invoker";
  if (key !== ACCOUNT_KEY || form.get("Action") !== "AssumeRole" || !isRole) {
    return [403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"];
  }
  const credentials =
    `<AccessKeyId>${ROLE.key}</AccessKeyId><SecretAccessKey>${ROLE.secret}</SecretAccessKey>` +
    `<SessionToken>${ROLE.token}</SessionToken><Expiration>2026-01-31T12:00:00Z</Expiration>`;
  return [200, `<AssumeRoleResponse><AssumeRoleResult><Credentials>${credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>`];
}

/** Serves both APIs; functions called `greeter` are the handler, `broken` fails, others do not exist. */
export function createLambdaServer(handler: LambdaHandler): http.Server {
  return http.createServer(async (request, response) => {
    const answer = (status: number, body: string, headers: http.OutgoingHttpHeaders = {}) => {
      response.writeHead(status, headers);
      response.end(body);
    };
    const body = await read(request);
    const by = signer(request);
    if (by?.service === "sts" && request.url === "/") return answer(...assumeRole(by.key, body));
    const path = /^\/2015-03-31\/functions\/arn%3Aaws%3Alambda%3A([\w-]+)%3A123456789012%3Afunction%3A(\w+)%3A(\w+)\/invocations$/
      .exec(request.url ?? "");
    if (path === null) return answer(404, '{"Message":"no such function"}');
    const [, region, name, qualifier] = path;
    const isRole = by?.key === ROLE.key && by.headers.includes("x-amz-security-token") &&
      request.headers["x-amz-security-token"] === ROLE.token;
    // The version `private` can be invoked with the role only.
    const isAllowed = by?.service === "lambda" && by.region === region &&
      (qualifier === "private" ? isRole : by.key === ACCOUNT_KEY);
    if (!isAllowed) return answer(403, '{"Message":"not allowed to invoke it"}');
    if (name === "broken") {
      return answer(200, '{"errorMessage":"out of memory"}', { "x-amz-function-error": "Unhandled" });
    }
    if (name !== "greeter") return answer(404, '{"Message":"no such function"}');
    const result = await handler(JSON.parse(body), {});
    answer(200, JSON.stringify(result), { "content-type": "application/json" });
  });
}
