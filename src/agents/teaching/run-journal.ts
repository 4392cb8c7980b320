/** @file What a self-teaching run writes as it goes: pairs, failures, metrics and samples without times, and times apart. */
import { appendFile, mkdir, open, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { type PreferencePair, preferencePairSchema } from "../../trainer/index.js";
import { writeWhole } from "../write-whole.js";
import type { RunTensorBoard } from "./run-tensorboard.js";

export const PAIRS_FILE = "pairs.jsonl";
export const METRICS_FILE = "metrics.jsonl";
export const FAILURES_FILE = "failures.jsonl";
export const SAMPLES_FILE = "samples.jsonl";
export const TIMING_FILE = "timing.jsonl";
export const HELD_OUT_FILE = "held-out-pairs.jsonl";

/** Files that depend on plan and seed alone: two runs write the same bytes. timing.jsonl is not among them. */
export const JOURNALS = [PAIRS_FILE, METRICS_FILE, FAILURES_FILE, SAMPLES_FILE] as const;

/** Bytes of each journal that belong to what is committed. */
export type JournalSizes = Readonly<Partial<Record<(typeof JOURNALS)[number], number>>>;

type Line = Readonly<Record<string, unknown>> & { readonly round: number };

export interface RunJournal {
  /** One line a pair; the same seed writes the same bytes. */
  pairs(pairs: readonly PreferencePair[]): Promise<void>;
  failures(lines: readonly Line[]): Promise<void>;
  samples(lines: readonly Line[]): Promise<void>;
  /** A line of metrics.jsonl, one of timing.jsonl with the milliseconds since the line before, and TensorBoard's scalars. */
  metrics(line: Line): Promise<void>;
  /** Everything written so far is on the disk; the sizes that a state has to hold. */
  commit(): Promise<JournalSizes>;
}

const NO_JOURNAL: RunJournal = {
  pairs: async () => {},
  failures: async () => {},
  samples: async () => {},
  metrics: async () => {},
  commit: async () => ({}),
};

/**
 * Appends to the files of `directory`, which is made where it is missing; without one, nothing is written. With `sizes`
 * what lies behind them is cut off first: it belongs to work that was never finished, and is made again.
 */
export async function openRunJournal(
  directory: string | undefined,
  sizes?: JournalSizes,
  tensorboard?: RunTensorBoard,
): Promise<RunJournal> {
  if (directory === undefined) return NO_JOURNAL;
  await mkdir(directory, { recursive: true });
  if (sizes !== undefined) {
    for (const name of JOURNALS) await cutOff(join(directory, name), sizes[name] ?? 0);
    await cutTiming(directory);
  }
  let last = performance.now();
  const append = async (name: string, lines: readonly unknown[]): Promise<void> => {
    if (lines.length > 0) await appendFile(join(directory, name), jsonLines(lines));
  };
  return {
    pairs: (pairs) => append(PAIRS_FILE, pairs),
    failures: (lines) => append(FAILURES_FILE, lines),
    samples: (lines) => append(SAMPLES_FILE, lines),
    async metrics(line) {
      const now = performance.now();
      const ms = Math.round(now - last);
      last = now;
      await append(METRICS_FILE, [line]);
      await append(TIMING_FILE, [{ round: line.round, step: line["step"], kind: line["kind"], ms }]);
      await tensorboard?.add(line);
    },
    commit: async () => Object.fromEntries(await Promise.all(JOURNALS.map((name) => syncedSize(directory, name)))),
  };
}

async function cutOff(file: string, size: number): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined && size === 0) return;
  if (found === undefined || found.size < size)
    throw new Error(
      `${file}: expected at least ${size} bytes, found ${found?.size ?? "no file"}: lines of this run are lost, so it cannot go on. ` +
        "Start a new run, or put the file back.",
    );
  if (found.size > size) await truncate(file, size);
}

/** A line of times for each line of metrics that is left. Its bytes differ from run to run, so no state counts them. */
async function cutTiming(directory: string): Promise<void> {
  const file = join(directory, TIMING_FILE);
  const [times, metrics] = await Promise.all([file, join(directory, METRICS_FILE)].map(linesOf));
  const kept = (times as string[]).slice(0, (metrics as string[]).length).join("");
  if ((times as string[]).length > 0) await truncate(file, Buffer.byteLength(kept));
}

/** Whole lines, with their ends. */
async function linesOf(file: string): Promise<string[]> {
  return (await textOf(file))?.match(/[^\n]*\n/g) ?? [];
}

/** Undefined where there is no such file. */
async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

async function syncedSize<N extends string>(directory: string, name: N): Promise<readonly [N, number]> {
  const handle = await open(join(directory, name), "a");
  try {
    await handle.sync();
    return [name, (await handle.stat()).size];
  } finally {
    await handle.close();
  }
}

/** All pairs that a run has made, oldest first; none where it has made none. */
export async function readRunPairs(directory: string): Promise<PreferencePair[]> {
  return (await readPairs(join(directory, PAIRS_FILE))) ?? [];
}

/** Kept apart from pairs.jsonl, which holds what is trained on. */
export async function writeHeldOutPairs(directory: string, pairs: readonly PreferencePair[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeWhole(join(directory, HELD_OUT_FILE), jsonLines(pairs));
}

/** Throws where they are gone: others, made by a model that has learned, would measure something else. */
export async function readHeldOutPairs(directory: string): Promise<PreferencePair[]> {
  const file = join(directory, HELD_OUT_FILE);
  const pairs = await readPairs(file);
  if (pairs === undefined) throw new Error(`${file} is missing: put it back, or start a new run`);
  return pairs;
}

async function readPairs(file: string): Promise<PreferencePair[] | undefined> {
  return (await textOf(file))
    ?.split("\n")
    .map((line, i) => [line, i + 1] as const)
    .filter(([line]) => line !== "")
    .map(([line, number]) => {
      try {
        return preferencePairSchema.parse(JSON.parse(line));
      } catch (cause) {
        throw new Error(`${file} line ${number}: expected a preference pair, found something else: start a new run`, {
          cause,
        });
      }
    });
}

const jsonLines = (lines: readonly unknown[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
