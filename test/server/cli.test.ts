/** @file The command line: options reach the demo, slips get a suggestion and an exit code. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { runCli } from "../../src/server/cli.js";
import type { DemoOptions } from "../../src/server/demo-options.js";
import { capturedOutput } from "../support/captured-output.js";

let printed: { out: string; err: string };
beforeEach(() => {
  printed = capturedOutput();
});
afterEach(() => vi.restoreAllMocks());

const neverDemo = async (): Promise<number> => {
  throw new Error("the demo was started");
};

it("hands the demo its options, paths made absolute, and returns its exit code", async () => {
  const seen: DemoOptions[] = [];
  const args = [
    "demo",
    "--json",
    "--seed",
    "11",
    "--corpus",
    "texts",
    "--rounds",
    "2",
    "--pairs",
    "8",
    "--threads",
    "1",
  ];
  const code = await runCli(args, async (options) => {
    seen.push(options);
    return 130;
  });
  expect(code).toBe(130);
  expect(seen[0]).toMatchObject({
    json: true,
    seed: 11,
    rounds: 2,
    pairs: 8,
    threads: 1,
    corpus: `${process.cwd()}/texts`,
  });
});

it("has a seed without being given one", async () => {
  let seed: number | undefined;
  await runCli(["demo"], async (options) => {
    seed = options.seed;
    return 0;
  });
  expect(seed).toBe(7);
});

it("answers an unknown command with the nearest one and exit code 1", async () => {
  expect(await runCli(["dmo"], neverDemo)).toBe(1);
  expect(printed.err).toMatch(/unknown command 'dmo'/);
  expect(printed.err).toMatch(/Did you mean demo\?/);
  expect(printed.out).toBe("");
});

it("answers an unknown option with the nearest one and exit code 1", async () => {
  expect(await runCli(["demo", "--sed", "3"], neverDemo)).toBe(1);
  expect(printed.err).toMatch(/Did you mean --seed\?/);
});

it.each([
  ["--seed", "x"],
  ["--rounds", "0"],
  ["--pairs", "1.5"],
])("refuses %s %s", async (option, value) => {
  expect(await runCli(["demo", option, value], neverDemo)).toBe(1);
  expect(printed.err).toMatch(/expected a whole number from/);
});

it("teaches with examples", async () => {
  expect(await runCli(["--help"], neverDemo)).toBe(0);
  expect(printed.out).toContain("Examples:");
  expect(printed.out).toContain("preflexor help mcp");
});

it("prints the package's version", async () => {
  expect(await runCli(["--version"], neverDemo)).toBe(0);
  expect(printed.out).toMatch(/^\d+\.\d+\.\d+\n$/);
});
