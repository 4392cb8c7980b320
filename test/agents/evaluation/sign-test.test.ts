/** @file Exact tests against counts by hand and published p-values. */
import { expect, it } from "vitest";
import { comparePaired } from "../../../src/agents/evaluation/paired-comparison.js";
import { mcnemarTest, signTest } from "../../../src/agents/evaluation/sign-test.js";

// 2 · (1 + 10 + 45) / 2^10, 2 · 1 / 2^6, 2 · (1 + 5) / 2^5; five against five is no surprise at all.
it.each([
  [8, 2, 112 / 1024],
  [6, 0, 2 / 64],
  [1, 4, 12 / 32],
  [5, 5, 1],
  [0, 0, 1],
])("%i wins against %i losses have p = %f", (wins, losses, p) => {
  expect(signTest(wins, losses)).toBeCloseTo(p, 12);
  expect(signTest(losses, wins)).toBe(signTest(wins, losses));
});

it("the approval ratings of Agresti (150 changed one way, 86 the other) have p = 3.716e-5", () => {
  // Categorical Data Analysis, table 10.1; the exact p-value as R's exact2x2::mcnemar.exact prints it.
  expect(signTest(150, 86)).toBeCloseTo(3.716e-5, 8);
});

it("counts of thousands do not underflow", () => {
  // Normal approximation with continuity correction: z = (200 − 1) / √10000 = 1.99, two-sided 0.0466.
  expect(signTest(5100, 4900)).toBeCloseTo(0.0466, 3);
});

it("McNemar's test sees only the questions whose verdict changed", () => {
  const before = [1, 1, 1, 0, 0, 0, 0, 0];
  const after = [1, 1, 0, 1, 1, 1, 1, 0];
  expect(mcnemarTest(before, after)).toEqual({ lost: 1, gained: 4, p: 12 / 32 });
  expect(() => mcnemarTest([1], [1, 0])).toThrow("found 1 and 2");
});

it("a paired comparison holds both shares, the difference with its interval, and the test", () => {
  const compared = comparePaired([1, 0, 0, 0], [1, 1, 1, 0], 7);
  expect(compared).toMatchObject({ before: 0.25, after: 0.75, difference: 0.5, n: 4, lost: 0, gained: 2, p: 0.5 });
  expect(compared!.low).toBeLessThanOrEqual(0.5);
  expect(compared!.high).toBeGreaterThanOrEqual(0.5);
  expect(comparePaired([1], [0], 7)).toBeNull();
  expect(() => comparePaired([1, 0], [1], 7)).toThrow("found 2 and 1");
});

it("refuses what is no count", () => {
  expect(() => signTest(-1, 2)).toThrow("found -1, 2");
});
