/** @file The estimator of pass@k against counting all subsets. */
import { expect, it } from "vitest";
import { passAtK, passAtKs } from "../../../src/agents/evaluation/pass-at-k.js";
import { createRng } from "../../../src/agents/rng.js";

/** Share of the subsets of k of n samples that hold one of the first c. */
function bySubsets(n: number, c: number, k: number): number {
  let [all, hit] = [0, 0];
  for (let set = 0; set < 2 ** n; set++) {
    const bits = set
      .toString(2)
      .split("")
      .filter((bit) => bit === "1").length;
    if (bits !== k) continue;
    all += 1;
    if ((set & (2 ** c - 1)) !== 0) hit += 1;
  }
  return hit / all;
}

it("pass@2 of 2 right samples in 5 is 1 − C(3,2)/C(5,2) = 0.7", () => {
  expect(passAtK(5, 2, 2)).toBeCloseTo(0.7, 12);
});

it("is the share of subsets with a right sample, for all n up to 8", () => {
  for (let n = 1; n <= 8; n++) {
    for (let c = 0; c <= n; c++) {
      for (let k = 1; k <= n; k++) expect(passAtK(n, c, k)).toBeCloseTo(bySubsets(n, c, k), 12);
    }
  }
});

it("pass@1 is the share of right samples, and more samples never pass less often", () => {
  for (const [n, c] of [
    [200, 3],
    [64, 63],
    [1000, 0],
  ] as const) {
    const by = Array.from({ length: n }, (_, i) => passAtK(n, c, i + 1));
    expect(by[0]).toBeCloseTo(c / n, 12);
    for (let i = 1; i < n; i++) expect(by[i]!).toBeGreaterThanOrEqual(by[i - 1]! - 1e-12);
    expect(by[n - 1]).toBe(c > 0 ? 1 : 0);
  }
});

it("its mean over n of 4 is unbiased: the average over many draws is the true pass@2", () => {
  // A sample is right with probability 0.3: pass@2 = 1 − 0.7² = 0.51. Standard error of the mean of 20 000 draws: below 0.003.
  const rng = createRng(11, "unbiased");
  const draws = Array.from({ length: 20_000 }, () => {
    const c = [0, 1, 2, 3].filter(() => rng.uniform() < 0.3).length;
    return passAtK(4, c, 2);
  });
  expect(Math.abs(draws.reduce((a, b) => a + b, 0) / draws.length - 0.51)).toBeLessThan(0.01);
});

it("over questions it is their mean, within its interval", () => {
  const right = [
    [true, true, false, false],
    [false, false, false, false],
  ];
  const [one, two] = passAtKs(right, [1, 2], 7);
  expect(one).toMatchObject({ k: 1, mean: 0.25, n: 2, low: 0, high: 0.5 });
  expect(two!.mean).toBeCloseTo((1 - 1 / 6) / 2, 12);
});

it.each([
  [4, 2, 5],
  [4, 5, 1],
  [4, 1, 0],
  [4, 1.5, 1],
])("refuses n = %d, c = %d, k = %d", (n, c, k) => {
  expect(() => passAtK(n, c, k)).toThrow(`found n = ${n}, c = ${c}, k = ${k}`);
});

it("refuses questions with different numbers of samples", () => {
  expect(() => passAtKs([[true], [true, false]], [1], 7)).toThrow("as many samples");
});
