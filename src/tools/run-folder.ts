/** @file The folder of a run: its pairs, metrics, checkpoints and adapter, and which run is current. */
import { appendFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRunPairs } from "../agents/teaching/run-journal.js";
import type { PreferencePair } from "../trainer/index.js";

export interface RunFolder {
  readonly directory: string;
  readonly pairsFile: string;
  readonly metricsFile: string;
  readonly adapterDirectory: string;
  appendPair(pair: PreferencePair): Promise<void>;
  /** All stored pairs, oldest first. Throws with the line's number where a line is no pair. */
  pairs(): Promise<PreferencePair[]>;
  appendMetrics(row: Readonly<Record<string, unknown>>): Promise<void>;
  checkpointDirectory(step: number): string;
  /** The checkpoint with the most steps, or undefined. */
  latestCheckpoint(): Promise<string | undefined>;
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

async function readOr<T>(fallback: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isMissing(error)) return fallback;
    throw error;
  }
}

/** Numbers of the complete checkpoints in a run directory, ascending. */
async function checkpointSteps(directory: string): Promise<number[]> {
  const names = await readOr<string[]>([], () => readdir(directory));
  return names
    .map((name) => /^checkpoint-(\d+)$/.exec(name)?.[1])
    .filter((step) => step !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/** Creates the directory where it is missing; appends, so that an interrupted run keeps what it has. */
export async function openRunFolder(directory: string): Promise<RunFolder> {
  await mkdir(directory, { recursive: true });
  const pairsFile = join(directory, "pairs.jsonl");
  const metricsFile = join(directory, "metrics.jsonl");
  const checkpointDirectory = (step: number) => join(directory, `checkpoint-${step}`);
  return {
    directory,
    pairsFile,
    metricsFile,
    adapterDirectory: join(directory, "adapter"),
    appendPair: (pair) => appendFile(pairsFile, `${JSON.stringify(pair)}\n`),
    pairs: () => readRunPairs(directory),
    appendMetrics: (row) => appendFile(metricsFile, `${JSON.stringify(row)}\n`),
    checkpointDirectory,
    async latestCheckpoint() {
      const step = (await checkpointSteps(directory)).at(-1);
      return step === undefined ? undefined : checkpointDirectory(step);
    },
  };
}
