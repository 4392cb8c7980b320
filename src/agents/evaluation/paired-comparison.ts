/** @file Two lists of verdicts on the same questions, compared: the difference, its interval, and an exact test. */
import { pairedBootstrap } from "./bootstrap.js";
import type { Interval } from "./intervals.js";
import { type McNemar, mcnemarTest } from "./sign-test.js";

/** Shares of `before` and `after`, and after − before with its paired bootstrap interval. */
export interface PairedComparison extends Interval, McNemar {
  readonly before: number;
  readonly after: number;
  readonly difference: number;
  readonly n: number;
}

/** Verdicts are 0 or 1; null where there are fewer than two questions. */
export function comparePaired(
  before: readonly number[],
  after: readonly number[],
  seed: number,
): PairedComparison | null {
  if (before.length < 2 && before.length === after.length) return null;
  const { mean, low, high, n } = pairedBootstrap(before, after, { seed });
  const share = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / n;
  return { before: share(before), after: share(after), difference: mean, low, high, n, ...mcnemarTest(before, after) };
}
