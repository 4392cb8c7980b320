/** @file The counter-based generator against its published answers. */
import { describe, expect, it } from "vitest";
import { philox, uniform, uniforms } from "../../../src/trainer/runtime/random.js";

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
