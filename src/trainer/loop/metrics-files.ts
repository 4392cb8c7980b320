/** @file What a training writes about itself: metrics.jsonl, TensorBoard's events, and times apart from both. */
import { appendFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type EventFile, openEventFile } from "./event-file.js";
import type { LogEntry } from "./train-events.js";

export interface MetricsFiles {
  add(entry: LogEntry): Promise<void>;
  /** Milliseconds and tokens of a step; no other file holds a time, so that equal runs give equal files. */
  time(step: number, milliseconds: number, tokens: number): Promise<void>;
}

export interface MetricsFilesOptions {
  /** Steps taken before. */
  readonly step: number;
  /** Entries up to there; whatever else metrics.jsonl holds was written after the checkpoint and is cut off. */
  readonly history: readonly LogEntry[];
  readonly tensorboard: boolean;
  readonly now?: (() => number) | undefined;
}

export async function openMetricsFiles(directory: string, options: MetricsFilesOptions): Promise<MetricsFiles> {
  const { step, history, tensorboard, now } = options;
  await mkdir(directory, { recursive: true });
  const file = join(directory, "metrics.jsonl");
  const times = join(directory, "timing.jsonl");
  await replaceWith(file, history.map(toLine).join(""));
  await replaceWith(times, await timesUpTo(times, step));
  const events: EventFile | undefined = tensorboard
    ? await openEventFile(join(directory, "runs"), step, now)
    : undefined;
  return {
    async add(entry) {
      await appendFile(file, toLine(entry));
      await events?.scalars(entry.step, tags(entry));
    },
    time: (at, milliseconds, tokens) => appendFile(times, toLine({ step: at, milliseconds, tokens })),
  };
}

const toLine = (entry: Readonly<Record<string, number>>): string => `${JSON.stringify(entry)}\n`;

/** As transformers' TensorBoard callback names them: train/loss, eval/loss. */
function tags({ step: _step, ...metrics }: LogEntry): Record<string, number> {
  const evaluation = Object.keys(metrics).some((name) => name.startsWith("eval_"));
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) =>
      evaluation ? [`eval/${name.replace(/^eval_/, "")}`, value] : [`train/${name}`, value],
    ),
  );
}

async function timesUpTo(file: string, step: number): Promise<string> {
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
  const kept = lines.filter(
    (line) => Number(/^\{"step":(\d+),.*\}$/.exec(line)?.[1] ?? Number.POSITIVE_INFINITY) <= step,
  );
  return kept.map((line) => `${line}\n`).join("");
}

/** A reader sees the old text or the new one. */
async function replaceWith(file: string, text: string): Promise<void> {
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, text);
  await rename(staging, file);
}
