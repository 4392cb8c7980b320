/** @file Several optimizer steps in process, from any train program and any layout of the batch: loss and gradient of each. */
import { type CheckpointDir, expectedTensors, openCheckpointDir } from "../../src/trainer/checkpoint/index.js";
import type { Graph } from "../../src/trainer/graph/index.js";
import type { ProgramSource } from "../../src/trainer/model/index.js";
import { loraScale, type TrainableSpec, thetaLayout } from "../../src/trainer/model/index.js";
import { type CollateWeights, collate, type MicroBatch } from "../../src/trainer/run/collate.js";
import { initialTheta } from "../../src/trainer/run/initial-theta.js";
import type { PairScore, StepOptions, TrainBatch } from "../../src/trainer/run/policy.js";
import { scoreProgram } from "../../src/trainer/run/programs.js";
import {
  lossFeeds,
  needsReference,
  optimizerFeeds,
  readScores,
  rowFeeds,
  SCORE_WEIGHTS,
  stepWeights,
  vectorFeed,
} from "../../src/trainer/run/train-feeds.js";
import { readTrained } from "../../src/trainer/run/trained-files.js";
import { type Feed, openSession, type Program } from "../../src/trainer/runtime/session.js";
import type { TokenizedPair } from "../../src/trainer/text/types.js";

export interface Source extends ProgramSource {
  readonly checkpoint: CheckpointDir;
  readonly theta: Float32Array;
}

/** A checkpoint with the trained vector to start from: that of `adapter`, or as a fresh policy has it. */
export async function openSource(model: string, trainable: TrainableSpec, adapter?: string): Promise<Source> {
  const checkpoint = await openCheckpointDir(model);
  const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, trainable);
  const theta =
    adapter === undefined
      ? await initialTheta(checkpoint, layout, trainable, 0)
      : await readTrained(adapter, trainable, layout);
  return { checkpoint, layout, loraScale: loraScale(trainable), theta };
}

/** How a batch becomes micro-batches. */
export type Layout = (batch: TrainBatch, weights: CollateWeights) => MicroBatch[];
export const packed =
  (maxTokens: number): Layout =>
  (batch, weights) =>
    collate(batch.pairs, batch.texts, weights, maxTokens);

export interface Run {
  readonly program: Program;
  readonly layOut: Layout;
  /** Whole numbers of LoRA's dropout for a micro-batch of `count` tokens. */
  readonly noise?: (step: number, micro: number, count: number) => Int32Array;
  /** Scores under the reference, asked for before each step. */
  readonly reference?: () => Promise<readonly PairScore[]>;
}

export interface Step {
  readonly loss: number;
  readonly gradient: Float32Array;
  readonly theta: Float32Array;
}

/** Compiles a program; whoever asked for it disposes of it. */
export const openProgram = ({ checkpoint }: Source, graph: Graph, threads = 1): Promise<Program> =>
  openSession(graph, "test", { weightsFolder: checkpoint.path, threads });

/** `steps` optimizer steps on the one batch. */
export async function trajectory(
  source: Source,
  batch: TrainBatch,
  options: StepOptions,
  { program, layOut, noise, reference }: Run,
  steps: number,
): Promise<Step[]> {
  const zeros = new Float32Array(source.layout.length);
  let [theta, m, v]: [Float32Array, Float32Array, Float32Array] = [source.theta, zeros, zeros];
  const taken: Step[] = [];
  for (let step = 1; step <= steps; step += 1) {
    const scores = needsReference(options.loss) ? await reference?.() : undefined;
    const micro = layOut(batch, stepWeights(batch, options));
    let gradient: Feed = vectorFeed(zeros);
    let loss = 0;
    for (const [i, rows] of micro.entries()) {
      const feeds = {
        ...rowFeeds(rows),
        ...lossFeeds(rows, options, scores),
        ...optimizerFeeds(options, step),
        ...(noise && { noise: { data: noise(step, i, rows.ids.length), dims: [rows.rows, rows.time] } }),
        theta: vectorFeed(theta),
        m: vectorFeed(m),
        v: vectorFeed(v),
        gradient,
      };
      const isLast = i === micro.length - 1;
      const found = await program.run(feeds, ["loss", "sum_gradient", "next_theta", "next_m", "next_v"]);
      const data = (name: string) => found[name]?.data as Float32Array;
      loss += data("loss")[0] as number;
      gradient = found["sum_gradient"] as Feed;
      if (isLast) [theta, m, v] = [data("next_theta"), data("next_m"), data("next_v")];
    }
    taken.push({ loss, gradient: gradient.data as Float32Array, theta });
  }
  return taken;
}

/** Scores of pairs under `theta`, `together` at a time. */
export async function scoresOf(
  source: Source,
  theta: Float32Array,
  pairs: readonly TokenizedPair[],
  together: number,
): Promise<PairScore[]> {
  const program = await openProgram(source, scoreProgram(source));
  const scores: PairScore[] = [];
  for (let start = 0; start < pairs.length; start += together) {
    const part = pairs.slice(start, start + together);
    const found: PairScore[] = [];
    for (const rows of collate(part, [], SCORE_WEIGHTS, 4096)) {
      const { logps } = await program.run({ ...rowFeeds(rows), theta: vectorFeed(theta) }, ["logps"]);
      readScores(rows, logps?.data as Float32Array, part, found);
    }
    scores.push(...found);
  }
  await program.dispose();
  return scores;
}
