/** @file Pairs that are never trained on: the loss of a phase on them, by which a round is kept or taken back. */
import {
  evaluate,
  needsReference,
  type PairScore,
  type Policy,
  type ReferenceScores,
  type TokenizedPair,
} from "../../trainer/index.js";
import type { PhasePlan } from "./teach-plan.js";
import { chosenText, referenceWeights } from "./train-round.js";

/** Pairs of one call of the policy. */
const BATCH = 64;

/** Loss and metrics of the phase's own loss under TRL's names with `eval_`, as means over the pairs. */
export async function heldOutMetrics(
  policy: Policy,
  pairs: readonly TokenizedPair[],
  { loss, step, reference }: Pick<PhasePlan, "loss" | "step" | "reference">,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const options = {
    loss,
    nllOver: step.nllOver,
    beta: step.beta,
    labelSmoothing: step.labelSmoothing ?? 0,
    simpoGamma: step.simpoGamma ?? 0.5,
    batchSize: BATCH,
    signal,
    reference: needsReference(loss) ? await scoresOf(policy, pairs, referenceWeights(reference), signal) : undefined,
  };
  const rows =
    loss === "sft"
      ? ({ kind: "texts", evaluation: pairs.map(chosenText) } as const)
      : ({ kind: "pairs", evaluation: pairs } as const);
  const events = evaluate(policy, rows, options);
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
  }
}

async function scoresOf(
  policy: Policy,
  pairs: readonly TokenizedPair[],
  weights: "reference" | "base",
  signal: AbortSignal | undefined,
): Promise<ReferenceScores> {
  const scores = await policy.scorePairs(pairs, { weights, ...(signal && { signal }) });
  const byPair = new Map(pairs.map((pair, i) => [pair, scores[i] as PairScore]));
  return { id: weights, of: (pair) => byPair.get(pair) as PairScore };
}
