import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  blocksOf,
  packCodes,
  type QuantizedBits,
  quantizeBlocks,
  scalesOf,
  ZERO_POINT,
} from "../../../src/trainer/checkpoint/quantize.js";
import { ggufBlocks } from "../../../src/trainer/checkpoint/quantize-gguf.js";
import { dequantized } from "../../support/dequantized.js";

const golden = JSON.parse(
  readFileSync(new URL("../../fixtures/quantize/blocks.json", import.meta.url), "utf8"),
) as Record<"values" | "q8_0" | "q4_0", string>;
const bytes = Uint8Array.from(Buffer.from(golden.values, "hex"));
const values = new Float32Array(bytes.buffer);
const BITS: readonly QuantizedBits[] = [8, 4];

const wave = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * i + 1) / 3);

describe.each(BITS)("blocks of %i bits", (bits) => {
  it("are byte for byte those of the gguf package", () => {
    const blocks = ggufBlocks(quantizeBlocks(values, 64, bits), bits);
    expect(Buffer.from(blocks).toString("hex")).toBe(golden[bits === 8 ? "q8_0" : "q4_0"]);
  });

  it("differ from the weights by half a scale at most, and by a scale where 4 bits have no code above", () => {
    const inner = 64;
    const weights = wave(5 * inner);
    const quantized = quantizeBlocks(weights, inner, bits);
    const scales = scalesOf(quantized);
    const restored = dequantized(quantized, inner, bits);
    weights.forEach((weight, i) => {
      const scale = Math.abs(scales[Math.floor(i / 32)]!);
      const cut = quantized.codes[i] === 15 && bits === 4;
      // Scales are rounded to float16: a share of 2^-11 of up to 127 codes.
      expect(Math.abs(weight - restored[i]!), `${i}`).toBeLessThanOrEqual(scale * ((cut ? 1 : 0.5) + 127 * 2 ** -11));
    });
    expect(restored.some((value, i) => value !== weights[i])).toBe(true);
  });

  it("fill up a row that 32 does not divide with zeros, and leave its other blocks alone", () => {
    const inner = 40;
    const weights = wave(3 * inner);
    const padded = new Float32Array(3 * 64);
    for (let row = 0; row < 3; row++) padded.set(weights.subarray(row * inner, (row + 1) * inner), row * 64);
    expect(blocksOf(inner)).toBe(2);
    expect(quantizeBlocks(weights, inner, bits)).toEqual(quantizeBlocks(padded, 64, bits));
    expect(quantizeBlocks(weights, inner, bits).codes[inner]).toBe(ZERO_POINT[bits]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1e9])("are refused with a weight of %d", (weight) => {
    const weights = new Float32Array(32).fill(0.1);
    weights[20] = weight;
    expect(() => quantizeBlocks(weights, 32, bits)).toThrow(new RegExp(`a weight is ${weight}: in ${bits} bits`));
  });
});

it("two codes of 4 bits share a byte, the first in its low half", () => {
  expect([...packCodes(Uint8Array.of(1, 2, 15, 0), 4)]).toEqual([0x21, 0x0f]);
  expect([...packCodes(Uint8Array.of(1, 255), 8)]).toEqual([1, 255]);
});
