/** @file The example with a local model runs on the package's own, offline, as a reader would start it. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const EXAMPLE = fileURLToPath(new URL("../../examples/agent-with-local-model.mjs", import.meta.url));

test("the example answers through an agent, streams the same answer, and samples by seed", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE]);
  const answer = /^answer: (.+)$/m.exec(stdout)?.[1];
  expect(stdout).toMatch(/^nano@[0-9a-f]{16}, no tools$/m);
  expect(answer).toMatch(/\w{3}/);
  expect(stdout).toContain(`streamed: ${answer}`);
  expect([...stdout.matchAll(/^seed (\d): \S/gm)].map((match) => match[1])).toEqual(["1", "2", "3"]);
});
