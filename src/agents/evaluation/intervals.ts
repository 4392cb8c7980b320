/** @file 95 % intervals of shares and of differences between shares, in closed form. */

/** Two-sided 95 % quantile of the standard normal distribution. */
const Z_95 = 1.959963984540054;

/** Ends of a 95 % interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A share of n, with its Wilson interval. */
export interface Proportion extends Interval {
  readonly share: number;
  readonly count: number;
  readonly n: number;
  /** (high − low) / 2; the interval's middle is not the share, but drawn towards a half. */
  readonly halfWidth: number;
}

/**
 * Wilson's score interval: (count + z²/2 ± z · √(count (n − count) / n + z²/4)) / (n + z²). It stays within [0, 1] and has a
 * width also where nothing or everything was right (Wilson 1927, JASA 22:209; method 3 of Newcombe 1998, Stat Med 17:857).
 */
export function proportion(count: number, n: number): Proportion {
  requireCount(count, n);
  const square = Z_95 ** 2;
  const middle = (count + square / 2) / (n + square);
  const halfWidth = (Z_95 * Math.sqrt((count * (n - count)) / n + square / 4)) / (n + square);
  return {
    share: count / n,
    count,
    n,
    low: Math.max(0, middle - halfWidth),
    high: Math.min(1, middle + halfWidth),
    halfWidth,
  };
}

/** {@link proportion} where there may be nothing to take a share of: null for n = 0. */
export const proportionOrNull = (count: number, n: number): Proportion | null =>
  n === 0 ? null : proportion(count, n);

/** How many of a list are so. */
export function shareOf<T>(list: readonly T[], is: (item: T) => boolean): Proportion | null {
  return proportionOrNull(list.filter(is).length, list.length);
}

function requireCount(count: number, n: number): void {
  if (Number.isInteger(count) && Number.isInteger(n) && n >= 1 && count >= 0 && count <= n) return;
  throw new Error(`expected a count from 0 to n, and n of at least 1, found ${count} of ${n}`);
}

/**
 * Difference a − b of two shares that were counted on different questions, with the interval made from both Wilson
 * intervals: d − √((a − aₗ)² + (bᵤ − b)²), d + √((aᵤ − a)² + (b − bₗ)²) (method 10 of Newcombe 1998, Stat Med 17:873).
 */
export function unpairedDifference(a: Proportion, b: Proportion): Interval & { readonly difference: number } {
  const difference = a.share - b.share;
  return {
    difference,
    low: difference - Math.hypot(a.share - a.low, b.high - b.share),
    high: difference + Math.hypot(a.high - a.share, b.share - b.low),
  };
}

/**
 * Difference of two accuracies on the same questions, with the half-width of its 95 % interval:
 * d_i = after_i − before_i, difference = mean(d), halfWidth95 = 1.959964 · sqrt(Σ (d_i − mean(d))² / (n − 1) / n)
 * (paired normal approximation).
 */
export function pairedInterval(
  before: readonly number[],
  after: readonly number[],
): { readonly difference: number; readonly halfWidth95: number } {
  const differences = pairedDifferences(before, after);
  const n = differences.length;
  const difference = differences.reduce((a, b) => a + b, 0) / n;
  const squares = differences.reduce((sum, d) => sum + (d - difference) ** 2, 0);
  return { difference, halfWidth95: Z_95 * Math.sqrt(squares / (n - 1) / n) };
}

/** after_i − before_i. Throws where the lists are not of the same two or more questions. */
export function pairedDifferences(before: readonly number[], after: readonly number[]): number[] {
  const n = before.length;
  if (n !== after.length || n < 2) {
    throw new Error(`expected two lists of verdicts on the same two or more questions, found ${n} and ${after.length}`);
  }
  return before.map((value, i) => after[i]! - value);
}
