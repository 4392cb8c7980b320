/** @file Held-out pairs: whether the model finds the chosen reply likelier, by itself and beside its base. */
import type { PairScore, Policy, TokenizedPair } from "../../trainer/index.js";
import { type BootstrapMean, bootstrapMean } from "./bootstrap.js";
import { type Proportion, proportion } from "./intervals.js";
import { comparePaired, type PairedComparison } from "./paired-comparison.js";

/** Share of pairs whose chosen reply has the higher mean log-probability under the policy. */
export async function preferenceAccuracy(
  policy: Policy,
  pairs: readonly TokenizedPair[],
): Promise<{ accuracy: number; n: number; margin: number }> {
  requirePairs(pairs);
  const margins = (await policy.scorePairs(pairs)).map(meanMargin);
  return {
    accuracy: margins.filter(isPreferred).length / margins.length,
    n: margins.length,
    margin: margins.reduce((a, b) => a + b, 0) / margins.length,
  };
}

/** A tie is no preference, as in TRL's rewards/accuracies. */
export interface PairMeasure {
  readonly accuracy: Proportion;
  readonly margin: BootstrapMean;
}

export interface PairsResult {
  readonly n: number;
  /** Margin: mean log-probability a token of the chosen reply minus that of the rejected one. */
  readonly referenceFree: PairMeasure;
  /**
   * Where there is a base. Margin: h = (log π(chosen) − log π(rejected)) − (log base(chosen) − log base(rejected)) in nats, sums
   * over tokens; β · h is the rewards/margins of DPO (Rafailov et al. 2023, arXiv 2305.18290).
   */
  readonly againstBase: PairMeasure | null;
  /** Reference-free accuracy, the base before and the model after, on the same pairs. */
  readonly change: PairedComparison | null;
  /** Reference-free margins, in the order of the pairs. */
  readonly margins: readonly number[];
}

export interface PairsOptions {
  readonly seed: number;
  /** Scores under the bare model as well. */
  readonly withBase: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

export async function evaluatePairs(
  policy: Pick<Policy, "scorePairs">,
  pairs: readonly TokenizedPair[],
  { seed, withBase, signal, onProgress }: PairsOptions,
): Promise<PairsResult> {
  requirePairs(pairs);
  const total = pairs.length * (withBase ? 2 : 1);
  const score = (weights: "current" | "base", before: number): Promise<PairScore[]> =>
    policy.scorePairs(pairs, {
      weights,
      ...(signal && { signal }),
      onProgress: (finished) => onProgress?.(before + finished, total),
    });
  const own = await score("current", 0);
  const base = withBase ? await score("base", pairs.length) : undefined;
  const margins = own.map(meanMargin);
  const rewards = base?.map((score, i) => sumMargin(own[i]!) - sumMargin(score));
  return {
    n: pairs.length,
    referenceFree: measure(margins, seed),
    againstBase: rewards === undefined ? null : measure(rewards, seed),
    change: base === undefined ? null : comparePaired(verdicts(base.map(meanMargin)), verdicts(margins), seed),
    margins,
  };
}

function requirePairs(pairs: readonly TokenizedPair[]): void {
  if (pairs.length > 0) return;
  throw new Error("expected held-out pairs to score, found none: raise heldOutPairs or make more pairs");
}

const meanMargin = ({ chosen, rejected }: PairScore): number =>
  chosen.sum / chosen.count - rejected.sum / rejected.count;
const sumMargin = ({ chosen, rejected }: PairScore): number => chosen.sum - rejected.sum;
const isPreferred = (margin: number): boolean => margin > 0;
const verdicts = (margins: readonly number[]): number[] => margins.map((margin) => (isPreferred(margin) ? 1 : 0));

const measure = (margins: readonly number[], seed: number): PairMeasure => ({
  accuracy: proportion(margins.filter(isPreferred).length, margins.length),
  margin: bootstrapMean(margins, { seed }),
});
