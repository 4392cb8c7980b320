/** @file Passes over a set of pairs: seeded batches, warm-up, replay of other texts beside them. */
import type { LabelledTokens, Policy, StepMetrics, StepOptions, TokenizedPair } from "../trainer/index.js";
import { createRng } from "./rng.js";

/** Texts that keep alive what the base model knows: `count` of them, the same for the same seed. */
export type ReplaySupplier = (
  count: number,
  seed: number,
) => readonly LabelledTokens[] | Promise<readonly LabelledTokens[]>;

export interface TrainingPlan {
  /** Passes over the pairs. */
  readonly epochs: number;
  /** Pairs of one optimizer step. */
  readonly batchPairs: number;
  readonly step: StepOptions;
  /** The rate rises linearly over the first steps of the policy's life; default 0. */
  readonly warmupSteps?: number;
  /** Replayed texts a step; default 0. */
  readonly replayRows?: number;
  readonly seed: number;
  /** Stops after so many steps, whatever the epochs say. */
  readonly maxSteps?: number;
}

export interface TrainingContext {
  readonly policy: Policy;
  readonly replay?: ReplaySupplier;
  readonly signal?: AbortSignal;
}

export interface TrainedStep {
  /** Steps of the policy, this one included. */
  readonly step: number;
  /** TRL's names, with `learning_rate` and `epoch` (passes so far). */
  readonly metrics: StepMetrics;
}

/** Number of optimizer steps that `trainOnPairs` takes. */
export function stepsOf(
  pairs: number,
  { epochs, batchPairs, maxSteps = Number.POSITIVE_INFINITY }: TrainingPlan,
): number {
  return Math.min(maxSteps, epochs * Math.ceil(pairs / batchPairs));
}

/** Yields after each optimizer step. Throws where there is nothing to train on. */
export async function* trainOnPairs(
  { policy, replay, signal }: TrainingContext,
  pairs: readonly TokenizedPair[],
  plan: TrainingPlan,
): AsyncGenerator<TrainedStep> {
  if (pairs.length === 0)
    throw new Error("expected pairs to train on, found none: call generate-preference-pair first");
  const { batchPairs, step: options, warmupSteps = 0, replayRows = 0, seed } = plan;
  const total = stepsOf(pairs.length, plan);
  const perEpoch = Math.ceil(pairs.length / batchPairs);
  let order: readonly TokenizedPair[] = [];
  for (let i = 0; i < total; i++) {
    signal?.throwIfAborted();
    const at = i % perEpoch;
    if (at === 0) order = createRng(seed, "epoch", i / perEpoch).shuffle(pairs);
    const before = await policy.stepCount();
    const learningRate = options.learningRate * Math.min(1, (before + 1) / Math.max(1, warmupSteps));
    const texts = replay === undefined || replayRows === 0 ? [] : await replay(replayRows, replaySeed(seed, i));
    const batch = { pairs: order.slice(at * batchPairs, (at + 1) * batchPairs), texts };
    const metrics = await policy.trainStep(batch, { ...options, learningRate });
    yield { step: before + 1, metrics: { ...metrics, learning_rate: learningRate, epoch: (i + 1) / perEpoch } };
  }
}

const replaySeed = (seed: number, step: number): number => createRng(seed, "replay", step).int(2 ** 31);
