/** @file Small trainings for the tests of the loop. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseTrainConfig, type TrainConfig } from "../../../src/trainer/loop/train-config.js";
import type { TrainEvent } from "../../../src/trainer/loop/train-events.js";
import { createRng } from "../../../src/trainer/text/rng.js";
import type { LabelledTokens, TokenizedPair } from "../../../src/trainer/text/types.js";

export async function inTempDir<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "loop-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export function configOf(outputDir: string, settings: Readonly<Record<string, unknown>> = {}): TrainConfig {
  return parseTrainConfig({
    model: "fake",
    output_dir: outputDir,
    loss_type: "orpo",
    learning_rate: 0.05,
    per_device_train_batch_size: 1,
    gradient_accumulation_steps: 2,
    save_strategy: "steps",
    ...((settings["save_strategy"] ?? "steps") === "steps" && { save_steps: 2 }),
    ...settings,
  });
}

/** `count` pairs of small ids, all different. */
export function pairsOf(count: number, seed = 1): TokenizedPair[] {
  const rng = createRng(seed, "pairs");
  const ids = (length: number): Int32Array => Int32Array.from({ length }, () => 3 + rng.int(20));
  const reply = (): LabelledTokens => {
    const tokens = ids(2 + rng.int(4));
    return { ids: tokens, labels: new Uint8Array(tokens.length).fill(1) };
  };
  return Array.from({ length: count }, (_, i) => ({
    prompt: Int32Array.of(...ids(3), i),
    chosen: reply(),
    rejected: reply(),
  }));
}

export async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Every file below a directory by its relative path. Files with times in them, and TensorBoard's, are left out. */
export async function contentsOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const timed = /timing\.jsonl$|tfevents/;
  const read = files.filter((file) => !timed.test(file)).sort();
  const contents = await Promise.all(read.map((file) => readFile(file, "base64")));
  return Object.fromEntries(read.map((file, i) => [relative(directory, file), contents[i] as string]));
}
