/** @file Quantized blocks as GGUF stores them: Q8_0 and Q4_0, the scale of each block before its codes. */
import { BLOCK_SIZE, type QuantizedBits, type QuantizedBlocks, ZERO_POINT } from "./quantize.js";

const SCALE_BYTES = 2;

/** Bytes of one block. */
export const ggufBlockBytes = (bits: QuantizedBits): number => SCALE_BYTES + (BLOCK_SIZE * bits) / 8;

/** Q8_0 holds signed codes; of Q4_0's bytes, the low halves are the first 16 codes and the high ones the last 16. */
export function ggufBlocks({ codes, scaleBits }: QuantizedBlocks, bits: QuantizedBits): Uint8Array {
  const size = ggufBlockBytes(bits);
  const half = BLOCK_SIZE / 2;
  const out = new Uint8Array(scaleBits.length * size);
  for (let block = 0; block < scaleBits.length; block++) {
    const from = block * BLOCK_SIZE;
    let at = block * size;
    out[at++] = scaleBits[block]! & 0xff;
    out[at++] = scaleBits[block]! >>> 8;
    if (bits === 8) for (let i = 0; i < BLOCK_SIZE; i++) out[at + i] = codes[from + i]! - ZERO_POINT[8];
    else for (let i = 0; i < half; i++) out[at + i] = codes[from + i]! | (codes[from + half + i]! << 4);
  }
  return out;
}
