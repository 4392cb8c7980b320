/** @file Learning-rate schedules, as transformers' `get_scheduler` computes them. */

export const SCHEDULES = ["constant", "linear", "cosine"] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

export interface ScheduleOptions {
  readonly schedule: ScheduleName;
  /** The peak. */
  readonly learningRate: number;
  /** Steps of the linear rise from 0. The first step of a warm-up has rate 0, as in transformers. */
  readonly warmupSteps: number;
  /** Optimizer steps of the whole run; linear and cosine reach 0 after the last one. */
  readonly totalSteps: number;
}

/** Factor of the peak after the warm-up, of which `passed` steps are taken and `left` remain; `length` is at least 1. */
const factors: { readonly [K in ScheduleName]: (passed: number, left: number, length: number) => number } = {
  constant: () => 1,
  linear: (_passed, left, length) => Math.max(0, left / length),
  cosine: (passed, _left, length) => Math.max(0, 0.5 * (1 + Math.cos((Math.PI * passed) / length))),
};

/**
 * Learning rate of optimizer step 1, 2, …: transformers' lambda of the steps already taken, step - 1. `constant` with a
 * warm-up is its `constant_with_warmup`; the others are its names.
 */
export function learningRateAt(
  { schedule, learningRate, warmupSteps, totalSteps }: ScheduleOptions,
  step: number,
): number {
  const taken = step - 1;
  if (taken < warmupSteps) return learningRate * (taken / warmupSteps);
  const length = Math.max(1, totalSteps - warmupSteps);
  return learningRate * factors[schedule](taken - warmupSteps, totalSteps - taken, length);
}

/** Steps of a warm-up given as a share of the run (transformers' warmup_ratio): rounded up. */
export const warmupStepsOf = (ratio: number, totalSteps: number): number => Math.ceil(ratio * totalSteps);
