/** @file The weights that quantized blocks stand for. */
import {
  blocksOf,
  type QuantizedBits,
  type QuantizedBlocks,
  scalesOf,
  ZERO_POINT,
} from "../../src/trainer/checkpoint/quantize.js";

/** Rows of `inner` weights. */
export function dequantized(blocks: QuantizedBlocks, inner: number, bits: QuantizedBits): Float32Array {
  const scales = scalesOf(blocks);
  const perRow = blocksOf(inner);
  const out = new Float32Array((scales.length / perRow) * inner);
  for (let i = 0; i < out.length; i++) {
    const row = Math.floor(i / inner);
    const column = i % inner;
    const block = row * perRow + Math.floor(column / 32);
    const code = blocks.codes[row * perRow * 32 + column] as number;
    out[i] = (code - ZERO_POINT[bits]) * (scales[block] as number);
  }
  return out;
}
