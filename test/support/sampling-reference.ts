/** @file The sampler's rules in float64, one row at a time, as plainly as they can be said. */
import type { SamplingParameters } from "../../src/trainer/run/policy.js";

export type Choice = Partial<Pick<SamplingParameters, "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty">>;

/** How likely each token is to be chosen. */
export function tokenProbabilities(
  logits: ArrayLike<number>,
  { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 }: Choice,
  history: Iterable<number> = [],
): Float64Array {
  const scores = Float64Array.from(logits);
  for (const id of new Set(history)) {
    const score = scores[id] as number;
    scores[id] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
  }
  const greatest = maximum(scores);
  if (temperature === 0) {
    const best = scores.indexOf(greatest);
    return scores.map((_, id) => (id === best ? 1 : 0));
  }
  const weights = scores.map((score) => Math.exp((score - greatest) / temperature));
  // Thresholds are scores: two tokens are as likely as each other where their scores are equal.
  const falling = scores.toSorted().reverse();
  const removeBelow = (threshold: number): void => {
    scores.forEach((score, id) => {
      if (score < threshold) weights[id] = 0;
    });
  };
  if (topK > 0 && topK < scores.length) removeBelow(falling[topK - 1] as number);
  if (topP < 1) {
    const kept = weights.toSorted().reverse();
    const target = topP * sum(kept);
    let mass = 0;
    const last = kept.findIndex((weight) => {
      mass += weight;
      return mass >= target;
    });
    removeBelow(falling[last] as number);
  }
  weights.forEach((weight, id) => {
    if (weight < minP) weights[id] = 0; // the most likely one has weight 1
  });
  const total = sum(weights);
  return weights.map((weight) => weight / total);
}

const maximum = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
export const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** Log-softmax of the logits as they are. */
export function logProbability(logits: ArrayLike<number>, id: number): number {
  const greatest = maximum(logits);
  return (logits[id] as number) - greatest - Math.log(sum(Array.from(logits, (logit) => Math.exp(logit - greatest))));
}
