/** @file Preference accuracy and margins against sums by hand. */
import { expect, it } from "vitest";
import { evaluatePairs, preferenceAccuracy } from "../../../src/agents/evaluation/evaluate-pairs.js";
import type { PairScore, Policy } from "../../../src/trainer/run/policy.js";
import { scriptedStudent } from "../scripted-student.js";

const pair = {
  prompt: new Int32Array(),
  chosen: { ids: new Int32Array(), labels: new Uint8Array() },
  rejected: { ids: new Int32Array(), labels: new Uint8Array() },
};
const score = (chosen: [number, number], rejected: [number, number]): PairScore => ({
  chosen: { sum: chosen[0], count: chosen[1] },
  rejected: { sum: rejected[0], count: rejected[1] },
});
const SCORES = [score([-4, 4], [-3, 1]), score([-1, 1], [-2, 4]), score([-2, 2], [-1, 1]), score([-1, 2], [-3, 2])];

it("preference accuracy compares means, not sums, and a tie is no preference", async () => {
  let i = 0;
  const { policy } = scriptedStudent(
    () => "",
    () => SCORES[i++]!,
  );
  expect(await preferenceAccuracy(policy, [pair, pair, pair, pair])).toEqual({
    accuracy: 0.5,
    n: 4,
    margin: (2 - 0.5 + 0 + 1) / 4,
  });
});

const scorer = (base: readonly PairScore[]): Pick<Policy, "scorePairs"> => ({
  scorePairs: async (_, options) => {
    options?.onProgress?.(4, 4);
    return [...(options?.weights === "base" ? base : SCORES)];
  },
});

it("margins over the base are differences of sums, and the base's own preferences are compared pair by pair", async () => {
  const base = [score([-5, 4], [-3, 1]), score([-1, 1], [-2, 1]), score([-2, 2], [-4, 2]), score([-3, 2], [-1, 2])];
  const seen: number[][] = [];
  const result = await evaluatePairs(scorer(base), [pair, pair, pair, pair], {
    seed: 7,
    withBase: true,
    onProgress: (done, total) => seen.push([done, total]),
  });
  expect(result.referenceFree.accuracy).toMatchObject({ count: 2, n: 4 });
  expect(result.margins).toEqual([2, -0.5, 0, 1]);
  // Sums: own −1, 1, −1, 2; base −2, 1, 2, −2; h = 1, 0, −3, 4.
  expect(result.againstBase?.margin.mean).toBe(0.5);
  expect(result.againstBase?.accuracy).toMatchObject({ count: 2, n: 4 });
  // Means of the base: −1.25 + 3 > 0, 1 > 0, −1 + 2 > 0, −1.5 + 0.5 < 0; own: right, wrong, wrong, right.
  expect(result.change).toMatchObject({ before: 0.75, after: 0.5, lost: 2, gained: 1, p: 1 });
  expect(seen).toEqual([
    [4, 8],
    [8, 8],
  ]);
});

it("a model that is its own base has margins of 0 over it, in an interval without width", async () => {
  const { againstBase } = await evaluatePairs(scorer(SCORES), [pair, pair, pair, pair], { seed: 7, withBase: true });
  expect(againstBase?.margin).toEqual({ mean: 0, n: 4, low: 0, high: 0 });
  expect(againstBase?.accuracy.count).toBe(0);
});

it("without a base there is nothing over it, and without pairs nothing at all", async () => {
  const result = await evaluatePairs(scorer([]), [pair, pair, pair, pair], { seed: 7, withBase: false });
  expect(result).toMatchObject({ againstBase: null, change: null });
  await expect(evaluatePairs(scorer([]), [], { seed: 7, withBase: false })).rejects.toThrow("found none");
});
