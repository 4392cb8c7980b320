/** @file TensorBoard's events of a self-teaching run: what training says by step, and what evaluations say by round. */
import { join } from "node:path";
import { type EventFile, openEventFile } from "../../trainer/index.js";

/** Below the run's directory; TensorBoard shows the two folders in it as two runs. */
export const TENSORBOARD_FOLDER = "tensorboard";

export interface RunTensorBoard {
  /** A line as in metrics.jsonl; lines without numbers to show leave nothing. */
  add(line: Readonly<Record<string, unknown>>): Promise<void>;
}

/** How far the run had come when this process opened it. */
export interface RunPlace {
  /** Steps behind the last commit. */
  readonly step: number;
  /** The round under way. */
  readonly round: number;
}

/**
 * Event files of this process, opened when there is something to write. Each begins a session behind what is committed, so
 * that TensorBoard leaves out what an earlier process wrote past it. Times are in these files alone of a run's journals.
 */
export function openRunTensorBoard(directory: string, { step, round }: RunPlace): RunTensorBoard {
  const folder = join(directory, TENSORBOARD_FOLDER);
  const opened = new Map<string, Promise<EventFile>>();
  const fileOf = (name: string, committed: number): Promise<EventFile> => {
    const file = opened.get(name) ?? openEventFile(join(folder, name), committed);
    opened.set(name, file);
    return file;
  };
  const files = { steps: () => fileOf("steps", step), rounds: () => fileOf("rounds", Math.max(0, round - 1)) };
  return {
    async add(line) {
      const scalars = scalarsOf(line);
      if (scalars === undefined) return;
      const file = await files[scalars.by]();
      await file.scalars(scalars.at, scalars.values);
    },
  };
}

interface Scalars {
  readonly by: "steps" | "rounds";
  readonly at: number;
  readonly values: Readonly<Record<string, number>>;
}

/** Tags as transformers' TensorBoard callback writes them: train/loss, eval/loss; evaluations under their split. */
function scalarsOf(line: Readonly<Record<string, unknown>>): Scalars | undefined {
  const { kind, step, round, split, accuracy, thinkingRight, margin, ...metrics } = line;
  switch (kind) {
    case "step":
      return { by: "steps", at: Number(step), values: tagged("train", metrics) };
    case "held-out":
      return { by: "steps", at: Number(step), values: tagged("eval", metrics) };
    case "evaluation":
      return { by: "rounds", at: Number(round), values: tagged(`eval/${split}`, { accuracy, thinkingRight }) };
    case "preference-accuracy":
      return { by: "rounds", at: Number(round), values: tagged("eval/preference", { accuracy, margin }) };
    default:
      return undefined;
  }
}

const tagged = (group: string, values: Readonly<Record<string, unknown>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      typeof value === "number" ? [[`${group}/${name.replace(/^eval_/, "")}`, value]] : [],
    ),
  );
