/** @file The counter-based generator against its published answers, and the sampler against exact probabilities. */
import { describe, expect, it } from "vitest";
import { philox, uniform, uniforms } from "../../../src/trainer/run/random.js";
import { sampleToken } from "../../../src/trainer/run/sample-token.js";

describe("philox 4×32-10", () => {
  // Known answers of the authors' Random123 library.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)("counter %j, key %j", (counter, key, expected) => {
    expect(philox(counter, key)).toEqual(expected);
  });

  it("gives numbers in [0, 1) that depend on seed, stream and index", () => {
    const draws = [uniform(1, 0, 0), uniform(2, 0, 0), uniform(1, 1, 0), uniform(1, 0, 1), uniform(2 ** 40, 0, 0)];
    expect(new Set(draws).size).toBe(draws.length);
    for (const draw of draws) expect(draw).toSatisfy((x: number) => x >= 0 && x < 1);
    expect(uniforms(5, 0, 7)).toEqual(uniforms(5, 0, 8).slice(0, 7));
  });
});

/** χ² of counts against probabilities. */
function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const n = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, count, i) => {
    const expected = n * (probabilities[i] as number);
    return expected === 0
      ? sum + (count === 0 ? 0 : Number.POSITIVE_INFINITY)
      : sum + (count - expected) ** 2 / expected;
  }, 0);
}

describe("sampling a token", () => {
  const logits = Float32Array.from([2, 1, 0, -1, 0.5]);
  const softmax = (temperature: number): number[] => {
    const weights = Array.from(logits, (x) => Math.exp(x / temperature));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / sum);
  };
  const counts = (temperature: number, topP: number): number[] => {
    const found = Array<number>(logits.length).fill(0);
    for (let i = 0; i < 20_000; i += 1) found[sampleToken(logits, { temperature, topP }, uniform(3, 0, i)).id]! += 1;
    return found;
  };

  // 99.9 % quantiles of χ² with 4 and 1 degrees of freedom: 18.5 and 10.8.
  it.each([1, 0.7, 1.5])("follows the distribution at temperature %f", (temperature) => {
    expect(chiSquare(counts(temperature, 1), softmax(temperature))).toBeLessThan(18.5);
  });

  it("top-p keeps the smallest set that reaches it, renormalised", () => {
    const p = softmax(1); // 0.56, 0.21, 0.08, 0.03, 0.13: the first two reach 0.7
    const kept = (p[0] as number) + (p[1] as number);
    const expected = [(p[0] as number) / kept, (p[1] as number) / kept, 0, 0, 0];
    expect(chiSquare(counts(1, 0.7), expected)).toBeLessThan(10.8);
  });

  it("is greedy at temperature 0 and reports the untruncated log-probability", () => {
    const { id, logp } = sampleToken(logits, { temperature: 0, topP: 0.1 }, 0.99);
    expect(id).toBe(0);
    expect(logp).toBeCloseTo(Math.log(softmax(1)[0] as number), 6);
  });

  it("reaches the last token for noise just below 1", () => {
    expect(sampleToken(logits, { temperature: 1, topP: 1 }, 1 - 2 ** -32).id).toBe(4);
  });
});
