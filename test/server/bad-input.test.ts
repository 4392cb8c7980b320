/** @file The real command on inputs that cannot be used: one clear message, exit code 1, no run directory. */
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const NANO = fileURLToPath(new URL("../../models/nano", import.meta.url));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-bad-"));
});

function demo(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "demo", "--home", home, ...args], {
    encoding: "utf8",
    env: { ...env, PATH: process.env["PATH"] },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

async function expectRefused(result: ReturnType<typeof demo>, message: RegExp): Promise<void> {
  expect(result.stderr).toMatch(message);
  expect(result.stderr.match(/^error:/gm)).toHaveLength(1);
  expect(result.stderr).not.toMatch(/^ +at /m);
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(await readdir(home)).not.toContain("runs");
}

/** A copy of the package's model, spoiled. */
async function spoiledModel(spoil: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(home, "model");
  await cp(NANO, directory, { recursive: true });
  await spoil(directory);
  return directory;
}

it("a model that is not there", async () => {
  await expectRefused(demo(["--model", "/nowhere"]), /no directory \/nowhere[\s\S]*--model/);
});

it.each<[string, (directory: string) => Promise<void>, RegExp]>([
  ["truncated weights", (d) => truncate(join(d, "model.safetensors"), 500_000), /is truncated[\s\S]*file again/],
  ["no tokenizer", (d) => rm(join(d, "tokenizer.json")), /lacks tokenizer\.json; download it/],
  ["a tokenizer that is none", (d) => writeFile(join(d, "tokenizer.json"), "{}"), /tokenizer\.json cannot be used/],
  [
    "another architecture",
    async (d) => {
      const file = join(d, "config.json");
      const config = { ...(JSON.parse(await readFile(file, "utf8")) as object), model_type: "mamba" };
      await writeFile(file, JSON.stringify(config));
    },
    /model_type: expected llama, mistral.*found "mamba"[\s\S]*Choose a checkpoint of one of these families/,
  ],
])("a model with %s", async (_name, spoil, message) => {
  await expectRefused(demo(["--model", await spoiledModel(spoil)]), message);
});

it("a corpus that is not there, or is empty", async () => {
  await expectRefused(demo(["--corpus", "/nowhere"]), /nothing to read at \/nowhere: give an existing file or folder/);
  await mkdir(join(home, "empty"));
  await expectRefused(demo(["--corpus", join(home, "empty")]), /no readable file in .*Put documents there/);
});

it("a model and a corpus at once: both are named", async () => {
  const both = /nothing to read at \/no-texts[\s\S]*no directory \/no-model/;
  await expectRefused(demo(["--corpus", "/no-texts", "--model", "/no-model"]), both);
});

it.each([
  ["nosuch:model", /PREFLEXOR_TEACHER: expected one of .*found "nosuch:model"; providers: openai/],
  ["perplexity:sonar", /PREFLEXOR_TEACHER: .*npm install @langchain\/perplexity/],
  [
    "openai:m@http://127.0.0.1:1/v1",
    /PREFLEXOR_TEACHER: nothing answers at http:\/\/127\.0\.0\.1:1\/v1 .*start the server/,
  ],
])("a teacher that cannot be opened: %s", async (teacher, message) => {
  await expectRefused(demo([], { PREFLEXOR_TEACHER: teacher }), message);
});

it("a home that cannot be written", async () => {
  await writeFile(join(home, "file"), "");
  await expectRefused(demo(["--home", join(home, "file")]), /runs cannot be kept in .*PREFLEXOR_HOME/);
});

it("a corpus of one tiny file: the reason, and no run of nothing is left", { timeout: 60_000 }, async () => {
  await mkdir(join(home, "tiny"));
  await writeFile(join(home, "tiny", "a.md"), "Silk is strong.");
  const result = demo(["--corpus", join(home, "tiny"), "--rounds", "1", "--pairs", "2"]);
  expect(result.stderr).toMatch(
    /error: round 1: expected up to 2 preference pairs and at least 1, found 0 .*Ingest more text/,
  );
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(await readdir(join(home, "runs"))).toEqual([]);
});
