/** @file The MCP server bench: many clients of both eras list the tools while a model is trained on the same machine. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { percentile } from "./serve-calls.js";
import type { Era, LoadPlan, LoadReport } from "./server-load.js";
import { stopChild } from "./stop-child.js";

interface ServerBenchOptions {
  readonly clients: number;
  readonly seconds: number;
  readonly threads: number;
  readonly train: boolean;
  readonly model: string | undefined;
  readonly json: boolean;
}

const USAGE = "npm run bench -- server [--json] [--clients N] [--seconds N] [--threads N] [--no-train] [--model DIR]";
const MAIN = fileURLToPath(new URL("../dist/server/main.js", import.meta.url));
const beside = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const SHOWN_ERRORS = 5;
/** The training ends its step first. */
const STOP_MS = 60_000;
/** A model of 135 million weights is opened and takes its first step. */
const TRAINING_START_MS = 300_000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const rounded = (value: number): number => Number(value.toFixed(1));

export async function serverBench(args: readonly string[]): Promise<void> {
  const options = parseServerOptions(args);
  const home = await mkdtemp(join(tmpdir(), "preflexor-bench-"));
  const training = options.train ? await startTraining(options) : undefined;
  try {
    const server = await startServer(home);
    const before = training?.steps() ?? 0;
    const started = performance.now();
    const report = await runClients({ url: server.url, clients: options.clients, seconds: options.seconds });
    const trainSteps = (training?.steps() ?? 0) - before;
    const seconds = (performance.now() - started) / 1000;
    const { sessions } = (await (await fetch(new URL("/health", server.url))).json()) as { sessions: number };
    await stopChild(server.child, STOP_MS);
    print(report, { ...options, seconds }, { trainSteps, sessionsLeft: sessions });
  } finally {
    if (training !== undefined) await stopChild(training.child, STOP_MS);
    await rm(home, { recursive: true, force: true });
  }
}

async function startTraining({ threads, model }: ServerBenchOptions) {
  say(`training starts, ${threads} thread(s)`);
  const child = fork(beside("server-train"), [String(threads), ...(model === undefined ? [] : [model])]);
  let steps = 0;
  child.on("message", (message: { steps: number }) => {
    steps = message.steps;
  });
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`the training ended with code ${code}; what it said is above`);
  });
  gone.catch(() => undefined);
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("the training did not start")), TRAINING_START_MS).unref();
  });
  await Promise.race([once(child, "message"), gone, late]);
  return { child, steps: () => steps };
}

async function startServer(home: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN, "serve", "--http", "--port", "0", "--json", "--log-level", "warn"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PREFLEXOR_HOME: home },
  });
  const first = once(createInterface({ input: child.stdout }), "line").then(([line]) => String(line));
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`the server ended with code ${code} before it listened`);
  });
  gone.catch(() => undefined);
  return { child, url: (JSON.parse(await Promise.race([first, gone])) as { url: string }).url };
}

async function runClients(plan: LoadPlan): Promise<LoadReport> {
  const child = fork(beside("server-load"));
  child.send(plan);
  const [report] = (await once(child, "message")) as [LoadReport];
  return report;
}

function print(
  { calls, problems }: LoadReport,
  options: ServerBenchOptions,
  more: { readonly trainSteps: number; readonly sessionsLeft: number },
): void {
  const errors = [...calls.flatMap(({ error }) => error ?? []), ...problems];
  for (const error of errors.slice(0, SHOWN_ERRORS)) say(error);
  const times = (era?: Era): number[] =>
    calls.filter((call) => call.error === undefined && (era === undefined || call.era === era)).map(({ ms }) => ms);
  const p99 = (era: Era): number => rounded(percentile(times(era), 0.99));
  const result = {
    p50Ms: rounded(percentile(times(), 0.5)),
    p99Ms: rounded(percentile(times(), 0.99)),
    maxMs: rounded(Math.max(...times())),
    calls: calls.length,
    errors: errors.length,
    clients: options.clients,
    ...more,
    p99MsOfEra: { "2025-11-25": p99("2025-11-25"), "2026-07-28": p99("2026-07-28") },
    seconds: rounded(options.seconds),
    trainThreads: options.train ? options.threads : 0,
    cores: availableParallelism(),
  };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`);
}

function parseServerOptions(args: readonly string[]): ServerBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      clients: { type: "string", default: "100" },
      seconds: { type: "string", default: "60" },
      threads: { type: "string", default: String(Math.max(1, availableParallelism() - 1)) },
      train: { type: "boolean", default: true },
      model: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const problems: string[] = [];
  const count = (name: "clients" | "seconds" | "threads"): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 1)
      problems.push(`--${name}: expected a whole number from 1, found "${values[name]}"`);
    return number;
  };
  const { train, model, json } = values;
  const options = {
    clients: count("clients"),
    seconds: count("seconds"),
    threads: count("threads"),
    train,
    model,
    json,
  };
  if (problems.length > 0) throw new Error(`${problems.join("\n")}\n${USAGE}`);
  return options;
}
