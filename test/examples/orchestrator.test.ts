/** @file Slow, about ten seconds: the orchestrator example runs a small self-teaching run offline, from its command line to its report. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { OrchestratorReport } from "../../src/agents/orchestrator/index.js";

const EXAMPLE = fileURLToPath(new URL("../../examples/orchestrator.mjs", import.meta.url));
const run = promisify(execFile);

test("slow: the example plans by a program, trains models/nano, and marks the answers before and after", async () => {
  const settings = ["--pairs", "4", "--steps", "1", "--rounds", "1", "--questions", "1", "--json"];
  const { stdout, stderr } = await run(process.execPath, [EXAMPLE, ...settings]);
  const report = JSON.parse(stdout) as OrchestratorReport & { right: { before: number; after: number; of: number } };
  expect(report.planner).toMatch(/no language model/);
  expect(report.pairs.made).toBe(4);
  expect(report.steps).toBe(report.trainings.length);
  expect(report.answers).toEqual([
    { question: expect.any(String), before: expect.any(Object), after: expect.any(Object) },
  ]);
  expect(report.right.of).toBe(1);
  expect(stderr).toMatch(/^- the baseline, before anything is trained$/m);
});
