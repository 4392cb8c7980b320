/** @file What a self-teaching run writes as it goes: pairs and metrics without times, and times apart. */
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { PreferencePair } from "../trainer/text/preference-pair.js";

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
      await appendFile(join(runDir, PAIRS_FILE), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
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
