import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeBfloat16,
  decodeFloat16,
  encodeBfloat16,
  encodeFloat16,
  fromBfloat16Bits,
  fromFloat16Bits,
  toBfloat16Bits,
  toFloat16Bits,
} from "../../../src/trainer/checkpoint/half.js";

// IEEE 754 binary16: value, bits, and which rule the case shows.
const FLOAT16: [number, number, string][] = [
  [0, 0x0000, "zero"],
  [-0, 0x8000, "negative zero"],
  [1, 0x3c00, "one"],
  [-2, 0xc000, "minus two"],
  [0.333251953125, 0x3555, "nearest to a third"],
  [65504, 0x7bff, "largest finite"],
  [2 ** -14, 0x0400, "smallest normal"],
  [2 ** -24, 0x0001, "smallest subnormal"],
  [1023 * 2 ** -24, 0x03ff, "largest subnormal"],
  [Number.POSITIVE_INFINITY, 0x7c00, "infinity"],
];

const ROUNDED16: [number, number, string][] = [
  [1 / 3, 0x3555, "a third goes down"],
  [1 + 2 ** -11, 0x3c00, "a tie goes down to even"],
  [1 + 3 * 2 ** -11, 0x3c02, "a tie goes up to even"],
  [65519, 0x7bff, "just below the overflow tie"],
  [65520, 0x7c00, "the overflow tie goes to infinity"],
  [2 ** -25, 0x0000, "half of the smallest subnormal goes to even zero"],
  [1.5 * 2 ** -25, 0x0001, "more than half goes up"],
  [3 * 2 ** -25, 0x0002, "a subnormal tie goes to even"],
  [(1023 + 0.75) * 2 ** -24, 0x0400, "a subnormal rounds up into the normals"],
  [2 - 2 ** -12, 0x4000, "a carry walks into the exponent"],
];

describe("float16", () => {
  it.each(FLOAT16)("%d has the bits %i (%s), both ways", (value, bits) => {
    expect(toFloat16Bits(value)).toBe(bits);
    expect(fromFloat16Bits(bits)).toBe(value);
  });
  it.each(ROUNDED16)("%d rounds to %i: %s", (value, bits) => {
    expect(toFloat16Bits(value)).toBe(bits);
    expect(toFloat16Bits(-value)).toBe(bits | 0x8000);
  });
  it("NaN stays NaN", () => {
    expect(fromFloat16Bits(toFloat16Bits(Number.NaN))).toBeNaN();
  });
  it("every finite bit pattern survives decoding and encoding", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((i) => (i & 0x7c00) !== 0x7c00);
    expect(encodeFloat16(decodeFloat16(bits))).toEqual(bits);
  });
  it("rounds to the nearest of its two neighbours", () => {
    fc.assert(
      fc.property(fc.float({ min: Math.fround(-65000), max: Math.fround(65000), noNaN: true }), (x) => {
        const bits = toFloat16Bits(x);
        const error = Math.abs(fromFloat16Bits(bits) - x);
        for (const other of [bits - 1, bits + 1]) {
          if ((other & 0x7fff) < 0x7c00 && other >= 0 && (other & 0x8000) === (bits & 0x8000)) {
            expect(error).toBeLessThanOrEqual(Math.abs(fromFloat16Bits(other) - x));
          }
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe("bfloat16", () => {
  it.each([
    [1, 0x3f80],
    [-2, 0xc000],
    [3.140625, 0x4049],
    [2 ** -133, 0x0001],
    [Number.NEGATIVE_INFINITY, 0xff80],
  ])("%d has the bits %i, both ways", (value, bits) => {
    expect(toBfloat16Bits(value)).toBe(bits);
    expect(fromBfloat16Bits(bits)).toBe(value);
  });
  it.each([
    [1 + 2 ** -8, 0x3f80, "tie to even, down"],
    [1 + 3 * 2 ** -8, 0x3f82, "tie to even, up"],
    [Math.PI, 0x4049, "pi"],
    [3.4028234663852886e38, 0x7f80, "the largest float32 overflows"],
  ])("%d rounds to %i: %s", (value, bits) => {
    expect(toBfloat16Bits(value)).toBe(bits);
    expect(toBfloat16Bits(-value)).toBe(bits | 0x8000);
  });
  it("NaN stays NaN, also where its payload is in the low bits only", () => {
    const nan = new Float32Array(Uint32Array.of(0x7f800001).buffer)[0]!;
    expect(fromBfloat16Bits(toBfloat16Bits(nan))).toBeNaN();
  });
  it("every bit pattern but the NaNs survives decoding and encoding", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((i) => (i & 0x7fff) <= 0x7f80);
    expect(encodeBfloat16(decodeBfloat16(bits))).toEqual(bits);
  });
});

it("a vector is rounded to float16 as its numbers are one by one", () => {
  fc.assert(
    fc.property(fc.uint32Array({ minLength: 1 }), (words) => {
      // Every other number is moved to where most weights are, and every third is made a tie or an exact one.
      const near = words.map((word, i) => (i % 2 === 0 ? word : (word & 0x83ffffff) | 0x38000000));
      const bits = near.map((word, i) => (i % 3 === 0 ? word & ~0xfff : word));
      const values = new Float32Array(bits.buffer, bits.byteOffset, bits.length);
      expect([...encodeFloat16(values)]).toEqual(Array.from(values, toFloat16Bits));
    }),
    { seed: 7 },
  );
});
