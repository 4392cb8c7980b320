/** @file Ctrl-C: the demo stops in order, leaves no process, keeps the run, and goes on when asked to. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-stop-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

function startDemo(...args: string[]): { child: ChildProcess; printed: (wanted: RegExp) => Promise<string> } {
  const child = spawn(process.execPath, [MAIN, "demo", "--home", home, "--rounds", "1", ...args]);
  let text = "";
  const listeners = new Set<() => void>();
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (const listener of listeners) listener();
  });
  const printed = (wanted: RegExp) =>
    new Promise<string>((resolve) => {
      const look = (): void => {
        if (wanted.test(text)) resolve(text);
      };
      listeners.add(look);
      look();
    });
  return { child, printed };
}

const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("close", resolve));

/** The process ids of Chroma and the engine; only Linux tells them without another program. */
function childrenOf({ pid }: ChildProcess): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(/\s+/).map(Number) : [];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it("stops while it trains, says how to go on, and then does", { timeout: 120_000 }, async () => {
  const { child, printed } = startDemo("--pairs", "16");
  await printed(/: train\n/);
  const children = childrenOf(child);
  if (process.platform === "linux") expect(children).toHaveLength(2);
  const started = performance.now();
  child.kill("SIGINT");
  expect(await ended(child)).toBe(130);
  expect(performance.now() - started).toBeLessThan(6000);
  expect(children.filter(isAlive)).toEqual([]);

  const text = await printed(/the run is kept/);
  expect(text).toMatch(/stopping …[\s\S]*Stopped; the run is kept/);
  const directory = /demo --resume (\S+)$/m.exec(text)?.[1] ?? "";
  const resume = [MAIN, "demo", "--json", "--resume", directory];
  const { stdout } = await promisify(execFile)(process.execPath, resume, { maxBuffer: 1 << 24 });
  expect(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ runDir: directory, seed: 7 });
  expect(existsSync(join(directory, "report.html"))).toBe(true);
});

it("ends at once at the second Ctrl-C, and its children with it", { timeout: 60_000 }, async () => {
  const { child, printed } = startDemo("--pairs", "400");
  await printed(/: evaluate\n/);
  const children = childrenOf(child);
  child.kill("SIGINT");
  await printed(/stopping …/);
  const started = performance.now();
  child.kill("SIGINT");
  expect(await ended(child)).toBe(130);
  expect(performance.now() - started).toBeLessThan(1500);
  // A killed process is gone a moment after its parent.
  await expect.poll(() => children.filter(isAlive), { timeout: 5000 }).toEqual([]);
});
