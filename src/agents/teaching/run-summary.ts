/** @file What a run directory holds, in figures: how far it came, its pairs, its last loss, its size on disk. */
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { checkpointSteps } from "../../trainer/index.js";
import { countLines } from "./growing-lines.js";
import { readJson } from "./read-json.js";
import { openRunDirectory, type RunDirectory, runNames, runsFolder } from "./run-directory.js";
import { METRICS_FILE, PAIRS_FILE } from "./run-journal.js";
import { type LockHolder, lockHolder } from "./run-lock.js";

export interface RunSummary extends RunDirectory {
  /** When a file of the run was last written (ISO). */
  readonly changed: string;
  readonly model?: string;
  readonly seed?: number;
  readonly phase?: string;
  readonly round?: number;
  /** Optimizer steps: the most that state, metrics and checkpoints tell of. */
  readonly step?: number;
  /** Steps of its checkpoints, ascending. */
  readonly checkpoints: readonly number[];
  readonly pairs: number;
  readonly loss?: number;
  /** Undefined where a run has no end, as those of the tools. */
  readonly finished?: boolean;
  /** All its files, links counted as links. */
  readonly bytes: number;
  readonly inUse?: LockHolder;
}

/** A folder in `<home>/runs`: a run, or why it is none. */
export type ListedRun =
  | { readonly name: string; readonly path: string; readonly bytes: number; readonly summary: RunSummary }
  | { readonly name: string; readonly path: string; readonly bytes: number; readonly problem: string };

/** state.json of a run, and progress.json of a demo without format, as far as they are wanted here. */
const stateSchema = z.object({
  phase: z.string().optional().catch(undefined),
  round: z.number().optional().catch(undefined),
  step: z.number().optional().catch(undefined),
  finished: z.boolean().optional().catch(undefined),
  checkpoint: z.string().optional().catch(undefined),
});

/** All runs of a home, the one that was written last first. */
export async function listRuns(home: string): Promise<ListedRun[]> {
  const listed: ListedRun[] = [];
  for (const name of await runNames(home)) listed.push(await listRun(join(runsFolder(home), name), name));
  const time = (run: ListedRun): string => ("summary" in run ? run.summary.changed : "");
  return listed.sort((a, b) => time(b).localeCompare(time(a)) || a.name.localeCompare(b.name));
}

async function listRun(path: string, name: string): Promise<ListedRun> {
  const target = await readlink(path).catch(() => undefined);
  if (target !== undefined) return { name, path, bytes: 0, problem: `a link to ${target}, which is not followed` };
  try {
    const summary = await runSummary(path);
    return { name, path, bytes: summary.bytes, summary };
  } catch (error) {
    return { name, path, bytes: (await measure(path)).bytes, problem: (error as Error).message };
  }
}

/** Throws where the directory is no run. What a run that was cut off has not written is left out. */
export async function runSummary(directory: string): Promise<RunSummary> {
  const run = await openRunDirectory(directory);
  const { path, kind, request } = run;
  const [state, last, checkpoints, inUse] = await Promise.all([
    readState(path),
    lastMetrics(join(path, METRICS_FILE)),
    checkpointSteps(path),
    lockHolder(path),
  ]);
  const steps = [state.step, last.step, checkpoints.at(-1)].filter((step) => step !== undefined);
  // A demo goes on behind the last round: it reasons, and writes what came of it.
  const finished = kind === "demo" ? await isThere(join(path, "summary.json")) : state.finished;
  const model = text(request["model"]) ?? (await modelOfAdapter(path));
  const seed = request["seed"];
  return {
    ...run,
    ...(model !== undefined && { model }),
    ...(typeof seed === "number" && { seed }),
    ...(state.phase !== undefined && { phase: state.phase }),
    // The state of a finished run stands behind its last round.
    ...(state.round !== undefined && { round: state.finished === true ? state.round - 1 : state.round }),
    ...(steps.length > 0 && { step: Math.max(...steps) }),
    checkpoints,
    pairs: await countLines(join(path, PAIRS_FILE)),
    ...(last.loss !== undefined && { loss: last.loss }),
    ...(finished !== undefined && { finished }),
    ...(inUse !== undefined && { inUse }),
    ...(await measure(path)),
  };
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function readState(path: string): Promise<z.infer<typeof stateSchema>> {
  const [state, progress] = await Promise.all(
    ["state.json", "progress.json"].map(async (name) => {
      const read = stateSchema.safeParse(await readJson(join(path, name)));
      return read.success ? read.data : {};
    }),
  );
  const { checkpoint, ...rest } = { ...progress, ...state };
  const step = Number(/^checkpoint-(\d+)$/.exec(basename(checkpoint ?? ""))?.[1] ?? Number.NaN);
  return Number.isNaN(step) ? rest : { step, ...rest };
}

async function modelOfAdapter(path: string): Promise<string | undefined> {
  const config = await readJson(join(path, "adapter", "adapter_config.json"));
  return text((config as { readonly base_model_name_or_path?: unknown } | undefined)?.base_model_name_or_path);
}

/** Far more than the lines of one round. */
const TAIL_BYTES = 1 << 16;

/** The last loss and step in a file of metrics, read from its end. */
async function lastMetrics(file: string): Promise<{ readonly loss?: number; readonly step?: number }> {
  const lines = (await tailOf(file)).split("\n").toReversed().map(numbersOf);
  const last = (name: "loss" | "step"): number | undefined => lines.find((line) => line[name] !== undefined)?.[name];
  const [loss, step] = [last("loss"), last("step")];
  return { ...(loss !== undefined && { loss }), ...(step !== undefined && { step }) };
}

const metricsSchema = z.object({
  loss: z.number().optional().catch(undefined),
  step: z.number().optional().catch(undefined),
});

/** Of a line that is cut off or no JSON: nothing. */
function numbersOf(line: string): z.infer<typeof metricsSchema> {
  try {
    return metricsSchema.parse(JSON.parse(line));
  } catch {
    return {};
  }
}

async function tailOf(file: string): Promise<string> {
  if (!(await isThere(file))) return "";
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await handle.close();
  }
}

/** Size of everything below a directory, and when any of it was last written. Follows no links; what vanishes meanwhile counts nothing. */
async function measure(directory: string): Promise<{ readonly bytes: number; readonly changed: string }> {
  let bytes = 0;
  let newest = 0;
  const visit = async (path: string): Promise<void> => {
    const info = await lstat(path).catch(() => undefined);
    if (info === undefined) return;
    // The time of a folder also changes when a lock comes and goes.
    if (info.isDirectory()) {
      for (const name of await readdir(path).catch(() => [])) await visit(join(path, name));
      return;
    }
    bytes += info.size;
    newest = Math.max(newest, info.mtimeMs);
  };
  await visit(directory);
  const time = newest === 0 ? (await lstat(directory)).mtimeMs : newest;
  return { bytes, changed: new Date(time).toISOString() };
}
