/** @file Passes over a set of pairs within a longer life of a policy: its own warm-up, and other texts replayed beside the pairs. */
import {
  type LabelledTokens,
  optimizerSteps,
  type Policy,
  type StepMetrics,
  type StepOptions,
  stepsPerEpoch,
  type TokenizedPair,
} from "../../trainer/index.js";
import { createRng } from "../rng.js";

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
  return Math.min(maxSteps, epochs * stepsPerEpoch(pairs, batchPairs));
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
  const before = await policy.stepCount();
  const rate = (i: number): number => options.learningRate * Math.min(1, (before + i + 1) / Math.max(1, warmupSteps));
  const steps = {
    rows: pairs,
    rowsPerStep: batchPairs,
    totalSteps: stepsOf(pairs.length, plan),
    seed,
    batch: async (chosen: readonly TokenizedPair[], i: number) => ({
      pairs: chosen,
      texts: replay === undefined || replayRows === 0 ? [] : await replay(replayRows, replaySeed(seed, i)),
    }),
    options: (i: number): StepOptions => ({ ...options, learningRate: rate(i) }),
  };
  const perEpoch = stepsPerEpoch(pairs.length, batchPairs);
  for await (const { index, metrics } of optimizerSteps(policy, steps, signal)) {
    const epoch = (index + 1) / perEpoch;
    yield { step: before + index + 1, metrics: { ...metrics, learning_rate: rate(index), epoch } };
  }
}

const replaySeed = (seed: number, step: number): number => createRng(seed, "replay", step).int(2 ** 31);
