/** @file Curves of a run for drawing: thinned evenly while they are read, however many steps there are. */
import { join } from "node:path";
import { type EvaluationResult, type LoggedNumbers, proportion } from "../../agents/index.js";
import { foldLines, type LineFold } from "../../agents/teaching/growing-lines.js";
import { type LogLine, readLogLine } from "../../agents/teaching/read-run.js";
import { METRICS_FILE } from "../../agents/teaching/run-journal.js";
import { runPlace } from "./run-place.js";
import type { EvaluationPoint, MetricPoint, RunMetrics } from "./types.js";

/** Points that are kept of a curve, at least; twice as many at most. */
export const MOST_POINTS = 4096;
export const DEFAULT_POINTS = 2000;

/** Every `stride`-th of what came, and the latest. */
export class ThinnedList<T> {
  readonly #kept: T[] = [];
  #stride = 1;
  #latest: T | undefined;
  total = 0;

  add(item: T): void {
    if (this.total % this.#stride === 0) this.#kept.push(item);
    this.total += 1;
    this.#latest = item;
    if (this.#kept.length <= 2 * MOST_POINTS) return;
    this.#kept.splice(0, this.#kept.length, ...this.#kept.filter((_, i) => i % 2 === 0));
    this.#stride *= 2;
  }

  /** At most so many, evenly spread, the first and the last among them. */
  points(most: number): T[] {
    const latest = this.#latest;
    if (latest === undefined || most < 1) return [];
    const all = this.#kept.at(-1) === latest ? [...this.#kept] : [...this.#kept, latest];
    if (all.length <= most) return all;
    if (most === 1) return [latest];
    return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]!);
  }
}

/** What the lines of metrics.jsonl come to. */
export interface MetricsRead {
  readonly steps: ThinnedList<LoggedNumbers>;
  readonly heldOut: ThinnedList<LoggedNumbers>;
  readonly evaluations: { readonly round: number; readonly result: EvaluationResult }[];
  readonly preferenceAccuracies: { readonly round: number; readonly accuracy: number; readonly n: number }[];
  damagedLines: number;
}

const METRICS: LineFold<MetricsRead> = {
  make: () => ({
    steps: new ThinnedList(),
    heldOut: new ThinnedList(),
    evaluations: [],
    preferenceAccuracies: [],
    damagedLines: 0,
  }),
  line(state, { bytes }) {
    try {
      take(state, readLogLine(bytes?.toString() ?? ""));
    } catch {
      state.damagedLines += 1;
    }
  },
};

function take(state: MetricsRead, line: LogLine): void {
  if (line.kind === "evaluation") state.evaluations.push({ round: line.round, result: line.result });
  else if (line.kind === "preference-accuracy")
    state.preferenceAccuracies.push({ round: line.round, accuracy: line.accuracy, n: line.n });
  else {
    const { kind, ...numbers } = line;
    (kind === "step" ? state.steps : state.heldOut).add(numbers);
  }
}

export const readMetrics = async (directory: string): Promise<MetricsRead> =>
  (await foldLines(join(directory, METRICS_FILE), METRICS)) ?? METRICS.make();

export interface MetricsOptions {
  /** Of the curve of steps, at most {@link MOST_POINTS}. */
  readonly points?: number;
}

/** Throws {@link NoSuchRunError} where there is no such run. Lines that cannot be read are counted and left out. */
export async function runMetrics(
  home: string,
  id: string,
  { points = DEFAULT_POINTS }: MetricsOptions = {},
): Promise<RunMetrics> {
  const read = await readMetrics(await runPlace(home, id));
  const most = Math.min(MOST_POINTS, Math.max(1, Math.floor(points)));
  return {
    steps: read.steps.points(most).map(asPoint),
    totalSteps: read.steps.total,
    heldOut: read.heldOut.points(most).map(asPoint),
    evaluations: read.evaluations.map(asEvaluation),
    preferenceAccuracies: [...read.preferenceAccuracies],
    ...(read.damagedLines > 0 && { damagedLines: read.damagedLines }),
  };
}

const asPoint = ({ step, round, metrics }: LoggedNumbers): MetricPoint => ({ step, round, metrics });

function asEvaluation({ round, result }: MetricsRead["evaluations"][number]): EvaluationPoint {
  const { split, accuracy, n, chance, byType } = result;
  return { round, result: { split, accuracy, n, chance, byType }, ci95: largerSide(accuracy, n) };
}

/** 0 where nothing was asked. */
function largerSide(accuracy: number, n: number): number {
  const count = Math.round(accuracy * n);
  if (!Number.isInteger(n) || n < 1 || !(count >= 0 && count <= n)) return 0;
  const { share, low, high } = proportion(count, n);
  return Math.max(share - low, high - share);
}
