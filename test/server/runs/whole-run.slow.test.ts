/** @file A real short run through the real binary: the server ends while it works, it is stopped in the middle, gone on with, read, evaluated and exported. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readAdapterDir } from "../../../src/trainer/checkpoint/index.js";

const MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "whole-run-"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

interface Connected {
  call(name: string, args?: Record<string, unknown>): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

async function connect(): Promise<Connected> {
  const client = new Client({ name: "test", version: "1" });
  const env = { PREFLEXOR_HOME: home, PREFLEXOR_OFFLINE: "1" };
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [MAIN, "serve"], env, stderr: "ignore" }),
  );
  return {
    async call(name, args = {}) {
      const result = await client.callTool({ name, arguments: args }, { timeout: 60_000 });
      if (result.isError === true) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
      return result.structuredContent as Record<string, unknown>;
    },
    close: () => client.close(),
  };
}

/** Looks until the run stands so, or has done so much. */
async function follow(
  { call }: Connected,
  run: unknown,
  isThere: (found: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  for (let i = 0; i < 400; i++) {
    const found = await call("get-run", { run });
    if (isThere(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("expected the run to get there");
}

const SHORT = {
  phases: ["orpo"],
  iterations: 1,
  topics: 4,
  settings: { n_steps: 30, save_steps: 5, replay_share: 0, held_out_pairs: 4, evaluate_every: 0 },
};

const heldOutQuestions = (directory: string): string[] =>
  readFileSync(join(directory, "held-out-pairs.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { provenance: { question: string } }).provenance.question);

it("a run outlives its server, is stopped by the next one, goes on to its end, and is of use", async () => {
  const first = await connect();
  const { run, directory, status } = (await first.call("start-run", SHORT)) as Record<string, string>;
  expect(status).toBe("working");
  // The window closes: the server is gone, and the run works on.
  await first.close();

  const second = await connect();
  const begun = await follow(second, run, ({ step }) => Number(step ?? 0) >= 5);
  expect(begun["status"]).toBe("working");
  expect(await second.call("stop-run", { run })).toMatchObject({ status: "cancelled" });
  const stopped = await second.call("get-run", { run });
  expect(stopped).toMatchObject({
    status: "cancelled",
    outcome: { message: expect.stringContaining("stopped by a signal") },
  });
  expect(Number(stopped["step"])).toBeLessThan(30);

  expect(await second.call("start-run", { resume: run })).toMatchObject({ run, status: "working" });
  const ended = await follow(second, run, (found) => found["status"] !== "working");
  expect(ended).toMatchObject({ status: "completed", step: 30, adapter: join(directory as string, "adapter") });
  expect(ended["outcome"]).toBeUndefined();

  const dry = await second.call("start-run", { ...SHORT, dry_run: true });
  expect((dry["estimate"] as { basis: string }).basis).toMatch(/^measured: \d+ optimizer steps of 1 earlier run/);

  const { metrics } = (await second.call("explain-metrics", { run })) as { metrics: readonly { name: string }[] };
  expect(metrics.map(({ name }) => name)).toEqual(expect.arrayContaining(["loss", "rewards/margins", "logps/chosen"]));

  const evaluated = await second.call("evaluate", { run, on: ["pairs"], against: "base" });
  expect(evaluated).toMatchObject({ report: { pairs: { n: 4, againstBase: { accuracy: { n: 4 } } } } });

  const exported = (await second.call("export-adapter", { run, format: "adapter" })) as { output: string };
  expect(exported.output).toBe(join(home, "exports", `${run}-adapter`));
  expect((await readAdapterDir(exported.output)).modules.length).toBeGreaterThan(0);
  const merged = (await second.call("export-adapter", { run, format: "merged", step: 30 })) as { output: string };
  expect(existsSync(join(merged.output, "model.safetensors"))).toBe(true);
  await expect(second.call("export-adapter", { run, format: "adapter" })).rejects.toThrow(
    /exists already; name another output/,
  );

  await second.call("ingest-corpus", { path: "materials-world" });
  const [question, ...others] = heldOutQuestions(directory as string);
  expect(others.length).toBeGreaterThan(0);
  const reasoned = await second.call("recursive-reason", { run, question, rounds: 1 });
  expect(reasoned).toMatchObject({ resource: `preflexor://runs/${run}/reasoning`, best: 1 });
  // What the run trained answers otherwise than the model that no tool has trained.
  const untrained = await second.call("recursive-reason", { question, rounds: 1 });
  expect(reasoned["rounds"]).not.toEqual(untrained["rounds"]);
  await second.close();

  const log = await readFile(join(directory as string, "worker.log"), "utf8");
  expect(log).toContain("round 1 of 1: train");
}, 120_000);
