/** @file The published loops run on the package's own model, offline, as a reader would start them. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const run = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "loops-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Row = Readonly<Record<string, number>>;

/** Its output, and what its last iteration has saved. */
async function looped(name: string) {
  const out = join(folder, name);
  const args = [path("scripts/run-example.mjs"), name, path("models/nano"), path("examples/corpus"), out];
  const { stdout } = await run(process.execPath, args);
  const read = (file: string) => readFile(join(out, "iteration-2", file), "utf8");
  const log = JSON.parse(await read("log_history.json")) as readonly Row[];
  const pairs = (await read("dataset.jsonl")).trim().split("\n");
  return { stdout, log, pairs, saved: await readdir(join(out, "iteration-2")) };
}

test("the ORPO loop trains on pairs of each iteration, samples the demo prompts, and saves model, log and data set", async () => {
  const { stdout, log, pairs, saved } = await looped("orpo-loop");
  expect(saved).toEqual(expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors"]));
  expect(log.map(({ step, round }) => [step, round])).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((step) => [step, step > 4 ? 2 : 1]),
  );
  expect(log[3]!["loss"]).toBeLessThan(log[0]!["loss"] as number);
  const counts = [...stdout.matchAll(/iteration \d: (\d+) pairs/g)].map((match) => Number(match[1]));
  expect(counts).toHaveLength(2);
  expect(pairs).toHaveLength(counts.reduce((a, b) => a + b, 0));
  expect(stdout.match(/Why is nacre much tougher than aragonite\?\n {2}\S/g)).toHaveLength(2);
  const students = pairs.map((line) => (JSON.parse(line) as { provenance: { student: string } }).provenance.student);
  expect(new Set(students.map((name) => name.split("@")[1]))).toEqual(new Set(["0", "4"]));
}, 60_000);

test("the EXO loop begins at the loss of a model that is its own reference, behind the first phase, and lowers it", async () => {
  const { stdout, log } = await looped("exo-loop");
  expect(stdout).toMatch(/phase 1, ORPO[\s\S]*phase 2, EXO, iteration 1[\s\S]*phase 2, EXO, iteration 2/);
  // EXO with β 0.1 and ε 5e-3 where policy and reference are the same: 1.95851777 (golden of TRL's formula).
  expect(log[0]!["loss"]).toBeCloseTo(1.95852, 3);
  expect(log[3]!["loss"]).toBeLessThan(1.9);
}, 60_000);

test("a name that is no example is refused with those that are", async () => {
  await expect(run(process.execPath, [path("scripts/run-example.mjs"), "orpo"])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/expected the name of an example \(exo-loop, orpo-loop\), found orpo/),
  });
});
