/** @file Which curves a run has, and what they say of it. */
import { describe, expect, it } from "vitest";
import { curveSummary, curvesOf, runningMean } from "../../src/page/curves.js";
import type { RunMetrics } from "../../src/tools/views/types.js";

const metrics = (count: number, keys: Readonly<Record<string, (i: number) => number>>): RunMetrics => ({
  steps: Array.from({ length: count }, (_, i) => ({
    step: i + 1,
    round: i < count / 2 ? 1 : 2,
    metrics: Object.fromEntries(Object.entries(keys).map(([key, of]) => [key, of(i)])),
  })),
  totalSteps: count,
  heldOut: [],
  evaluations: [],
  preferenceAccuracies: [],
});
const evaluation = (round: number, split: string, accuracy: number): RunMetrics["evaluations"][number] => ({
  round,
  ci95: 0.1,
  result: { split, accuracy, n: 40, chance: 0.25, byType: [] },
});

describe("the curves of a run", () => {
  it("are those it has values for; a value that is no number leaves a gap", () => {
    const curves = curvesOf(metrics(4, { loss: (i) => (i === 1 ? Number.NaN : 3 - i), grad_norm: () => Number.NaN }));
    expect(curves.map(({ title }) => title)).toEqual(["Loss"]);
    expect(curves[0]?.series[0]?.values).toEqual([3, null, 1, 0]);
    expect(curves[0]?.roundStarts).toEqual([3]);
    expect(curvesOf(metrics(0, {}))).toEqual([]);
  });

  it("show training and held-out loss over the same steps, where each was measured", () => {
    const heldOut = [{ step: 3, round: 1, metrics: { eval_loss: 9 } }];
    const [loss] = curvesOf({ ...metrics(2, { loss: () => 1 }), heldOut });
    expect(loss?.x).toEqual([1, 2, 3]);
    expect(loss?.series.map(({ label, values }) => [label, values])).toEqual([
      ["training", [1, 1, null]],
      ["held-out pairs", [null, null, 9]],
    ]);
  });

  it("show held-out accuracy by round with its interval, beside chance", () => {
    const evaluations = [
      evaluation(0, "unseen-combination", 0.2),
      evaluation(2, "unseen-combination", 0.9),
      evaluation(2, "mine", 0.5),
    ];
    const [curve] = curvesOf({ ...metrics(0, {}), evaluations });
    expect(curve?.x).toEqual([0, 2]);
    expect(curve?.series.map(({ label, values, halfWidths }) => [label, values, halfWidths])).toEqual([
      ["held-out combinations", [0.2, 0.9], [0.1, 0.1]],
      ["mine", [null, 0.5], [null, 0.1]],
      ["chance", [0.25, 0.25], undefined],
    ]);
    expect(curveSummary(curve!).replaceAll("\u00a0", " ")).toBe(
      "Held-out accuracy by round, round 0 to 2: held-out combinations from 20.0 % to 90.0 %; mine 50.0 %; chance from 25.0 % to 25.0 %.",
    );
  });

  it("of many noisy steps are shown under their running mean", () => {
    const [loss] = curvesOf(metrics(1000, { loss: (i) => 2 + (i % 2 === 0 ? 0.5 : -0.5) }));
    expect(loss?.series.map(({ look }) => look)).toEqual(["raw", "line"]);
    const mean = loss?.series[1]?.values.slice(200) as number[];
    expect(Math.max(...mean.map((value) => Math.abs(value - 2)))).toBeLessThan(0.05);
  });
});

describe("the running mean", () => {
  it("of one value is that value, from the first point on, and gaps stay gaps", () => {
    const mean = runningMean([3, null, 3, 3]);
    expect(mean[1]).toBeNull();
    for (const value of [mean[0], mean[2], mean[3]]) expect(value).toBeCloseTo(3, 12);
  });
});
