/** @file The folder of a run: its pairs, metrics, checkpoints and adapter, and which run is current. */
import { appendFile, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readRunPairs } from "../agents/teaching/run-journal.js";
import { writeWhole } from "../agents/write-whole.js";
import type { PreferencePair, StepMetrics } from "../trainer/index.js";

export interface RunFolder {
  readonly directory: string;
  readonly pairsFile: string;
  readonly metricsFile: string;
  readonly adapterDirectory: string;
  /** Takes the run for this process: before its first write, and before work that ends with one. Throws where another has it. */
  claim(): Promise<void>;
  appendPair(pair: PreferencePair): Promise<void>;
  /** All stored pairs, oldest first. Throws with the line's number where a line is no pair. */
  pairs(): Promise<PreferencePair[]>;
  appendMetrics(row: Readonly<Record<string, unknown>>): Promise<void>;
  /** Metrics of the steps after `after`, up to `last`. Later ones went with the process that took them, and leave the file. */
  keptSteps(after: number, last: number): Promise<StepMetrics[]>;
  checkpointDirectory(step: number): string;
  /** The checkpoint with the most steps, or undefined. */
  latestCheckpoint(): Promise<string | undefined>;
  /** What the latest checkpoint says of the training that wrote it, or undefined. */
  lastTraining(): Promise<LastTraining | undefined>;
}

export interface LastTraining {
  /** Of all trainings of the run: the number in the checkpoint's name. */
  readonly totalSteps: number;
  /** Steps of the optimizer, which begins anew where the loss changes. */
  readonly optimizerSteps: number;
  readonly loss: string;
  /** Pairs that the run had then. */
  readonly pairs: number;
}

/** As `train-iteration` has the policy write it. Its runs knew one loss only before they noted which. */
const trainingSchema = z.object({
  global_step: z.number().int(),
  loss_type: z.string().default("orpo"),
  pairs: z.number().int().default(0),
});

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
export async function openRunFolder(
  directory: string,
  { claim = async () => {} }: { readonly claim?: () => Promise<void> } = {},
): Promise<RunFolder> {
  await mkdir(directory, { recursive: true });
  const pairsFile = join(directory, "pairs.jsonl");
  const metricsFile = join(directory, "metrics.jsonl");
  const checkpointDirectory = (step: number) => join(directory, `checkpoint-${step}`);
  return {
    directory,
    pairsFile,
    metricsFile,
    adapterDirectory: join(directory, "adapter"),
    claim,
    async appendPair(pair) {
      await claim();
      await appendFile(pairsFile, `${JSON.stringify(pair)}\n`);
    },
    pairs: () => readRunPairs(directory),
    async appendMetrics(row) {
      await claim();
      await appendFile(metricsFile, `${JSON.stringify(row)}\n`);
    },
    keptSteps: (after, last) => keptSteps(metricsFile, after, last),
    checkpointDirectory,
    async latestCheckpoint() {
      const step = (await checkpointSteps(directory)).at(-1);
      return step === undefined ? undefined : checkpointDirectory(step);
    },
    async lastTraining() {
      const step = (await checkpointSteps(directory)).at(-1);
      return step === undefined ? undefined : readTraining(checkpointDirectory(step), step);
    },
  };
}

interface StepRow {
  readonly kind?: unknown;
  readonly step?: unknown;
  readonly loss_type?: unknown;
}

async function keptSteps(file: string, after: number, last: number): Promise<StepMetrics[]> {
  const text = await readOr("", () => readFile(file, "utf8"));
  const lines = text.split("\n").filter((line) => line !== "");
  // The last line may have been cut off with the process that wrote it.
  const rows = lines.map((line) => parsedRow(line));
  const stays = rows.map((row) => row !== undefined && !(row.kind === "step" && Number(row.step) > last));
  if (stays.includes(false)) {
    const kept = lines.filter((_, i) => stays[i]);
    await writeWhole(file, kept.map((line) => `${line}\n`).join(""));
  }
  return rows.flatMap((row, i) => {
    if (row === undefined || !stays[i] || row.kind !== "step" || Number(row.step) <= after) return [];
    const { kind: _, step: __, loss_type: ___, ...metrics } = row;
    return [metrics as StepMetrics];
  });
}

function parsedRow(line: string): StepRow | undefined {
  try {
    return JSON.parse(line) as StepRow;
  } catch {
    return undefined;
  }
}

/** Undefined where the checkpoint does not say; opening it says what is wrong with it. */
async function readTraining(checkpoint: string, totalSteps: number): Promise<LastTraining | undefined> {
  const text = await readOr(undefined, () => readFile(join(checkpoint, "trainer_state.json"), "utf8"));
  if (text === undefined) return undefined;
  const { global_step: optimizerSteps, loss_type: loss, pairs } = trainingSchema.parse(JSON.parse(text));
  return { totalSteps, optimizerSteps, loss, pairs };
}
