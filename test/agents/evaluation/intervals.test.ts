/** @file Closed-form intervals against the tables of the papers that they come from. */
import { describe, expect, it } from "vitest";
import { pairedInterval, proportion, unpairedDifference } from "../../../src/agents/evaluation/intervals.js";

describe("Wilson's interval", () => {
  // Newcombe 1998, Stat Med 17:857, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])("of %i of %i runs from %f to %f", (count, n, low, high) => {
    const found = proportion(count, n);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
    expect(found.halfWidth).toBeCloseTo((found.high - found.low) / 2, 12);
    expect(found).toMatchObject({ share: count / n, count, n });
  });
  it("solves the equation that defines it: its ends are the shares at which the count lies 1.96 standard errors off", () => {
    const { low, high } = proportion(7, 31);
    for (const end of [low, high]) {
      expect(Math.abs(7 / 31 - end) / Math.sqrt((end * (1 - end)) / 31)).toBeCloseTo(1.959964, 5);
    }
  });
  it("of the wrong ones is the mirror of that of the right ones", () => {
    for (let right = 0; right <= 12; right++) {
      expect(proportion(12 - right, 12).low).toBeCloseTo(1 - proportion(right, 12).high, 12);
    }
  });
  it.each([
    [1, 0],
    [3, 2],
    [-1, 4],
    [0.5, 4],
  ])("is refused for %d of %d", (count, n) => {
    expect(() => proportion(count, n)).toThrow(`found ${count} of ${n}`);
  });
});

describe("the interval of an unpaired difference", () => {
  // Newcombe 1998, Stat Med 17:873, table II, method 10.
  it.each([
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [6, 7, 2, 7, 0.0582, 0.8062],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 20, -0.1611, 0.2775],
    [0, 10, 0, 10, -0.2775, 0.2775],
    [10, 10, 0, 20, 0.6791, 1],
    [10, 10, 0, 10, 0.6075, 1],
  ])("of %i of %i and %i of %i runs from %f to %f", (a, m, b, n, low, high) => {
    const found = unpairedDifference(proportion(a, m), proportion(b, n));
    expect(found.difference).toBeCloseTo(a / m - b / n, 12);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });
});

describe("the paired interval", () => {
  it("of 0,0,1,0 against 1,0,1,1 is 0.5 ± 0.5658", () => {
    // d = 1, 0, 0, 1: mean 0.5, variance 1/3, standard error sqrt(1/12) = 0.288675, times 1.959964.
    const { difference, halfWidth95 } = pairedInterval([0, 0, 1, 0], [1, 0, 1, 1]);
    expect(difference).toBe(0.5);
    expect(halfWidth95).toBeCloseTo(0.565793, 5);
  });
  it("refuses lists of different questions", () => {
    expect(() => pairedInterval([1, 0], [1])).toThrow("found 2 and 1");
  });
});
