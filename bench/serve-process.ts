/** @file The server of the serving bench: `preflexor api` in a process of its own, and whether it rests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { treeSeconds } from "./load.js";
import { stopChild } from "./stop-child.js";

const MAIN = fileURLToPath(new URL("../dist/server/main.js", import.meta.url));
/** Cores of a server that has nothing to do. */
const RESTING = 0.1;
const REST_PROBE_MS = 500;
/** Longer than the server's own grace for what runs. */
const STOP_MS = 10_000;

export interface RunningServer {
  readonly url: string;
  readonly model: string;
  /** Waits until server and engine rest, at most so long; milliseconds that it took, undefined where they never did. */
  rest(limitMs: number): Promise<number | undefined>;
  stop(): Promise<void>;
}

export async function startServer(flags: readonly string[]): Promise<RunningServer> {
  const child = spawn(process.execPath, [MAIN, "api", "--port", "0", "--json", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const first = once(createInterface({ input: child.stdout }), "line").then(([line]) => String(line));
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`the server ended with code ${code} before it listened; what it said is above`);
  });
  const { url, models } = JSON.parse(await Promise.race([first, gone])) as { url: string; models: readonly string[] };
  gone.catch(() => undefined);
  return {
    url,
    model: models[0] as string,
    rest: (limitMs) => rest(child, limitMs),
    stop: () => stopChild(child, STOP_MS),
  };
}

async function rest(child: ChildProcess, limitMs: number): Promise<number | undefined> {
  const started = performance.now();
  while (performance.now() - started < limitMs) {
    const before = treeSeconds(child.pid as number);
    const at = performance.now();
    await new Promise((resolve) => setTimeout(resolve, REST_PROBE_MS));
    const cores = (treeSeconds(child.pid as number) - before) / ((performance.now() - at) / 1000);
    if (cores <= RESTING) return at - started;
  }
  return undefined;
}
