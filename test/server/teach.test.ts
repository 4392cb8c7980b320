/** @file `preflexor teach` as a user runs it: no key, no network, the package's own model, a folder of articles. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runStanding } from "../../src/agents/index.js";
import { readAdapterDir } from "../../src/trainer/checkpoint/index.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const CORPUS = fileURLToPath(new URL("../../examples/corpus", import.meta.url));
const SHORT = [
  "--iterations",
  "1",
  "--topics",
  "4",
  "--n-steps",
  "3",
  "--save-steps",
  "1",
  "--replay-share",
  "0",
  "--held-out-pairs",
  "0",
  "--roll-back",
  "false",
];

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "teach-cli-"));
  await mkdir(join(home, "runs"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Nothing of the caller's own settings, and no way to any network through a proxy. */
const env = (): NodeJS.ProcessEnv => {
  const { PATH, HOME, TMPDIR } = process.env;
  return { ...(PATH && { PATH }), ...(HOME && { HOME }), ...(TMPDIR && { TMPDIR }), PREFLEXOR_HOME: home };
};

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Interrupted, as by Ctrl-C, when stderr first says what is given. */
function teach(args: readonly string[], interruptAt?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, "teach", ...args], { env: env() });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data) => {
      stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr += data;
      if (interruptAt !== undefined && stderr.includes(interruptAt)) {
        child.kill("SIGINT");
        interruptAt = undefined;
      }
    });
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

interface Result {
  readonly runDir: string;
  readonly pairs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly loss: { readonly first: number; readonly last: number };
  readonly failures: Readonly<Record<string, number>>;
}

const resultOf = ({ stdout }: Ended): Result => JSON.parse(stdout.trimEnd().split("\n").at(-1) as string) as Result;
const ofCorpus = ["--corpus", CORPUS, "--offline", "--phases", "orpo", ...SHORT];

describe("a short run on a folder of articles", () => {
  let whole: Ended;
  beforeAll(async () => {
    whole = await teach([...ofCorpus, "--json"]);
  }, 120_000);

  it("closes stdout with the result as one JSON object, and tells everything else on stderr", () => {
    expect(whole).toMatchObject({ code: 0 });
    expect(whole.stdout.trimEnd().split("\n")).toHaveLength(1);
    const result = resultOf(whole);
    expect(result).toEqual({
      runDir: expect.stringContaining(join(home, "runs", "teach-")),
      model: expect.stringMatching(/models.nano$/),
      pairs: expect.any(Number),
      steps: 3,
      seconds: expect.any(Number),
      loss: { first: expect.any(Number), last: expect.any(Number) },
      heldOutLoss: null,
      accuracy: null,
      unseenMaterials: null,
      preferenceAccuracy: null,
      failures: expect.any(Object),
    });
    expect(result.loss.last).toBeLessThan(result.loss.first);
    expect(result.pairs).toBeGreaterThan(0);
    expect(whole.stderr).toContain("round 1 of 1: train");
  });

  it("leaves a run that says what it was asked for, pairs with their provenance, and a PEFT adapter", async () => {
    const { runDir, pairs } = resultOf(whole);
    const run = JSON.parse(await readFile(join(runDir, "run.json"), "utf8")) as object;
    expect(run).toMatchObject({ kind: "teach", request: { corpus: CORPUS, offline: true, n_steps: 3 } });
    const lines = (await readFile(join(runDir, "pairs.jsonl"), "utf8")).trim().split("\n");
    expect(lines).toHaveLength(pairs);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({
        provenance: { teacher: "extractive-teacher", phase: "orpo", round: 1, student: expect.stringMatching(/@0$/) },
      });
    const { modules } = await readAdapterDir(join(runDir, "adapter"));
    expect(modules.some(({ loraB }) => loraB.some((value) => value !== 0))).toBe(true);
    expect(existsSync(join(runDir, "run.lock"))).toBe(false);
  });

  it("that is interrupted says how to go on, and ends as the one that was not", async () => {
    const stopped = await teach([...ofCorpus, "--json"], "write a checkpoint");
    expect(stopped).toMatchObject({ code: 130, stdout: "" });
    const [, runDir] = /teach --resume (\S+)/.exec(stopped.stderr) as RegExpExecArray;
    expect(existsSync(join(runDir as string, "adapter"))).toBe(false);
    expect(await runStanding(runDir as string)).toMatchObject({
      status: "cancelled",
      outcome: { message: "stopped by a signal; what was finished is kept" },
    });
    const resumed = await teach(["--resume", runDir as string, "--json"]);
    expect(resumed.code).toBe(0);
    expect(await runStanding(runDir as string)).toEqual({ status: "completed" });
    expect(resultOf(resumed)).toMatchObject({ pairs: resultOf(whole).pairs, steps: 3, loss: resultOf(whole).loss });
    for (const file of ["pairs.jsonl", "metrics.jsonl", "state.json", "adapter/adapter_model.safetensors"]) {
      const [a, b] = await Promise.all(
        [resultOf(whole).runDir, runDir as string].map((of) => readFile(join(of, file))),
      );
      expect(a?.equals(b as Buffer), file).toBe(true);
    }
  }, 120_000);

  it("that is finished is told again by its name, without working", async () => {
    const { runDir } = resultOf(whole);
    const again = await teach(["--resume", runDir.split("/").at(-1) as string]);
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/pairs +\d+\n.*optimizer steps +3\n/s);
    expect(again.stderr).not.toContain("make pairs");
  }, 60_000);

  it("may not be gone on with under other settings", async () => {
    const { runDir } = resultOf(whole);
    const other = await teach(["--resume", runDir, "--learning-rate", "9"]);
    expect(other).toMatchObject({ code: 1, stdout: "" });
    expect(other.stderr).toContain("holds a run of another plan");
    expect(existsSync(join(runDir, "adapter"))).toBe(true);
  }, 60_000);
});

it("a config file has phases with settings of their own; a run that came to nothing says why and leaves nothing", async () => {
  const file = join(home, "teach.json");
  await writeFile(
    file,
    JSON.stringify({
      corpus: CORPUS,
      held_out_pairs: 0,
      roll_back: false,
      phases: [{ loss_type: "orpo", topics: 1, max_length: 20, max_prompt_length: 10 }],
    }),
  );
  const before = await readdir(join(home, "runs"));
  const { code, stderr } = await teach(["--config", file, "--offline"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/round 1: expected up to 1 preference pairs .* dropped when tokenized/);
  expect(stderr).not.toContain("run is kept");
  expect(await readdir(join(home, "runs"))).toEqual(before);
}, 60_000);

it("a plan that is impossible leaves no run behind", async () => {
  const before = await readdir(join(home, "runs"));
  const { code, stderr } = await teach([...ofCorpus, "--roll-back", "--held-out-pairs", "0"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /orpo\.rollBack \(roll_back\), patience: look at the held-out loss, so heldOutPairs \(held_out_pairs\) must be/,
  );
  expect(stderr).not.toContain("run is kept");
  expect(await readdir(join(home, "runs"))).toEqual(before);
}, 60_000);

describe("bad input", () => {
  it.each([
    [["--corpus", "/no/such/folder"], /nothing to read at \/no\/such\/folder/],
    [["--model", "./no-such-model"], /there is no directory .*no-such-model/],
    [["--topics", "0"], /expected a whole number from 1, found 0/],
    [["--offline", "--teacher", "openai:gpt"], /PREFLEXOR_TEACHER: .*PREFLEXOR_OFFLINE forbids it/],
    [["--offline", "--judge", "openai:gpt"], /PREFLEXOR_JUDGE: .*PREFLEXOR_OFFLINE forbids it/],
    [["--teacher", "nobody"], /PREFLEXOR_TEACHER/],
    [["--offline", "--push-to-hub", "a/b"], /offline and push_to_hub exclude each other/],
    [["--phases", "orpo,exo"], /phases\[1\]\.loss_type: expected one of .*did you mean "exo_pair"/],
    [["--resume", "nothing"], /there is no run .*nothing: preflexor runs list/],
    [["--resume", "nothing", "--config", "x.json"], /there is no run/],
    [["--config", "/no/such.json"], /there is no config file \/no\/such\.json/],
    [["--corpus", "/no/such", "--model", "./none"], /nothing to read at[\s\S]*there is no directory/],
  ])("%j is refused before a run is made", async (args, message) => {
    const elsewhere = await mkdtemp(join(tmpdir(), "teach-bad-"));
    const { code, stdout, stderr } = await teach([...args, "--home", elsewhere]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
    expect(existsSync(join(elsewhere, "runs"))).toBe(false);
    await rm(elsewhere, { recursive: true });
  });

  it("a run of the demo is not teach's to go on with", async () => {
    const runDir = join(home, "runs", "demo-2026-03-01T10-20-30");
    await mkdir(runDir);
    const run = { format: "preflexor-run", version: 1, kind: "demo", created: "2026-03-01T10:20:30.000Z", request: {} };
    await writeFile(join(runDir, "run.json"), JSON.stringify(run));
    const { code, stderr } = await teach(["--resume", runDir]);
    expect(code).toBe(1);
    expect(stderr).toContain("is a run of demo, which teach cannot go on with");
  });
});
