import { describe, expect, it } from "vitest";
import {
  type Arrival,
  bytesPerStep,
  ratesOf,
  ratioOf,
  sameTokens,
  type TimedGeneration,
} from "../../bench/generate-figures.js";

const timed = (events: readonly Arrival[], rows: number, otherCores = 0): TimedGeneration => ({
  events,
  ids: Array.from({ length: rows }, () => []),
  otherCores,
});

const arrivals = (row: number, times: readonly number[], tokens = 1): Arrival[] => times.map((at) => [at, row, tokens]);

describe("ratesOf", () => {
  it("leaves each row's first token and the prefill out of the decode rate", () => {
    const rates = ratesOf(timed(arrivals(0, [1000, 1100, 1200]), 1));
    expect(rates).toEqual({ tokensPerSecond: 10, totalTokensPerSecond: 2.5, firstTokenMs: 1000 });
  });

  it("counts a chunk by its tokens, and not the one that brought the first token", () => {
    const rates = ratesOf(timed([...arrivals(0, [500], 8), ...arrivals(0, [1000, 1500], 16)], 1));
    expect(rates.tokensPerSecond).toBe(32);
    expect(rates.totalTokensPerSecond).toBeCloseTo(40 / 1.5, 10);
  });

  it("measures only while every row decodes", () => {
    const events = [...arrivals(0, [100, 200, 300, 400]), ...arrivals(1, [200, 300, 400, 500, 600])];
    expect(ratesOf(timed(events, 2))).toEqual({
      tokensPerSecond: 4 / 0.2,
      totalTokensPerSecond: 9 / 0.6,
      firstTokenMs: 200,
    });
  });

  it("runs to the end of all where a row ends before another starts", () => {
    const rates = ratesOf(timed([...arrivals(0, [100, 200]), ...arrivals(1, [300, 400])], 2));
    expect(rates.tokensPerSecond).toBe(10);
  });

  it("refuses a row without tokens instead of calling it fast", () => {
    expect(() => ratesOf(timed(arrivals(0, [100]), 2))).toThrow("a row has no tokens");
  });
});

describe("ratioOf", () => {
  const at = (perToken: number, otherCores: number) =>
    timed(arrivals(0, [10 * perToken, 20 * perToken, 30 * perToken]), 1, otherCores);

  it("is the median over rounds, each of which compares neighbours in time", () => {
    const rounds = [1, 2, 4].map((slowness) => ({ ours: at(slowness, 0), theirs: at(2 * slowness, 0) }));
    expect(ratioOf(rounds)).toBeCloseTo(2, 10);
  });

  it("drops a round that others disturbed on either side, unless all were", () => {
    const quiet = { ours: at(1, 0), theirs: at(3, 0.1) };
    const loud = [
      { ours: at(1, 0), theirs: at(9, 0.5) },
      { ours: at(5, 0.5), theirs: at(1, 0) },
    ];
    expect(ratioOf([...loud, quiet])).toBeCloseTo(3, 10);
    expect(ratioOf(loud)).toBeCloseTo((9 + 0.2) / 2, 10);
  });
});

it("sameTokens is the share before the first difference, whatever agrees after it", () => {
  expect(
    sameTokens(
      [
        [1, 2, 3, 4],
        [5, 6],
      ],
      [
        [1, 2, 9, 4],
        [5, 6],
      ],
    ),
  ).toBe(0.75);
});

describe("bytesPerStep", () => {
  const sizes = { matrices: 3200, head: 320, cachedPerToken: 10 };

  it("reads weights once a step and each row's cache", () => {
    expect(bytesPerStep(sizes, "float32", 1, 0)).toBe(3520 * 4);
    expect(bytesPerStep(sizes, "float32", 8, 100) - bytesPerStep(sizes, "float32", 8, 0)).toBe(8 * 100 * 10 * 4);
  });

  it("has a float32 scale for 32 weights, and 8 bits in the head of int4", () => {
    expect(bytesPerStep(sizes, "int8", 1, 0)).toBe(110 * 36);
    expect(bytesPerStep(sizes, "int4", 1, 0)).toBe(100 * 20 + 10 * 36);
  });
});
