/** @file The real binary: eval on the package's own model and on what was trained on it. */
import { spawn, spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EvaluationReport, evaluationReportSchema } from "../../src/agents/index.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const NANO = fileURLToPath(new URL("../../models/nano", import.meta.url));
const OTHER_BASE = fileURLToPath(new URL("../fixtures/peft/tokens-tied", import.meta.url));

let dir: string;
const environment = () => ({ cwd: dir, env: { PATH: process.env["PATH"], HOME: dir } });

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    ...environment(),
    encoding: "utf8",
    timeout: 100_000,
  });
  return { status, stdout, stderr };
}

function report(...args: string[]): EvaluationReport {
  const { status, stdout, stderr } = run("eval", ...args, "--json");
  expect(stderr).not.toMatch(/^error/m);
  expect(status).toBe(0);
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return evaluationReportSchema.parse(JSON.parse(stdout));
}

/** Pairs whose chosen reply thinks and then names a stone. */
const pairs = Array.from({ length: 8 }, (_, i) => ({
  prompt: `Which stone is number ${i}? Use <|thinking|>.`,
  chosen: `<|thinking|>\nlayers slide ${i}\n<|/thinking|>\nbasalt`,
  rejected: `glass ${i}`,
}));
const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "preflexor-eval-"));
  await writeFile(join(dir, "pairs.jsonl"), lines(pairs));
  await writeFile(join(dir, "empty.jsonl"), "");
  const questions = pairs.map(({ prompt }) => ({ question: prompt.replace(/ Use .*/, ""), reference: "basalt" }));
  await writeFile(join(dir, "questions.jsonl"), lines(questions));
  await writeFile(join(dir, "open.jsonl"), lines(questions.map(({ question }) => ({ question }))));
  const training = ["--loss", "orpo", "--max-steps", "40", "--learning-rate", "5e-3", "--save-steps", "20"];
  const trained = run("train", "--pairs", "pairs.jsonl", ...training, "--output", "run");
  expect(trained.stderr).not.toMatch(/^error/m);
  await cp(join(dir, "run", "checkpoint-40"), join(dir, "foreign"), { recursive: true });
  const manifest = join(dir, "foreign", "manifest.json");
  const text = await readFile(manifest, "utf8");
  await writeFile(manifest, text.replace(/"baseModel": "[0-9a-f]+"/, '"baseModel": "0123456789abcdef"'));
}, 120_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("preflexor eval", { timeout: 200_000 }, () => {
  it("measures the package's model on both held-out splits, and again to the same bytes", async () => {
    const asked = ["--limit", "8", "--thinking", "on,forced-off", "--k", "1,2", "--rounds", "1..2"];
    const first = run("eval", ...asked, "--json", "--output", "a.md", "--replies", "replies.jsonl");
    expect(first.status).toBe(0);
    const found = evaluationReportSchema.parse(JSON.parse(first.stdout));
    expect(found.splits.map(({ split, thinking, greedy }) => [split, thinking, greedy.n])).toEqual([
      ["unseen-combination", "on", 8],
      ["unseen-material", "on", 8],
      ["unseen-combination", "forced-off", 8],
      ["unseen-material", "forced-off", 8],
    ]);
    for (const { greedy, passAtK, byDepth, thinking } of found.splits) {
      expect(greedy.chance).toBe(0.25);
      expect(passAtK[1]!.mean).toBeGreaterThanOrEqual(passAtK[0]!.mean);
      // One round of recursion is the greedy reply with thinking asked.
      if (thinking === "on") expect(byDepth[0]!.accuracy).toEqual(greedy.accuracy);
    }
    expect(found).toMatchObject({
      environment: { name: "materials-world", seed: 7 },
      limit: 8,
      critic: "world-critic",
    });
    expect(await readFile(join(dir, "a.md"), "utf8")).toContain("## unseen-material, thinking ruled out");
    expect((await readFile(join(dir, "replies.jsonl"), "utf8")).trimEnd().split("\n")).toHaveLength(4 * 8 * 3);
    expect(run("eval", ...asked, "--json", "--output", "a.md", "--replies", "replies.jsonl").stdout).toBe(first.stdout);
  });
  it("compares an adapter with its base in one engine: the base is the model without it", () => {
    const plain = report("--limit", "8");
    const compared = report("--run", "run", "--against", "base", "--limit", "8");
    expect(compared.splits.map(({ against }) => against?.other)).toEqual(plain.splits.map(({ greedy }) => greedy));
    expect(compared.model.adapter?.path).toBe(join(dir, "run", "adapter"));
    expect(compared.model.hash).toBe(plain.model.hash);
    const same = report("--adapter", "run/adapter", "--against", "run/checkpoint-40", "--limit", "4");
    for (const { against } of same.splits) expect(against?.change).toMatchObject({ gained: 0, lost: 0, difference: 0 });
  });
  it("judges trained replies to be better than the base's, and those of a whole model and of a file alike", async () => {
    const asked = ["--adapter", "run/adapter", "--questions", "questions.jsonl"];
    const [base] = report(...asked, "--against", "base").openQuestions;
    expect(base).toMatchObject({
      thinks: { count: 8 },
      judged: { judge: "lexical-judge", wins: 8, losses: 0 },
    });
    expect(base?.judged?.p).toBeCloseTo(2 / 2 ** 8, 12);
    const [model] = report(...asked, "--against", NANO).openQuestions;
    expect(model?.judged?.bouts).toEqual(base?.judged?.bouts);
    report("--questions", "open.jsonl", "--replies", "nano.jsonl");
    const [stored] = report(...asked, "--against", "nano.jsonl").openQuestions;
    expect(stored?.judged?.bouts).toEqual(base?.judged?.bouts);
  });
  it("scores pairs: what was trained on is preferred, also over the base", () => {
    const { pairs: found, splits } = report("--checkpoint", "run/checkpoint-40", "--pairs", "pairs.jsonl");
    expect(splits).toEqual([]);
    expect(found).toMatchObject({
      n: 8,
      referenceFree: { accuracy: { count: 8 } },
      againstBase: { accuracy: { count: 8 } },
    });
    expect(found?.againstBase?.margin.low).toBeGreaterThan(0);
    expect(report("--pairs", "pairs.jsonl").pairs?.againstBase).toBeNull();
  });
  it.each<[string, string[], RegExp]>([
    ["an unknown environment", ["--environment", "mars"], /--environment: expected materials-world, found mars/],
    ["an empty file of questions", ["--questions", "empty.jsonl"], /empty\.jsonl is empty/],
    ["an empty file of pairs", ["--pairs", "empty.jsonl"], /empty\.jsonl holds no rows/],
    ["pairs as questions", ["--questions", "pairs.jsonl"], /line 1: question: expected a text/],
    ["a file that is not there", ["--questions", "none.jsonl"], /--questions: there is no file/],
    ["k above the samples", ["--k", "8", "--samples", "4"], /--k: expected at most the 4 of --samples, found 8/],
    ["an adapter of another base", ["--adapter", OTHER_BASE, "--model", NANO], /does not fit:\n {2}- model\.layers/],
    ["another base for comparison", ["--against", OTHER_BASE], /do not fit the model:\n {2}- /],
    ["a checkpoint of another base", ["--checkpoint", "foreign"], /foreign was trained on another base model/],
    ["a directory of nothing trained", ["--adapter", "run"], /run is neither an adapter nor a model/],
    ["a run that is not there", ["--run", "none"], /--run: there is no run directory/],
    ["a base without an adapter", ["--against", "base"], /--against base: expected an adapter/],
    [
      "references that the judge needs",
      ["--questions", "open.jsonl", "--against", NANO],
      /2 question\(s\) have no reference for the lexical judge/,
    ],
    ["a model that is not there", ["--model", "./nope"], /there is no directory .*nope/],
  ])("refuses %s in one message, with nothing on stdout", (_, args, message) => {
    const refused = run("eval", "--limit", "2", ...args);
    expect(refused.stderr).toMatch(message);
    expect(refused.stderr.match(/^error:/gm)).toHaveLength(1);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
  });
  it("ends with the first Ctrl-C, without a report", async () => {
    const child = spawn(process.execPath, [MAIN, "eval", "--samples", "64"], environment());
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (!err.includes("unseen-combination") && `${err}${chunk}`.includes("unseen-combination")) child.kill("SIGINT");
      err += chunk.toString();
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130);
    expect(out).toBe("");
    expect(err).toContain("stopping");
  });
});
