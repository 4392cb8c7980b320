/** @file Our side of the training bench: one fresh engine process, some steps, and what they took. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { measureGraph } from "../dist/trainer/graph/index.js";
import {
  expectedTensors,
  LORA_TARGETS,
  openCheckpointDir,
  openPolicy,
  type PolicyOptions,
} from "../dist/trainer/index.js";
import { loraScale, thetaLayout } from "../dist/trainer/model/index.js";
import { collate } from "../dist/trainer/run/collate.js";
import { trainProgram } from "../dist/trainer/run/programs.js";
import { stepWeights } from "../dist/trainer/run/train-feeds.js";
import { stopwatch, type TimedStep } from "./load.js";
import { type BenchModel, type BenchPair, tokenized } from "./model.js";
import type { TrainBenchOptions } from "./options.js";

export interface OurRun {
  readonly steps: readonly TimedStep[];
  readonly engineRssMb: number;
  readonly parentRssMb: number;
  readonly sessionMs: number;
  readonly device: string;
  readonly losses: readonly number[];
}

/** Larger than any pair of the bench: a step is one micro-batch. */
const MAX_TOKENS = 1 << 20;

const trainable = (rank: number) =>
  ({ kind: "lora", r: rank, loraAlpha: 2 * rank, targetModules: LORA_TARGETS }) as const;

export const policyOptions = (model: BenchModel, options: TrainBenchOptions): PolicyOptions => ({
  model: model.path,
  trainable: trainable(options.rank),
  seed: 7,
  threads: options.threads,
  device: options.device,
  gradientCheckpointing: options.gradientCheckpointing,
});

const stepOptions = ({ loss }: TrainBenchOptions) =>
  ({
    loss,
    learningRate: 1e-5,
    beta: 0.1,
    labelSmoothing: loss === "exo_pair" ? 1e-3 : 0,
    maxGradNorm: 1,
    weightDecay: 0,
    textWeight: 0,
    nllOver: "prompt+chosen",
    maxTokens: MAX_TOKENS,
  }) as const;

/** Steps of one pair each. Reference scores, where the loss needs them, are taken before the clock starts. */
export async function ourRun(
  model: BenchModel,
  pairs: readonly BenchPair[],
  options: TrainBenchOptions,
): Promise<OurRun> {
  const { loss, warmup, steps: count } = options;
  const policy = await openPolicy(policyOptions(model, options));
  try {
    const batch = pairs.map(tokenized);
    const reference = loss === "orpo" ? undefined : await policy.scorePairs(batch, { weights: "reference" });
    const steps: TimedStep[] = [];
    const losses: number[] = [];
    for (let i = 0; i < warmup + count; i += 1) {
      const at = i % batch.length;
      const one = { pairs: batch.slice(at, at + 1), texts: [] };
      const stop = stopwatch();
      const scores = reference?.slice(at, at + 1);
      const metrics = await policy.trainStep(
        scores === undefined ? one : { ...one, reference: scores },
        stepOptions(options),
      );
      if (i >= warmup) steps.push(stop());
      losses.push(metrics["loss"] as number);
    }
    const { sessionMs, peakRssMb = Number.NaN, device: used } = policy.info;
    const parentRssMb = process.resourceUsage().maxRSS / 1024;
    return { steps, engineRssMb: peakRssMb, parentRssMb, sessionMs, device: used, losses };
  } finally {
    await policy.close();
  }
}

/** FLOPs of MatMul-like nodes that the graph of one such step executes. */
export async function stepFlops(model: BenchModel, pair: BenchPair, options: TrainBenchOptions): Promise<number> {
  const checkpoint = await openCheckpointDir(model.path);
  const lora = trainable(options.rank);
  const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, lora);
  const { gradientCheckpointing } = options;
  const graph = trainProgram({ checkpoint, layout, loraScale: loraScale(lora) }, options.loss, {
    gradientCheckpointing,
  });
  const batch = { pairs: [tokenized(pair)], texts: [] };
  const [rows] = collate(batch.pairs, [], stepWeights(batch, stepOptions(options)), MAX_TOKENS);
  if (rows === undefined) throw new Error("internal: the pair made no row");
  const sizes = { batch: rows.rows, time: rows.time, labels: rows.targets.length, pairs: rows.pairs.length };
  return measureGraph(graph, sizes).matmulFlops;
}

/** FLOP/s of a 2048³ MatMul through the same runtime with the same threads. */
export async function matmulRate(threads: number): Promise<number> {
  const script = fileURLToPath(new URL("./matmul-rate.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(threads)]);
  return Number(stdout);
}
