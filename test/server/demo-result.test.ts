/** @file The result of a run: what is counted, and the interval of the change, worked out by hand. */
import { describe, expect, it } from "vitest";
import type { RunLog } from "../../src/agents/teaching/read-run.js";
import { accuracyChange, changesByType, endsOf, preferenceChange } from "../../src/server/demo-result.js";

const EMPTY: RunLog = {
  pairs: 0,
  failures: {},
  steps: [],
  heldOut: [],
  evaluations: [],
  preferenceAccuracies: [],
  milliseconds: 0,
};

function evaluation(round: number, split: string, verdicts: number[]): RunLog["evaluations"][number] {
  const right = verdicts.reduce((a, b) => a + b, 0);
  const n = verdicts.length;
  const byType = [{ type: "t", right, n, chance: 0.25 }];
  return {
    round,
    result: { split, accuracy: right / n, n, chance: 0.25, byType, markable: 1, thinkingRight: 0, verdicts },
  };
}

const evaluated = (...evaluations: RunLog["evaluations"][number][]): RunLog => ({ ...EMPTY, evaluations });

describe("accuracy", () => {
  it("compares the first and the last round of a split, with the paired interval", () => {
    const log = evaluated(
      evaluation(0, "a", [0, 0, 1, 0]),
      evaluation(2, "a", [1, 0, 1, 1]),
      evaluation(1, "a", [0, 0, 0, 0]),
    );
    // d = 1, 0, 0, 1; mean 0.5; variance (4 · 0.25) / 3; half-width 1.959964 · sqrt(1/3 / 4)
    const change = accuracyChange(log, "a");
    expect(change).toMatchObject({ before: 0.25, after: 0.75, n: 4, chance: 0.25 });
    expect(change?.ci95).toBeCloseTo(0.565793, 5);
    expect(changesByType(log)).toEqual([{ split: "a", type: "t", before: 0.25, after: 0.75, n: 4, chance: 0.25 }]);
  });

  it("is null for a split that was not evaluated", () => {
    expect(accuracyChange(evaluated(evaluation(0, "a", [0, 1])), "b")).toBeNull();
  });
});

it("takes first and last of a metric from the steps that have it", () => {
  const steps: Record<string, number>[] = [
    { loss: 3 },
    { loss: 2, "rewards/margins": 0.1 },
    { loss: 1, "rewards/margins": 0.4 },
  ];
  const log = { ...EMPTY, steps: steps.map((metrics, i) => ({ step: i + 1, round: 1, metrics })) };
  expect(endsOf(log, "loss")).toEqual({ first: 3, last: 1 });
  expect(endsOf(log, "rewards/margins")).toEqual({ first: 0.1, last: 0.4 });
  expect(endsOf(log, "none")).toBeNull();
});

it("compares held-out pairs before the first and after the last round", () => {
  const preferenceAccuracies = [
    { round: 0, accuracy: 0.5, n: 16 },
    { round: 1, accuracy: 0.75, n: 16 },
  ];
  expect(preferenceChange({ ...EMPTY, preferenceAccuracies })).toEqual({ before: 0.5, after: 0.75, n: 16 });
  expect(preferenceChange(EMPTY)).toBeNull();
});
