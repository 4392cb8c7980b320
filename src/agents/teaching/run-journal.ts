/** @file What a self-teaching run writes as it goes: pairs and metrics without times, and times apart. */

import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PreferencePair, preferencePairSchema } from "../../trainer/index.js";

export interface RunJournal {
  /** One line a pair; the same seed writes the same bytes. */
  pairs(pairs: readonly PreferencePair[]): Promise<void>;
  /** A line of metrics.jsonl, and one of timing.jsonl with the milliseconds since the line before. */
  metrics(line: Readonly<Record<string, unknown>> & { readonly round: number }): Promise<void>;
}

export const PAIRS_FILE = "pairs.jsonl";
export const METRICS_FILE = "metrics.jsonl";
export const TIMING_FILE = "timing.jsonl";

/** Appends to the files of `runDir`, which is made where it is missing. Without one, nothing is written. */
export async function openRunJournal(runDir: string | undefined): Promise<RunJournal> {
  if (runDir === undefined) return { pairs: async () => {}, metrics: async () => {} };
  await mkdir(runDir, { recursive: true });
  let last = performance.now();
  return {
    async pairs(pairs) {
      await appendFile(join(runDir, PAIRS_FILE), lines(pairs));
    },
    async metrics(line) {
      const now = performance.now();
      const ms = Math.round(now - last);
      last = now;
      await appendFile(join(runDir, METRICS_FILE), `${JSON.stringify(line)}\n`);
      await appendFile(
        join(runDir, TIMING_FILE),
        `${JSON.stringify({ round: line.round, step: line["step"], kind: line["kind"], ms })}\n`,
      );
    },
  };
}

const HELD_OUT_FILE = "held-out-pairs.jsonl";

/** Kept apart from pairs.jsonl, which holds what is trained on. */
export async function writeHeldOutPairs(runDir: string, pairs: readonly PreferencePair[]): Promise<void> {
  await mkdir(runDir, { recursive: true });
  await writeFile(join(runDir, HELD_OUT_FILE), lines(pairs));
}

/** Undefined where the run has none. */
export async function readHeldOutPairs(runDir: string): Promise<PreferencePair[] | undefined> {
  const file = join(runDir, HELD_OUT_FILE);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  try {
    return text
      ?.trim()
      .split("\n")
      .map((line) => preferencePairSchema.parse(JSON.parse(line)));
  } catch (cause) {
    throw new Error(`${file} holds a line that is no preference pair: start a new run`, { cause });
  }
}

const lines = (pairs: readonly PreferencePair[]): string => pairs.map((pair) => `${JSON.stringify(pair)}\n`).join("");
