/** @file Learning-rate schedules against transformers' own. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { learningRateAt, type ScheduleOptions, warmupStepsOf } from "../../../src/trainer/optim/index.js";

const path = fileURLToPath(new URL("../../fixtures/trl/schedules.json", import.meta.url));
const { schedules } = JSON.parse(readFileSync(path, "utf8")) as {
  schedules: (ScheduleOptions & { rates: number[] })[];
};

describe("transformers' rates, step by step", () => {
  it.each(schedules)("$schedule, warm-up $warmupSteps of $totalSteps", ({ rates, ...options }) => {
    rates.forEach((rate, i) => {
      expect(learningRateAt(options, i + 1)).toBeCloseTo(rate, 16);
    });
  });
});

describe("a warm-up", () => {
  it.each(["constant", "linear", "cosine"] as const)("of %s starts at 0 and meets the peak after it", (schedule) => {
    const options = { schedule, learningRate: 2, warmupSteps: 4, totalSteps: 20 };
    expect([1, 2, 3, 4, 5].map((step) => learningRateAt(options, step))).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  it.each([
    [0.1, 50, 5],
    [0.1, 51, 6],
    [0, 50, 0],
    [1, 3, 3],
  ])("of share %f of %i steps is %i steps", (ratio, total, steps) => {
    expect(warmupStepsOf(ratio, total)).toBe(steps);
  });
});

describe("after the last step", () => {
  it.each(["linear", "cosine"] as const)("%s stays at 0 and never goes below", (schedule) => {
    const options = { schedule, learningRate: 1, warmupSteps: 0, totalSteps: 5 };
    for (const step of [6, 7]) expect(learningRateAt(options, step)).toBeGreaterThanOrEqual(0);
    expect(learningRateAt(options, 6)).toBe(0);
  });
});
