/** @file The optimizer steps of one round: passes over its pairs, reference scores where the loss has any, other texts replayed beside. */
import {
  type LabelledTokens,
  type LossName,
  needsReference,
  optimizerSteps,
  type PairScore,
  type Policy,
  type StepMetrics,
  type StepOptions,
  stepsPerEpoch,
  type TokenizedPair,
} from "../../trainer/index.js";
import { createRng } from "../rng.js";
import type { RoundTraining } from "./teach-plan.js";

/** Texts that keep alive what the base model knows: `count` of them, the same for the same seed. */
export type ReplaySupplier = (
  count: number,
  seed: number,
) => readonly LabelledTokens[] | Promise<readonly LabelledTokens[]>;

export interface RoundTrainingPlan extends Omit<RoundTraining, "saveSteps"> {
  readonly loss: LossName;
  readonly seed: number;
  /** Steps of this round that were taken before. */
  readonly taken?: number;
}

export interface TrainingContext {
  readonly policy: Policy;
  readonly replay?: ReplaySupplier;
  readonly signal?: AbortSignal;
}

export interface TrainedStep {
  /** Of this round, from 1. */
  readonly step: number;
  /** TRL's names, with `learning_rate` and `epoch` (passes over the round's pairs). */
  readonly metrics: StepMetrics;
}

/** Number of optimizer steps that `trainRound` takes. */
export const roundSteps = (
  pairs: number,
  { epochs, steps, batchPairs }: Pick<RoundTraining, "epochs" | "steps" | "batchPairs">,
): number => steps ?? Math.ceil(epochs * stepsPerEpoch(pairs, batchPairs));

/** Yields after each optimizer step. Throws where there is nothing to train on. */
export async function* trainRound(
  { policy, replay, signal }: TrainingContext,
  pairs: readonly TokenizedPair[],
  plan: RoundTrainingPlan,
): AsyncGenerator<TrainedStep> {
  if (pairs.length === 0)
    throw new Error("expected pairs to train on, found none: call generate-preference-pair first");
  const { batchPairs, step, loss, warmupSteps, seed, taken = 0 } = plan;
  const replayRows = replay === undefined ? 0 : Math.round(plan.replayShare * batchPairs);
  const before = (await policy.stepCount()) - taken;
  const rate = (i: number): number => step.learningRate * Math.min(1, (before + i + 1) / Math.max(1, warmupSteps));
  const reference = await referenceOf(policy, pairs, plan, signal);
  const steps = {
    rows: pairs,
    rowsPerStep: batchPairs,
    totalSteps: roundSteps(pairs.length, plan),
    taken,
    seed,
    batch: async (chosen: readonly TokenizedPair[], i: number) => {
      const others = replayRows === 0 ? [] : await (replay as ReplaySupplier)(replayRows, replaySeed(seed, i));
      const texts = plan.replayChosen ? [...chosen.map(chosenText), ...others] : others;
      if (loss === "sft") return { pairs: [], texts: [...chosen.map(chosenText), ...texts] };
      return {
        pairs: chosen,
        texts,
        ...(reference && { reference: chosen.map((pair) => reference.get(pair) as PairScore) }),
      };
    },
    options: (i: number): StepOptions => ({ ...step, loss, learningRate: rate(i) }),
  };
  const perEpoch = stepsPerEpoch(pairs.length, batchPairs);
  for await (const { index, metrics } of optimizerSteps(policy, steps, signal)) {
    yield { step: index + 1, metrics: { ...metrics, learning_rate: rate(index), epoch: (index + 1) / perEpoch } };
  }
}

/** Prompt and chosen reply as one text; the labels are the reply's. */
export function chosenText({ prompt, chosen }: TokenizedPair): LabelledTokens {
  const ids = new Int32Array(prompt.length + chosen.ids.length);
  ids.set(prompt);
  ids.set(chosen.ids, prompt.length);
  const labels = new Uint8Array(ids.length);
  labels.set(chosen.labels, prompt.length);
  return { ids, labels };
}

/** Scores of a round's pairs under the reference, taken once. */
async function referenceOf(
  policy: Policy,
  pairs: readonly TokenizedPair[],
  { loss, reference }: Pick<RoundTrainingPlan, "loss" | "reference">,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<TokenizedPair, PairScore> | undefined> {
  if (!needsReference(loss)) return undefined;
  const scores = await policy.scorePairs(pairs, { weights: referenceWeights(reference), ...(signal && { signal }) });
  return new Map(pairs.map((pair, i) => [pair, scores[i] as PairScore]));
}

export const referenceWeights = (reference: RoundTraining["reference"]): "reference" | "base" =>
  reference === "base" ? "base" : "reference";

const replaySeed = (seed: number, step: number): number => createRng(seed, "replay", step).int(2 ** 31);
