/** @file The bootstrap against distributions that are known exactly. */
import { expect, it } from "vitest";
import { bootstrapMean, pairedBootstrap } from "../../../src/agents/evaluation/bootstrap.js";
import { pairedInterval } from "../../../src/agents/evaluation/intervals.js";
import { createRng } from "../../../src/agents/rng.js";

const ones = (count: number, n: number): number[] => Array.from({ length: n }, (_, i) => (i < count ? 1 : 0));

// The mean of a resample of c ones in n is Binomial(n, c/n) / n. For n = 10, c = 5: P(X ≤ 1) = 11/1024 = 0.011 < 0.025 and
// P(X ≤ 2) = 56/1024 = 0.055 > 0.025, so the 2.5 % point is 2. For n = 20, c = 2: P(X = 0) = 0.9^20 = 0.122, and
// P(X ≤ 4) = 0.957, P(X ≤ 5) = 0.989, so the points are 0 and 5.
it.each([
  [5, 10, 0.2, 0.8],
  [2, 20, 0, 0.25],
  [4, 4, 1, 1],
])("the interval of %i ones in %i is that of the binomial distribution, %f to %f", (count, n, low, high) => {
  expect(bootstrapMean(ones(count, n), { seed: 3 })).toEqual({ mean: count / n, n, low, high });
});

it("a mean of many values has the normal interval, within a tenth of its width", () => {
  const rng = createRng(1, "values");
  const before = Array.from({ length: 400 }, () => rng.uniform());
  const after = before.map((value) => value + 0.2 + rng.uniform());
  const { difference, halfWidth95 } = pairedInterval(before, after);
  const { mean, low, high } = pairedBootstrap(before, after, { seed: 5 });
  expect(mean).toBeCloseTo(difference, 12);
  expect(Math.abs(low - (difference - halfWidth95))).toBeLessThan(halfWidth95 / 10);
  expect(Math.abs(high - (difference + halfWidth95))).toBeLessThan(halfWidth95 / 10);
});

it("the same seed gives the same interval, another seed another one", () => {
  const rng = createRng(2, "values");
  const values = Array.from({ length: 30 }, () => rng.uniform());
  const interval = (seed: number) => bootstrapMean(values, { seed, resamples: 500 });
  expect(interval(1)).toEqual(interval(1));
  expect(interval(1)).not.toEqual(interval(2));
});

it("a difference that is the same on every question has no width", () => {
  const { low, high } = pairedBootstrap([1, 2, 3], [3, 4, 5], { seed: 0 });
  expect([low, high]).toEqual([2, 2]);
});

it("refuses an empty list", () => {
  expect(() => bootstrapMean([], { seed: 0 })).toThrow("found none");
});
