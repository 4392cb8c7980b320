/** @file The demo as a user runs it, shortened: its JSON, its run directory, and the same bytes for the same seed. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAdapterDir } from "../../src/trainer/checkpoint/index.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const run = promisify(execFile);

interface Result {
  readonly pairs: number;
  readonly steps: number;
  readonly loss: { first: number; last: number };
  readonly rewardMargin: { first: number; last: number };
  readonly accuracy: { before: number; after: number; n: number; chance: number; ci95: number };
  readonly store: { name: string; version: string };
  readonly runDir: string;
  readonly seconds: number;
}

describe("a short demo, twice with one seed", () => {
  let home: string;
  let results: readonly Result[];
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "demo-"));
    const once = async (): Promise<Result> => {
      const args = [MAIN, "demo", "--json", "--seed", "5", "--rounds", "1", "--pairs", "48", "--home", home];
      const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 24 });
      return JSON.parse(stdout.trimEnd().split("\n").at(-1) as string) as Result;
    };
    results = [await once(), await once()];
  }, 170_000);
  afterAll(() => rm(home, { recursive: true, force: true }));

  it("closes stdout with the result, every promised field a number where a number was promised", () => {
    for (const { seconds, pairs, steps, loss, rewardMargin, accuracy, store } of results) {
      expect(pairs).toBeGreaterThan(40);
      expect(steps).toBe(6);
      expect(loss.last).toBeLessThan(loss.first);
      expect(accuracy.n).toBe(210);
      expect(accuracy.chance).toBe(0.25);
      for (const value of [
        seconds,
        rewardMargin.first,
        rewardMargin.last,
        accuracy.before,
        accuracy.after,
        accuracy.ci95,
      ]) {
        expect(value).toSatisfy(Number.isFinite);
      }
      expect(store.name).toMatch(/chroma|in-process/);
    }
  });

  it("writes the same pairs and the same adapter, byte for byte", async () => {
    const [first, second] = results as [Result, Result];
    expect(first.runDir).not.toBe(second.runDir);
    for (const file of [
      "pairs.jsonl",
      "metrics.jsonl",
      "adapter/adapter_model.safetensors",
      "adapter/adapter_config.json",
    ]) {
      const [a, b] = await Promise.all([first, second].map(({ runDir }) => readFile(join(runDir, file))));
      expect(a?.equals(b as Buffer), file).toBe(true);
    }
  });

  it("leaves a run directory with a PEFT adapter, a checkpoint and a report", async () => {
    const { runDir, steps } = results[0] as Result;
    const { config, modules } = await readAdapterDir(join(runDir, "adapter"));
    expect(config.r).toBe(16);
    expect(modules.some(({ loraB }) => loraB.some((value) => value !== 0))).toBe(true);
    for (const file of ["report.html", "summary.json", `checkpoint-${steps}/manifest.json`]) {
      expect(existsSync(join(runDir, file)), file).toBe(true);
    }
  });
});
