/** @file The example of an agent over MCP runs offline, says that no model planned, and answers with both tools. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const EXAMPLE = fileURLToPath(new URL("../../examples/agent-over-mcp.mjs", import.meta.url));
const run = (...args: readonly string[]) => promisify(execFile)(process.execPath, [EXAMPLE, ...args]);

test("the example retrieves, reasons, and answers with what both tools said", async () => {
  const { stdout } = await run("builtin", "What is the failure class of Flakbesk?");
  expect(stdout).toMatch(/^planned by: a script, no language model$/m);
  expect([...stdout.matchAll(/^call: (\S+)/gm)].map((match) => match[1])).toEqual([
    "retrieve-context",
    "recursive-reason",
  ]);
  expect(stdout).toMatch(/^answer: .*Compare: This note describes Flakbesk\./m);
});

test("a model that cannot be opened is named, before any server works", async () => {
  await expect(run("openai:m@http://127.0.0.1:1/v1")).rejects.toThrow(/nothing answers at http:\/\/127\.0\.0\.1:1\/v1/);
});
