/** @file The real binary: train, score, export and doctor on the package's own model. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const NANO = fileURLToPath(new URL("../../models/nano", import.meta.url));

let dir: string;
let pairs: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "preflexor-commands-"));
  pairs = join(dir, "pairs.jsonl");
  const rows = Array.from({ length: 12 }, (_, i) => ({
    prompt: `Which material is tough, number ${i}? Use <|thinking|>.`,
    chosen: `<|thinking|>\nlayers slide ${i}\n<|/thinking|>\nnacre`,
    rejected: `<|thinking|>\nhard\n<|/thinking|>\nglass ${i}`,
    provenance: { passages: [], teacher: "t", student: "s", seed: i },
  }));
  await writeFile(
    pairs,
    [...rows, { prompt: "x", chosen: "", rejected: "y" }].map((row) => JSON.stringify(row)).join("\n"),
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    cwd: dir,
    env: { PATH: process.env["PATH"], HOME: dir },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

const json = ({ stdout }: { readonly stdout: string }): Record<string, unknown> => {
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return JSON.parse(stdout);
};
const readLines = async (file: string) =>
  (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l));

describe("preflexor train", { timeout: 120_000 }, () => {
  it("trains, names what it left out, and prints one line of JSON", () => {
    const done = run(
      "train",
      "--pairs",
      pairs,
      "--loss",
      "orpo",
      "--output",
      "a",
      "--save-steps",
      "2",
      "--json",
      "--learning-rate",
      "1e-3",
    );
    expect(done.stderr).toMatch(/line 13: chosen is an empty answer/);
    expect(done.stderr).toMatch(/device: cpu: /);
    expect(done.stderr).toMatch(/memory: /);
    expect(json(done)).toMatchObject({
      command: "train",
      loss: "orpo",
      steps: 6,
      trained: join(dir, "a/adapter"),
      checkpoint: join(dir, "a/checkpoint-6"),
      leftOut: [{ number: 13, reason: "chosen is an empty answer" }],
    });
    expect(done.status).toBe(0);
  });
  it("refuses to train over the checkpoints of another training", () => {
    const again = run("train", "--pairs", pairs, "--loss", "orpo", "--output", "a");
    expect(again.stderr).toMatch(/holds checkpoints of a training/);
    expect(again).toMatchObject({ status: 1, stdout: "" });
  });
  it("goes on from a checkpoint, with no other argument, to the same bytes", async () => {
    const whole = await readFile(join(dir, "a/adapter/adapter_model.safetensors"));
    await rm(join(dir, "a/adapter"), { recursive: true });
    await rm(join(dir, "a/checkpoint-6"), { recursive: true });
    await rm(join(dir, "a/checkpoint-4"), { recursive: true });
    const resumed = run("train", "--resume", "a/checkpoint-2");
    expect(resumed.stderr).toMatch(/goes on from .*checkpoint-2/);
    expect((await readFile(join(dir, "a/adapter/adapter_model.safetensors"))).equals(whole)).toBe(true);
  });
  it("stops at Ctrl-C with a checkpoint, says how to go on, and then ends in the same bytes", async () => {
    const settings = ["--pairs", pairs, "--loss", "sigmoid", "--num-train-epochs", "10", "--learning-rate", "1e-3"];
    expect(run("train", ...settings, "--output", "whole").status).toBe(0);
    const child = spawn(process.execPath, [MAIN, "train", ...settings, "--output", "cut"], {
      cwd: dir,
      env: { HOME: dir },
    });
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      if (/: 15 of 60/.test(text + chunk) && !/: 15 of 60/.test(text)) child.kill("SIGINT");
      text += chunk;
    });
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(130);
    expect(text).toMatch(/stopping …[\s\S]*Stopped after step \d+; the last checkpoint is kept/);
    const checkpoint = /train --resume (\S+)$/m.exec(text)?.[1] ?? "";
    expect(existsSync(join(checkpoint, "manifest.json"))).toBe(true);
    expect(checkpoint).not.toMatch(/checkpoint-60$/);
    expect(run("train", "--resume", checkpoint).status).toBe(0);
    for (const file of ["adapter/adapter_model.safetensors", "metrics.jsonl"]) {
      const [whole, cut] = await Promise.all(["whole", "cut"].map((name) => readFile(join(dir, name, file))));
      expect(cut!.equals(whole!), file).toBe(true);
    }
  });
  it("trains on raw text, packed", async () => {
    await writeFile(join(dir, "notes.txt"), "Nacre is tough because its layers slide.\n".repeat(40));
    const done = run(
      "train",
      "--texts",
      "notes.txt",
      "--loss",
      "sft",
      "--packing",
      "--max-length",
      "64",
      "--output",
      "t",
      "--json",
    );
    expect(json(done)).toMatchObject({ loss: "sft", leftOut: [] });
  });
  it.each<[string, string[], RegExp]>([
    ["an unknown flag", ["--los", "orpo"], /unknown option '--los'[\s\S]*Did you mean --loss\?/],
    ["a loss that does not exist", ["--loss", "dppo"], /expected one of sft, orpo/],
    ["no loss", ["--pairs", "pairs.jsonl"], /loss_type: is required/],
    ["no data", ["--loss", "orpo"], /expected data to train on, found none/],
    ["a file that is not there", ["--loss", "orpo", "--pairs", "nope.jsonl"], /there is no file nope\.jsonl/],
    [
      "a model that is not there",
      ["--loss", "orpo", "--pairs", "pairs.jsonl", "--model", "./nope"],
      /there is no directory \.\/nope/,
    ],
    [
      "an unknown key in the config",
      ["--config", "c.json"],
      /unknown key "learning_rat": did you mean "learning_rate"\?/,
    ],
    ["broken lines", ["--loss", "orpo", "--pairs", "broken.jsonl"], /line 1: not JSON[\s\S]*line 2: rejected: missing/],
    [
      "a device that is not there",
      ["--loss", "orpo", "--pairs", "pairs.jsonl", "--device", "cuda"],
      /--device cuda cannot be used/,
    ],
  ])("refuses %s in one message, and leaves no directory", async (_, args, message) => {
    await writeFile(join(dir, "c.json"), '{"loss_type": "orpo", "pairs": "pairs.jsonl", "learning_rat": 1}');
    await writeFile(
      join(dir, "broken.jsonl"),
      `{
{"prompt": "a", "chosen": "b"}
`,
    );
    const before = await readdir(dir);
    const refused = run("train", ...args);
    expect(refused.stderr).toMatch(message);
    expect(refused.stderr.match(/^error:/gm)).toHaveLength(1);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(await readdir(dir)).toEqual(before);
  });
});

describe("preflexor score", { timeout: 60_000 }, () => {
  it("writes a line for each pair: sums, counts and the margin between them", async () => {
    const done = run("score", "--pairs", pairs, "--output", "base.jsonl");
    expect(done).toMatchObject({ status: 0, stdout: "" });
    const lines = await readLines(join(dir, "base.jsonl"));
    expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    for (const { chosen, rejected, margin } of lines) {
      expect(chosen.count).toBeGreaterThan(0);
      expect(chosen.sum).toBeLessThan(0);
      expect(margin).toBeCloseTo(chosen.sum - rejected.sum, 9);
    }
  });
  it("scores otherwise with an adapter, which was trained to prefer the chosen replies", async () => {
    const base = json(run("score", "--pairs", pairs, "--json", "--model", NANO));
    const trained = json(run("score", "--pairs", pairs, "--json", "--adapter", "whole/adapter"));
    expect(trained).toMatchObject({ command: "score", pairs: 12, leftOut: [{ number: 13 }] });
    expect(trained["meanMargin"]).toBeGreaterThan(Number(base["meanMargin"]));
    expect(trained["accuracy"]).toBe(1);
  });
});

describe("preflexor export", { timeout: 60_000 }, () => {
  const scores = async (...args: string[]) => {
    expect(run("score", "--pairs", pairs, "--output", "s.jsonl", ...args).status).toBe(0);
    return (await readLines(join(dir, "s.jsonl"))).map(({ chosen }) => chosen.sum as number);
  };
  it("merges an adapter into a model that scores as both together", async () => {
    const done = run("export", "--format", "merged", "--from", "whole/adapter", "--output", "merged", "--json");
    expect(json(done)).toMatchObject({ command: "export", format: "merged", output: join(dir, "merged") });
    const [merged, adapted, base] = [
      await scores("--model", "merged"),
      await scores("--adapter", "whole/adapter"),
      await scores(),
    ];
    // The model is stored in float16.
    merged.forEach((sum, i) => {
      expect(Math.abs(sum - adapted[i]!)).toBeLessThan(0.02 * Math.abs(base[i]! - adapted[i]!) + 0.05);
    });
  });
  it("takes the adapter out of a checkpoint, without what belongs to the training", async () => {
    const args = [
      "--format",
      "adapter",
      "--from",
      "a/checkpoint-2",
      "--output",
      "plain",
      "--base-model-name",
      "me/base",
    ];
    expect(run("export", ...args).status).toBe(0);
    expect((await readdir(join(dir, "plain"))).sort()).toEqual([
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
      "chat_template.jinja",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(await readFile(join(dir, "plain/adapter_config.json"), "utf8")).toContain('"me/base"');
  });
  it("writes an adapter for llama.cpp", async () => {
    expect(
      run("export", "--format", "gguf", "--from", "a/checkpoint-2", "--output", "a.gguf", "--dtype", "f16").status,
    ).toBe(0);
    expect((await readFile(join(dir, "a.gguf"))).subarray(0, 4).toString()).toBe("GGUF");
  });
  it.each([
    ["what was trained, merged,", "a/checkpoint-2", "q8_0"],
    ["a whole model", NANO, "q4_0"],
  ])("writes %s as a model for llama.cpp, and leaves nothing beside it", async (_, from, dtype) => {
    const output = `${dtype}.gguf`;
    const done = run(
      "export",
      "--format",
      "gguf-model",
      "--from",
      from,
      "--output",
      output,
      "--dtype",
      dtype,
      "--json",
    );
    expect(json(done)).toMatchObject({ command: "export", format: "gguf-model", output: join(dir, output) });
    const bytes = await readFile(join(dir, output));
    expect(bytes.subarray(0, 4).toString()).toBe("GGUF");
    expect(bytes.length).toBeGreaterThan(500_000);
    expect((await readdir(dir)).filter((name) => name.startsWith(".merged-"))).toEqual([]);
  });
  it.each<[string, string[], RegExp]>([
    [
      "an adapter in eight bits",
      ["--format", "gguf", "--from", "a/adapter", "--output", "b", "--dtype", "q8_0"],
      /f32 or f16, not q8_0; the format gguf-model/,
    ],
    ["an output that exists", ["--format", "merged", "--from", "a/adapter", "--output", "a"], /exists already/],
    [
      "a format that does not exist",
      ["--format", "ggml", "--from", "a", "--output", "b"],
      /Allowed choices are adapter, merged, gguf/,
    ],
    ["no adapter", ["--format", "merged", "--from", "notes", "--output", "b", "--model", NANO], /no adapter directory/],
  ])("refuses %s", (_, args, message) => {
    const refused = run("export", ...args);
    expect(refused.stderr).toMatch(message);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(existsSync(join(dir, "b"))).toBe(false);
  });
});

describe("preflexor doctor", { timeout: 60_000 }, () => {
  it("says what this machine can do, in one line of JSON", () => {
    const done = run("doctor", "--json");
    expect(json(done)).toMatchObject({
      command: "doctor",
      onnxRuntime: expect.stringMatching(/^\d+\.\d+\.\d+/),
      devices: [{ device: "cpu", status: "ok" }, { device: "cuda" }, { device: "webgpu" }],
      memory: { totalBytes: expect.any(Number) },
      engine: { status: "ok" },
      chroma: { status: expect.stringMatching(/^(ok|unavailable)$/) },
      model: { status: "ok", family: "llama", dtype: "F16" },
    });
    expect(done.status).toBe(0);
  });
  it("has exit code 1 and the reason where the model cannot be used", () => {
    const done = run("doctor", "--model", "./nowhere");
    expect(done.stdout).toMatch(/unavailable: there is no directory \.\/nowhere/);
    expect(done.status).toBe(1);
  });
});
