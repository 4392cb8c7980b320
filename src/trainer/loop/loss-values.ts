/** @file The losses as plain numbers, for evaluation: the equations of `trainer/losses`, which says where they come from. */
import { type PreferenceLoss, preferenceRules } from "../losses/index.js";
import type { PairScore, ReplyScore } from "../run/policy.js";

/** log(1 + e^x) */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const logSigmoid = (x: number): number => -softplus(-x);

/** A mean log-probability of exactly 0 has no odds; the graph stops at the same place. */
const LARGEST_LOGP = -1e-6;
const log1mexp = (x: number): number => Math.log(-Math.expm1(Math.min(x, LARGEST_LOGP)));

export interface LossNumbers {
  readonly beta: number;
  readonly labelSmoothing: number;
  readonly simpoGamma: number;
}

/** (c - r) - [log(1 - e^c) - log(1 - e^r)] of mean log-probabilities. */
export const logOdds = (chosen: number, rejected: number): number =>
  chosen - rejected - (log1mexp(chosen) - log1mexp(rejected));

type PairValue = (h: number, z: number, numbers: LossNumbers) => number;

const smoothed: PairValue = (_h, z, { labelSmoothing: ε }) => -(1 - ε) * logSigmoid(z) - ε * logSigmoid(-z);

const values: { readonly [K in PreferenceLoss]: PairValue } = {
  sigmoid: smoothed,
  robust: (_h, z, { labelSmoothing: ε }) => (ε * logSigmoid(-z) - (1 - ε) * logSigmoid(z)) / (1 - 2 * ε),
  hinge: (_h, z) => Math.max(0, 1 - z),
  ipo: (h, _z, { beta }) => (h - 0.5 / beta) ** 2,
  exo_pair(_h, z, { labelSmoothing: ε }) {
    const side = (logp: number, target: number): number => Math.exp(logp) * (logp - Math.log(target));
    return side(logSigmoid(z), 1 - ε) + side(logSigmoid(-z), ε);
  },
  sigmoid_norm: (_h, z) => -logSigmoid(z),
  simpo: (h, z, numbers) => smoothed(h, z - numbers.simpoGamma, numbers),
};

export const meanOf = ({ sum, count }: ReplyScore): number => sum / count;

/** Loss of one pair; `reference` is not looked at where the loss has none. */
export function preferenceValue(
  loss: PreferenceLoss,
  policy: PairScore,
  reference: PairScore | undefined,
  numbers: LossNumbers,
): number {
  const rule = preferenceRules[loss];
  const logp = rule.logps === "mean" ? meanOf : ({ sum }: ReplyScore): number => sum;
  let h = logp(policy.chosen) - logp(policy.rejected);
  if (rule.reference) {
    if (reference === undefined) throw new Error(`internal: ${loss} needs scores of the reference`);
    h -= logp(reference.chosen) - logp(reference.rejected);
  }
  return values[loss](h, numbers.beta * h, numbers);
}
