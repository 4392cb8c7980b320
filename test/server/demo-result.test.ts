/** @file The result of a run: what is counted, and the interval of the change, worked out by hand. */
import { describe, expect, it } from "vitest";
import type { SelfTeachingEvent } from "../../src/agents/teaching/events.js";
import {
  accuracyChange,
  changesByType,
  collect,
  collectedSchema,
  endsOf,
  nothingCollected,
  preferenceChange,
} from "../../src/server/demo-result.js";

function evaluation(round: number, split: string, verdicts: number[]): SelfTeachingEvent {
  const right = verdicts.reduce((a, b) => a + b, 0);
  const n = verdicts.length;
  const byType = [{ type: "t", right, n, chance: 0.25 }];
  return {
    kind: "evaluation",
    round,
    result: { split, accuracy: right / n, n, chance: 0.25, byType, markable: 1, thinkingRight: 0, verdicts },
  };
}

const step = (n: number, metrics: Record<string, number>): SelfTeachingEvent => ({
  kind: "step",
  round: 1,
  step: n,
  metrics,
});

function collected(...events: SelfTeachingEvent[]) {
  const all = nothingCollected();
  for (const event of events) collect(all, event);
  return all;
}

describe("accuracy", () => {
  it("compares the first and the last round of a split, with the paired interval", () => {
    const all = collected(
      evaluation(0, "a", [0, 0, 1, 0]),
      evaluation(2, "a", [1, 0, 1, 1]),
      evaluation(1, "a", [0, 0, 0, 0]),
    );
    // d = 1, 0, 0, 1; mean 0.5; variance (4 · 0.25) / 3; half-width 1.959964 · sqrt(1/3 / 4)
    const change = accuracyChange(all, "a");
    expect(change).toMatchObject({ before: 0.25, after: 0.75, n: 4, chance: 0.25 });
    expect(change?.ci95).toBeCloseTo(0.565793, 5);
    expect(changesByType(all)).toEqual([{ split: "a", type: "t", before: 0.25, after: 0.75, n: 4, chance: 0.25 }]);
  });

  it("is null for a split that was not evaluated", () => {
    expect(accuracyChange(collected(evaluation(0, "a", [0, 1])), "b")).toBeNull();
  });

  it("counts an evaluation once that a resumed run repeats", () => {
    const all = collected(evaluation(0, "a", [0, 0]), evaluation(1, "a", [1, 0]), evaluation(1, "a", [0, 0]));
    expect(accuracyChange(all, "a")?.after).toBe(0.5);
  });
});

it("takes first and last of a metric from the steps that have it", () => {
  const all = collected(
    step(1, { loss: 3 }),
    step(2, { loss: 2, "rewards/margins": 0.1 }),
    step(3, { loss: 1, "rewards/margins": 0.4 }),
  );
  expect(endsOf(all, "loss")).toEqual({ first: 3, last: 1 });
  expect(endsOf(all, "rewards/margins")).toEqual({ first: 0.1, last: 0.4 });
  expect(endsOf(all, "none")).toBeNull();
});

it("compares held-out pairs before the first and after the last round", () => {
  const at = (round: number, accuracy: number): SelfTeachingEvent => ({
    kind: "preference-accuracy",
    round,
    accuracy,
    n: 16,
  });
  expect(preferenceChange(collected(at(0, 0.5), at(1, 0.75)))).toEqual({ before: 0.5, after: 0.75, n: 16 });
  expect(preferenceChange(nothingCollected())).toBeNull();
});

it("survives being written and read, as a resumed run needs it", () => {
  const all = collected(evaluation(0, "a", [0, 1]), step(1, { loss: 3 }));
  expect(collectedSchema.parse(JSON.parse(JSON.stringify(all)))).toEqual(all);
});
