/** @file The real binary: generate and chat on the package's own model. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "preflexor-generate-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const settings = () => ({ cwd: dir, env: { PATH: process.env["PATH"], HOME: dir } });
function run(args: readonly string[], input = "") {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    ...settings(),
    encoding: "utf8",
    input,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}
const PROMPT = "Which material is tough?";
const SEED = ["--seed", "3", "--max-new-tokens", "24"];

describe("preflexor generate", { timeout: 120_000 }, () => {
  it("prints one line of JSON, whose samples are the same for the same seed, alone or together", () => {
    const two = run(["generate", "--prompt", PROMPT, ...SEED, "--n", "2", "--json"]);
    expect(two.status).toBe(0);
    expect(two.stdout.trimEnd().split("\n")).toHaveLength(1);
    const result = JSON.parse(two.stdout);
    expect(result).toMatchObject({ command: "generate", model: "nano", device: "cpu", weights: "float32" });
    expect(result.timing.firstTokenMs).toBeGreaterThan(0);
    expect(result.timing.firstTokenMs).toBeLessThanOrEqual(result.timing.generateMs);
    for (const [i, sample] of result.samples.entries()) {
      expect(sample.seed).toBe(3 + i);
      expect(sample.ids.length).toBeGreaterThan(0);
      expect(sample.usage.completionTokens).toBe(sample.ids.length);
      expect(sample.logps).toHaveLength(sample.ids.length);
      for (const logp of sample.logps) expect(logp).toBeLessThanOrEqual(0);
    }
    const alone = run(["generate", "--prompt", PROMPT, ...SEED]);
    expect(alone.stdout).toBe(`${result.samples[0].text}\n`);
    expect(alone.stderr).toMatch(
      /\d+ tokens, the first after \d+ ms, [\d.]+ tokens\/s, ended by (stop|length), seed 3/,
    );
  });
  it("takes the prompt from stdin or a file, without the last line's end", async () => {
    await writeFile(join(dir, "prompt.txt"), `${PROMPT}\n`);
    const texts = [
      run(["generate", "--prompt", PROMPT, "--raw", "--temperature", "0", ...SEED]).stdout,
      run(["generate", "--file", "prompt.txt", "--raw", "--temperature", "0", ...SEED]).stdout,
      run(["generate", "--raw", "--temperature", "0", ...SEED], `${PROMPT}\n`).stdout,
    ];
    expect(texts[0]).not.toBe("\n");
    expect(new Set(texts).size).toBe(1);
  });
  it("ends in front of a stop string", () => {
    const whole = run(["generate", "--prompt", PROMPT, ...SEED]).stdout.trimEnd();
    const stop = whole.slice(5, 8);
    const cut = run(["generate", "--prompt", PROMPT, ...SEED, "--stop", "never said", "--stop", stop]);
    expect(cut.stdout).toBe(`${whole.slice(0, whole.indexOf(stop))}\n`);
    expect(cut.stderr).toMatch(/ended by stop/);
  });
  it("answers with an adapter as it was trained to", async () => {
    const row = JSON.stringify({ prompt: PROMPT, completion: "basalt" });
    await writeFile(join(dir, "rows.jsonl"), `${row}\n`.repeat(4));
    const training = ["--texts", "rows.jsonl", "--loss", "sft", "--max-steps", "24", "--learning-rate", "3e-3"];
    expect(run(["train", ...training, "--output", "trained"]).status).toBe(0);
    const ask = ["generate", "--prompt", PROMPT, "--temperature", "0", "--max-new-tokens", "8"];
    expect(run([...ask, "--adapter", "trained/adapter"]).stdout).toBe("basalt\n");
    expect(run(ask).stdout).not.toBe("basalt\n");
    const missing = run([...ask, "--adapter", "nowhere"]);
    expect(missing).toMatchObject({ status: 1, stdout: "" });
    expect(missing.stderr).toMatch(/nowhere is no adapter directory/);
  });
  it.each<[string, string[], RegExp]>([
    ["two prompts", ["--prompt", "a", "--file", "b"], /expected --prompt or --file, found both/],
    ["a file that is not there", ["--file", "nope.txt"], /--file: there is no file nope\.txt/],
    ["an empty prompt", ["--raw", "--prompt", ""], /the prompt: expected at least one token/],
    [
      "too many tokens",
      ["--prompt", "a", "--max-new-tokens", "9999"],
      /--max-new-tokens: expected at most \d+, as \d+ of the context's 512/,
    ],
    [
      "a prompt beyond the context",
      ["--prompt", "a b ".repeat(600)],
      /the conversation: expected at most 511 tokens.*found \d+; shorten/,
    ],
    ["a role that the template refuses", ["--system", "a", "--prompt", "b"], /the conversation: .*found system/],
    ["a temperature in words", ["--temperature", "hot"], /expected a number, 0 or more/],
    ["weights that do not exist", ["--weights", "int3"], /Allowed choices are float32, float16, int8, int4/],
    ["a model that is not there", ["--prompt", "a", "--model", "./nope"], /there is no directory \.\/nope/],
    ["raw text with a system message", ["--raw", "--system", "a"], /cannot be used with/],
  ])("refuses %s in one message, with nothing on stdout", (_, args, message) => {
    const refused = run(["generate", ...args]);
    expect(refused.stderr).toMatch(message);
    expect(refused.stderr.match(/^error:/gm)).toHaveLength(1);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
  });
});

describe("preflexor chat", { timeout: 120_000 }, () => {
  it("answers each line of a pipe, without colours, and leaves when they end", () => {
    const done = run(["chat", ...SEED], "Which material is tough?\n\nAnd nacre?\n");
    expect(done.status).toBe(0);
    expect(done.stdout).not.toContain("\u001b");
    expect(done.stdout.trimEnd().split("\n").length).toBeGreaterThanOrEqual(2);
    expect(run(["chat", ...SEED], "Which material is tough?\n/quit\nAnd nacre?\n").stdout).toBe(
      done.stdout.slice(0, done.stdout.indexOf("\n") + 1),
    );
  });
  it("says with its exit code that a line of a pipe failed", () => {
    const done = run(["chat", ...SEED], "/nonsense\nWhich material is tough?\n");
    expect(done.stderr).toMatch(/there is no \/nonsense/);
    expect(done.stdout).not.toBe("");
    expect(done.status).toBe(1);
  });
  it("leaves at the second Ctrl-C", async () => {
    const child = spawn(process.execPath, [MAIN, "chat", ...SEED], settings());
    child.stdout.once("data", () => {
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGINT"), 300);
    });
    child.stdin.write("Which material is tough?\n");
    // A chat that stays is ended, and the exit code is another.
    const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(130);
    clearTimeout(late);
  });
});
