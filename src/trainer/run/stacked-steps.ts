/** @file Several steps as the feeds of one run: micro-batches padded to one shape and stacked, and what the run gives, by step. */

import type { Feed, FeedData, Feeds, Program } from "../runtime/index.js";
import { collate, type MicroBatch } from "./collate.js";
import type { PairScore, PlannedStep, StepMetrics } from "./policy.js";
import type { PolicyVectors } from "./policy-state.js";
import { preferenceOutputs } from "./programs.js";
import { StepSums } from "./step-metrics.js";
import { tripOutputs } from "./steps-program.js";
import { hasNll, lossFeeds, needsReference, optimizerFeeds, rowFeeds, stepWeights, vectorFeed } from "./train-feeds.js";

export interface StackedRun {
  readonly vectors: PolicyVectors;
  /** Steps taken before. */
  readonly step: number;
  readonly lossScale: number;
  /** Whole numbers of LoRA's dropout for a micro-batch of `count` tokens. */
  readonly noise?: (step: number, micro: number, count: number) => Int32Array;
}

export interface TakenSteps {
  /** Of the steps before the first that was not finite. */
  readonly metrics: readonly StepMetrics[];
  readonly vectors: PolicyVectors;
}

interface Micro {
  readonly step: number;
  readonly rows: MicroBatch;
  readonly isLast: boolean;
  readonly noise: Int32Array | undefined;
}

/** Runs a steps program once over all of `steps`, which have one loss. */
export async function runStacked(
  program: Program,
  steps: readonly PlannedStep[],
  run: StackedRun,
): Promise<TakenSteps> {
  const micros = steps.flatMap(({ batch, options }, step) => {
    const cut = collate(batch.pairs, batch.texts, stepWeights(batch, options), options.maxTokens);
    return cut.map((rows, i): Micro => {
      const noise = run.noise?.(run.step + step, i, rows.rows * rows.time);
      return { step, rows, isLast: i === cut.length - 1, noise };
    });
  });
  const { loss } = (steps[0] as PlannedStep).options;
  const { theta, m, v } = run.vectors;
  const vectors = { theta: vectorFeed(theta), m: vectorFeed(m), v: vectorFeed(v) };
  const feeds = { ...stack(feedsOf(micros, steps, run)), ...vectors };
  const result = await program.run(feeds, ["next_theta", "next_m", "next_v", ...tripOutputs(loss)]);
  const data = (name: string): Float32Array => result[name]?.data as Float32Array;
  return {
    metrics: metricsOf(micros, steps, result),
    vectors: { theta: data("next_theta"), m: data("next_m"), v: data("next_v") },
  };
}

interface RowShape {
  readonly rows: number;
  readonly time: number;
  readonly labels: number;
  readonly pairs: number;
}

/** Feeds of each micro-batch, all of one shape. */
function feedsOf(micros: readonly Micro[], steps: readonly PlannedStep[], run: StackedRun): Feeds[] {
  const most = (of: (rows: MicroBatch) => number): number => Math.max(...micros.map(({ rows }) => of(rows)));
  const shape = {
    rows: most(({ rows }) => rows),
    time: most(({ time }) => time),
    labels: most(({ targets }) => targets.length),
    pairs: most(({ pairs }) => pairs.length),
  };
  return micros.map(({ step, rows, isLast, noise }) => {
    const { batch, options } = steps[step] as PlannedStep;
    const padded = padRows(rows, shape);
    return {
      ...rowFeeds(padded),
      ...lossFeeds(padded, options, batch.reference),
      ...optimizerFeeds(options, run.step + step + 1, run.lossScale),
      ...(noise && { noise: { data: padCells(noise, rows, shape, 0), dims: [shape.rows, shape.time] } }),
      last: { data: Float32Array.of(Number(isLast)), dims: [] },
    };
  });
}

/** Cells [rows, time] in the corner of a larger field. */
function padCells(cells: Int32Array, { rows, time }: MicroBatch, shape: RowShape, fill: number): Int32Array {
  const padded = new Int32Array(shape.rows * shape.time).fill(fill);
  for (let row = 0; row < rows; row += 1) padded.set(cells.subarray(row * time, (row + 1) * time), row * shape.time);
  return padded;
}

/** The same micro-batch with more rows, tokens, labels and pairs that weigh nothing. */
function padRows(rows: MicroBatch, shape: RowShape): MicroBatch {
  const cells = (data: Int32Array, fill = 0): Int32Array => padCells(data, rows, shape, fill);
  const longer = <A extends Int32Array | Float32Array>(into: A, from: A): A => {
    into.set(from);
    return into;
  };
  const N = rows.targets.length;
  const perPair = (weights: Float32Array): Float32Array => {
    const padded = new Float32Array(shape.pairs * shape.labels);
    rows.pairs.forEach((_, p) => {
      padded.set(weights.subarray(p * N, (p + 1) * N), p * shape.labels);
    });
    return padded;
  };
  return {
    rows: shape.rows,
    time: shape.time,
    ids: cells(rows.ids),
    positions: cells(rows.positions),
    items: cells(rows.items, -1),
    branches: cells(rows.branches),
    labelRows: longer(
      new Int32Array(shape.labels),
      rows.labelRows.map((at) => Math.floor(at / rows.time) * shape.time + (at % rows.time)),
    ),
    targets: longer(new Int32Array(shape.labels), rows.targets),
    nllWeights: longer(new Float32Array(shape.labels), rows.nllWeights),
    // A pair that is not there has the first one's reference, which is finite, and no weight.
    pairs: Array.from({ length: shape.pairs }, (_, p) => rows.pairs[p] ?? 0),
    chosenWeights: perPair(rows.chosenWeights),
    rejectedWeights: perPair(rows.rejectedWeights),
    pairWeights: longer(new Float32Array(shape.pairs), rows.pairWeights),
  };
}

/** Feeds that have the same shapes, one behind the other along a new axis 0; what every run has in common stays single. */
function stack(all: readonly Feeds[]): Feeds {
  const first = all[0] as Feeds;
  const { order, loss_scale } = first as Record<"order" | "loss_scale", Feed>;
  const stacked = Object.entries(first).map(([name, { data, dims }]) => {
    const joined: FeedData =
      data instanceof Int32Array
        ? new Int32Array(all.length * data.length)
        : new Float32Array(all.length * data.length);
    all.forEach((feeds, i) => {
      joined.set((feeds[name] as Feed).data, i * data.length);
    });
    return [name, { data: joined, dims: [all.length, ...dims] }] as const;
  });
  return { ...Object.fromEntries(stacked), order, loss_scale };
}

/** Metrics of the steps that were taken. */
function metricsOf(micros: readonly Micro[], steps: readonly PlannedStep[], result: Feeds): StepMetrics[] {
  const trip = (name: string, i: number): Float32Array => {
    const { data, dims } = result[name] as Feed;
    const size = dims.slice(1).reduce((a, b) => a * b, 1);
    return (data as Float32Array).subarray(i * size, (i + 1) * size);
  };
  const taken: StepMetrics[] = [];
  let sums = new StepSums();
  for (const [i, { step, rows, isLast }] of micros.entries()) {
    if (trip("alive", i)[0] !== 1) break;
    const { batch, options } = steps[step] as PlannedStep;
    const names = tripOutputs(options.loss).filter((name) => name !== "nll" || hasNll(batch, options));
    // Per-pair values end where the micro-batch's own pairs do.
    const own = (name: string): number => (PER_PAIR.has(name) ? rows.pairs.length : 1);
    sums.add(
      Object.fromEntries(names.map((name) => [name, { data: trip(name, i).slice(0, own(name)), dims: [] }])),
      needsReference(options.loss) ? rows.pairs.map((pair) => batch.reference?.[pair] as PairScore) : [],
    );
    if (!isLast) continue;
    taken.push(sums.metrics(options));
    sums = new StepSums();
  }
  return taken;
}

const PER_PAIR = new Set(preferenceOutputs("orpo"));
