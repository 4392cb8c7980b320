/** @file Starts, finds, resumes and stops whole runs: each a process of its own, known by its directory alone. */
import { mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createRunDirectory,
  lockHolder,
  lockRun,
  openRunDirectory,
  type ReleaseRun,
  type RunDirectory,
  type RunStanding,
  runNames,
  runStanding,
  runsFolder,
  writeOutcome,
} from "../../agents/index.js";
import { type Changes, serialQueue } from "../../tools/index.js";
import type { PathGuard } from "../../tools/roots.js";
import type { OnCreated, RunKeeper, StartedRun, TeachRequest } from "../../tools/run-keeper.js";
import { runPlace } from "../../tools/views/index.js";
import type { Config } from "../config.js";
import { messageOf } from "../log.js";
import { checkEvaluation, checkRequest, checkRun } from "./check-request.js";
import { estimateRun, estimateSteps } from "./estimate.js";
import { evaluateFor } from "./evaluate.js";
import { exportFor } from "./export.js";
import { spawnWorker, WORKER_LOG, type Worker, type WorkerCommand, workerCommand } from "./spawn-worker.js";

export interface RunKeeperParts {
  readonly config: Config;
  readonly paths: PathGuard;
  readonly changes: Changes;
  /** Aborted when the server stops; runs go on. */
  readonly signal: AbortSignal;
  /** A test puts another process in the worker's place. */
  readonly command?: (directory: string, home: string) => WorkerCommand;
}

/** Node starts, loads and takes the lock; on a busy machine that takes a while. */
const BEGIN_MS = 60_000;
/** A step of a large model, and its checkpoint. */
const STOP_MS = 20_000;
const LOOK_MS = 50;

export function createRunKeeper(parts: RunKeeperParts): RunKeeper {
  const { config } = parts;
  const one = serialQueue();
  return {
    checkRoom: () => checkRoom(config),
    estimate: async (request) => estimateRun(await checkRequest(request, parts), config),
    estimateTraining: (work) => estimateSteps(work, config),
    start: (request, signal, onCreated) => one(signal, () => start(request, parts, { signal, onCreated })),
    resume: (id, signal) => one(signal, () => resume(id, parts, signal)),
    stop: (id, signal) => stop(id, parts, signal),
    checkEvaluation: (asked) => checkEvaluation(asked, parts),
    evaluate: (request, hooks) => evaluateFor(request, config, hooks),
    exportTrained: (request, hooks) => exportFor(request, config, hooks),
  };
}

interface StartHooks {
  readonly signal: AbortSignal;
  readonly onCreated: OnCreated | undefined;
}

async function start(
  request: TeachRequest,
  parts: RunKeeperParts,
  { signal, onCreated }: StartHooks,
): Promise<StartedRun> {
  const { settings } = await checkRequest(request, parts);
  return alone(parts, signal, async () => {
    const run = await createRunDirectory(parts.config.home, { kind: "teach", request: settings });
    await onCreated?.(run.name);
    return begin(run, parts);
  });
}

async function resume(id: string, parts: RunKeeperParts, signal: AbortSignal): Promise<StartedRun> {
  const run = await openRunDirectory(await runPlace(parts.config.home, id));
  if (run.kind !== "teach")
    throw new Error(`${id} is a run of ${run.kind}, which start-run cannot go on with: call list-runs`);
  const { status } = await runStanding(run.path);
  if (status === "working") throw new Error(`${id} works already: call get-run with run: "${id}" to see how far it is`);
  if (status === "completed")
    throw new Error(`${id} has come to its end: call evaluate or export-adapter with run: "${id}"`);
  await checkRun(run, parts);
  return alone(parts, signal, () => begin(run, parts));
}

/** Counts and starts while no other server does, so that two of them do not start one run too many together. */
async function alone<T>({ config }: RunKeeperParts, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const folder = runsFolder(config.home);
  await mkdir(folder, { recursive: true });
  const release = await lockSoon(folder, signal);
  try {
    await checkRoom(config);
    return await work();
  } finally {
    await release();
  }
}

async function checkRoom({ home, maxRuns = 1 }: Pick<Config, "home" | "maxRuns">): Promise<void> {
  const found = await workingRuns(home);
  if (found.length >= maxRuns) throw new Error(tooMany(found, maxRuns));
}

const tooMany = (found: readonly string[], most: number): string =>
  `${found.join(", ")} ${found.length === 1 ? "works" : "work"} already, and at most ${most} may at once (PREFLEXOR_MAX_RUNS): call get-run ` +
  `with run: "${found[0]}" and wait_seconds until it has ended, or stop-run to end it, and then start-run again`;

async function lockSoon(folder: string, signal: AbortSignal): Promise<ReleaseRun> {
  for (const end = Date.now() + BEGIN_MS; ; ) {
    try {
      return await lockRun(folder);
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(LOOK_MS, undefined, { signal });
    }
  }
}

async function workingRuns(home: string): Promise<string[]> {
  const names = await runNames(home);
  const standings = await Promise.all(
    names.map((name) => runStanding(join(runsFolder(home), name)).catch(() => undefined)),
  );
  return names.filter((_, i) => standings[i]?.status === "working");
}

/** Starts the worker and waits until the run is its own: from then on the directory tells everything. */
async function begin(run: RunDirectory, parts: RunKeeperParts): Promise<StartedRun> {
  const { config, changes, command = workerCommand } = parts;
  const worker = await spawnWorker(run.path, command(run.path, config.home));
  void worker.ended.then(() => tell(changes, run.path));
  await heldOrEnded(run.path, worker);
  tell(changes, run.path);
  return { id: run.name, directory: run.path, standing: await runStanding(run.path) };
}

async function heldOrEnded(directory: string, worker: Worker): Promise<void> {
  let end: Awaited<Worker["ended"]> | undefined;
  void worker.ended.then((how) => {
    end = how;
  });
  for (const until = Date.now() + BEGIN_MS; Date.now() < until; await sleep(LOOK_MS)) {
    if (end !== undefined) return sayEnd(directory, end);
    if ((await lockHolder(directory))?.pid === worker.pid) return;
  }
  throw new Error(
    `the process of ${directory} did not begin within ${BEGIN_MS / 1000} s: call get-run, or read ${WORKER_LOG} there`,
  );
}

/** A process that ended before it could say anything. */
async function sayEnd(directory: string, { code, signal }: Awaited<Worker["ended"]>): Promise<void> {
  if ((await runStanding(directory)).status !== "interrupted") return;
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  const last = (await readFile(join(directory, WORKER_LOG), "utf8").catch(() => ""))
    .trim()
    .split("\n")
    .slice(-3)
    .join(" | ");
  await writeOutcome(directory, {
    status: "failed",
    message: `its process ended ${how}${last === "" ? "" : `: ${last.slice(0, 500)}`}`,
  });
}

function tell(changes: Changes, directory: string): void {
  changes.publish("preflexor://runs");
  changes.publish(`preflexor://runs/${basename(directory)}`);
}

async function stop(id: string, { config, changes }: RunKeeperParts, signal: AbortSignal): Promise<RunStanding> {
  const directory = await runPlace(config.home, id);
  const before = await runStanding(directory);
  const holder = await lockHolder(directory);
  if (before.status !== "working" || holder === undefined) throw new Error(await notWorking(id, before, config.home));
  if (holder.host !== hostname()) throw new Error(`${id} works on ${holder.host}: call stop-run on the server there`);
  if (holder.pid === process.pid) throw new Error(`internal: ${id} works in the server itself`);
  interrupt(holder.pid);
  for (const until = Date.now() + STOP_MS; Date.now() < until; await sleep(LOOK_MS, undefined, { signal })) {
    const now = await runStanding(directory);
    if (now.status === "working") continue;
    // It could not say so itself, such as on a system whose processes cannot be interrupted.
    if (now.status === "interrupted")
      await writeOutcome(directory, { status: "cancelled", message: "stopped by stop-run" });
    tell(changes, directory);
    return runStanding(directory);
  }
  return runStanding(directory);
}

function interrupt(pid: number): void {
  try {
    process.kill(pid, "SIGINT");
  } catch (error) {
    // It ended in this moment.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH")
      throw new Error(`it cannot be stopped: ${messageOf(error)}`, { cause: error });
  }
}

async function notWorking(id: string, { status }: RunStanding, home: string): Promise<string> {
  const others = await workingRuns(home);
  const found = `${id} does not work (it is ${status})`;
  return others.length === 0
    ? `${found}, so there is nothing to stop: call list-runs to see what there is`
    : `${found}; what works is ${others.join(", ")}: call stop-run with that id if it is meant`;
}
