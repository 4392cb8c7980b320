/** @file Intervals without a formula: the same mean over questions that are drawn again, with replacement. */
import { createRng } from "../rng.js";
import { type Interval, pairedDifferences } from "./intervals.js";

export interface BootstrapOptions {
  readonly seed: number;
  /** Default 10 000: the ends then move by about 1 % of the width from seed to seed. */
  readonly resamples?: number;
}

/** A mean over questions, with its 95 % bootstrap interval. */
export interface BootstrapMean extends Interval {
  readonly mean: number;
  readonly n: number;
}

const RESAMPLES = 10_000;
const TAIL = 0.025;

/**
 * Percentile interval: the 2.5 and 97.5 % points of the means of n values drawn with replacement (Efron and Tibshirani
 * 1993, An Introduction to the Bootstrap, chapter 13).
 */
export function bootstrapMean(
  values: readonly number[],
  { seed, resamples = RESAMPLES }: BootstrapOptions,
): BootstrapMean {
  const n = values.length;
  if (n === 0) throw new Error("expected values to take a mean of, found none");
  const rng = createRng(seed, "bootstrap");
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[rng.int(n)]!;
    return sum / n;
  }).sort();
  const cut = Math.floor(TAIL * resamples);
  return {
    mean: values.reduce((a, b) => a + b, 0) / n,
    n,
    low: means[cut]!,
    high: means[resamples - 1 - cut]!,
  };
}

/** Mean of after_i − before_i on the same questions: a question is drawn with both its values. */
export function pairedBootstrap(
  before: readonly number[],
  after: readonly number[],
  options: BootstrapOptions,
): BootstrapMean {
  return bootstrapMean(pairedDifferences(before, after), options);
}
