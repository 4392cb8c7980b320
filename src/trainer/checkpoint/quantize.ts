/**
 * @file Matrices in blocks of 32 weights with one scale, symmetric: the codes and scales of llama.cpp's Q8_0 and Q4_0, so
 * that both engines compute with the same weights. Knows no files.
 */
import { decodeFloat16, toFloat16Bits } from "./half.js";

export type QuantizedBits = 4 | 8;

/** Weights that share a scale. */
export const BLOCK_SIZE = 32;

const LARGEST_FLOAT16 = 65504;

/** A code c stands for (c - zero point) · scale. */
export const ZERO_POINT = { 4: 8, 8: 128 } as const;

/** Weights of a larger magnitude have no scale in float16. */
const LARGEST_WEIGHT = { 4: 8 * LARGEST_FLOAT16, 8: 127 * LARGEST_FLOAT16 } as const;

export interface QuantizedBlocks {
  /** One byte a weight, [rows, blocks · 32]; the last block of a row is filled up with the code of 0. */
  readonly codes: Uint8Array;
  /** One a block, [rows, blocks], as bits of a float16. */
  readonly scaleBits: Uint16Array;
}

/** Blocks of a row. */
export const blocksOf = (inner: number): number => Math.ceil(inner / BLOCK_SIZE);

/**
 * Quantizes rows of `inner` weights. 8 bits: scale = max |x| / 127, to nearest, ties away from 0. 4 bits: scale = x / -8
 * of the first x of the largest magnitude, which gets the code 0; codes are cut at 15. Codes come from the scale before
 * it is rounded to float16. Throws for weights that are not finite or beyond any scale.
 */
export function quantizeBlocks(values: Float32Array, inner: number, bits: QuantizedBits): QuantizedBlocks {
  const rows = values.length / inner;
  const blocks = blocksOf(inner);
  const codes = new Uint8Array(rows * blocks * BLOCK_SIZE).fill(ZERO_POINT[bits]);
  const scaleBits = new Uint16Array(rows * blocks);
  const encode = bits === 8 ? encode8 : encode4;
  for (let row = 0, block = 0; row < rows; row++) {
    const end = (row + 1) * inner;
    for (let from = row * inner; from < end; from += BLOCK_SIZE, block++) {
      const to = Math.min(from + BLOCK_SIZE, end);
      const scale = exactScale(values, from, to, bits);
      const inverse = Math.fround(1 / scale);
      if (Number.isFinite(inverse)) encode(values, from, to, inverse, codes, block * BLOCK_SIZE);
      scaleBits[block] = toFloat16Bits(scale);
    }
  }
  return { codes, scaleBits };
}

/** The scales as MatMulNBits takes them. */
export const scalesOf = ({ scaleBits }: Pick<QuantizedBlocks, "scaleBits">): Float32Array => decodeFloat16(scaleBits);

/** Codes as MatMulNBits takes them, [rows, blocks, 32 · bits / 8]: of two codes in a byte, the first is in the low bits. */
export function packCodes(codes: Uint8Array, bits: QuantizedBits): Uint8Array {
  if (bits === 8) return codes;
  const packed = new Uint8Array(codes.length / 2);
  for (let i = 0; i < packed.length; i++) packed[i] = codes[2 * i]! | (codes[2 * i + 1]! << 4);
  return packed;
}

function exactScale(values: Float32Array, from: number, to: number, bits: QuantizedBits): number {
  const limit = LARGEST_WEIGHT[bits];
  let largest = 0;
  let magnitude = 0;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    const size = Math.abs(value);
    if (!(size <= limit)) throw new Error(`a weight is ${value}: in ${bits} bits it has no scale`);
    if (size > magnitude) {
      magnitude = size;
      largest = value;
    }
  }
  return Math.fround(bits === 8 ? magnitude / 127 : largest / -8);
}

type Encode = (values: Float32Array, from: number, to: number, inverse: number, codes: Uint8Array, at: number) => void;

const encode8: Encode = (values, from, to, inverse, codes, at) => {
  for (let i = from, o = at; i < to; i++, o++) {
    const x = Math.fround(values[i]! * inverse);
    codes[o] = 128 + (x < 0 ? -Math.floor(0.5 - x) : Math.floor(0.5 + x));
  }
};

const encode4: Encode = (values, from, to, inverse, codes, at) => {
  for (let i = from, o = at; i < to; i++, o++) {
    const x = Math.fround(Math.fround(values[i]! * inverse) + 8.5); // rounded twice, as without fused multiply-add
    codes[o] = Math.min(15, Math.trunc(x));
  }
};
