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
  const greatest = Math.max(...scores);
  if (temperature === 0) {
    const best = scores.indexOf(greatest);
    return scores.map((_, id) => (id === best ? 1 : 0));
  }
  const weights = scores.map((score) => Math.exp((score - greatest) / temperature));
  // Thresholds are scores: two tokens are as likely as each other where their scores are equal.
  const falling = [...scores].sort((a, b) => b - a);
  const removeBelow = (threshold: number): void => {
    scores.forEach((score, id) => {
      if (score < threshold) weights[id] = 0;
    });
  };
  if (topK > 0 && topK < scores.length) removeBelow(falling[topK - 1] as number);
  if (topP < 1)
    removeBelow(lastOfNucleus(falling, (score) => weights[scores.indexOf(score)] as number, topP, sum(weights)));
  weights.forEach((weight, id) => {
    if (weight < minP) weights[id] = 0; // the most likely one has weight 1
  });
  const total = sum(weights);
  return weights.map((weight) => weight / total);
}

/** The score at which the weights, summed from the largest, reach topP of all. */
function lastOfNucleus(
  falling: readonly number[],
  weightOf: (score: number) => number,
  topP: number,
  total: number,
): number {
  let mass = 0;
  for (const score of falling) {
    mass += weightOf(score);
    if (mass >= topP * total) return score;
  }
  return Number.NEGATIVE_INFINITY;
}

export const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** Log-softmax of the logits as they are. */
export function logProbability(logits: ArrayLike<number>, id: number): number {
  const greatest = Math.max(...Array.from(logits));
  return (logits[id] as number) - greatest - Math.log(sum(Array.from(logits, (logit) => Math.exp(logit - greatest))));
}
