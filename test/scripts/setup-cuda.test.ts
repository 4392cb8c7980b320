/** @file npm run setup:cuda refuses what it cannot do before it fetches anything. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/setup-cuda.mjs", import.meta.url));
const run = (...args: string[]) => spawnSync(process.execPath, [SCRIPT, ...args], { encoding: "utf8" });

it.each([
  [["--cuda", "11"], "setup:cuda: --cuda: expected 12 or 13, found 11\n"],
  [["--gpu"], "setup:cuda: Unknown option '--gpu'"],
])("%s is an error in one line", (args, expected) => {
  const { status, stdout, stderr } = run(...args);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr.startsWith(expected), stderr).toBe(true);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

it("--help says what it fetches", () => {
  expect(run("--help").stdout).toMatch(/--cuda 12[\s\S]*--cuda 13[\s\S]*--remove/);
});
