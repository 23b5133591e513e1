// Where the outside world finds what the handlers did: the terminal for people, files for tests.

import { appendFileSync, existsSync, readFileSync } from "node:fs";

const { REVIEW_LOG, RUN_LOG, INGRESS = "http://localhost:8080" } = process.env;

/** Tells people (and tests) which awakeable `name` waits for. */
export async function requestHumanReview(name: string, id: string) {
  console.log(`Review wanted: ${name}. Answer it with`);
  console.log(`  curl ${INGRESS}/restate/awakeables/${id}/resolve --json '"Looks good!"'`);
  append(REVIEW_LOG, { name, id });
}

/** The same for a workflow promise, which is answered through a shared handler. */
export async function requestWorkflowReview(workflow: string, key: string, doc: string) {
  console.log(`Review wanted: ${doc}. Answer it with`);
  console.log(`  curl ${INGRESS}/${workflow}/${key}/submitReview --json '"Looks good!"'`);
  append(REVIEW_LOG, { name: key, id: key });
}

/** Records that the code behind `step` really ran, so that a second execution would show. */
export function ran(key: string, step: string) {
  append(RUN_LOG, { key, step });
}

/** How often `step` of `key` was recorded, or 0 without a RUN_LOG. */
export function timesRan(key: string, step: string): number {
  if (!RUN_LOG || !existsSync(RUN_LOG)) return 0;
  const line = JSON.stringify({ key, step });
  return readFileSync(RUN_LOG, "utf8").split("\n").filter((other) => other === line).length;
}

function append(file: string | undefined, entry: object) {
  if (file) appendFileSync(file, JSON.stringify(entry) + "\n");
}
