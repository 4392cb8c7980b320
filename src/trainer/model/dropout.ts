/** @file Dropout in front of LoRA's A (as PEFT has it), from noise that is an input: the same noise drops the same elements. */
import type { Dim, GraphBuilder, Value } from "../graph/index.js";

/** `x` with elements set to 0; `scale` (1 / (1 - p)) is left to the product that follows. */
export interface Dropout {
  readonly apply: (x: Value) => Value;
  readonly scale: number;
}

/**
 * Element (token i, column j) of a layer is kept where the low 32 bits of a_i · c_j, read as a signed number, reach a
 * threshold. a_i is odd and comes from the noise, c_j is odd and fixed for the layer and column, so over the noise each
 * product is uniform. The product of 32 by 31 bits fits an int64, and a cast keeps its low half: no op with a state.
 *
 * @param noise int32 [batch, time], uniform from 0 to 2³¹ - 1; undefined: nothing is dropped
 * @param share p, from 0 up to 1
 * @returns Dropout of a layer x [batch, time, in], by the layer's number; undefined where nothing is dropped
 */
export function loraDropout(
  g: GraphBuilder,
  noise: Value | undefined,
  share: number,
): ((layer: number) => Dropout) | undefined {
  if (!(share >= 0 && share < 1)) throw new Error(`lora_dropout must be at least 0 and less than 1, found ${share}`);
  if (noise === undefined || share === 0) return undefined;
  const rows = g.scope("dropout", () => {
    const [batch, time] = noise.shape as readonly [Dim, Dim];
    const odd = g.add(g.mul(g.cast(noise, "int64"), g.int64s([2])), g.int64s([1]));
    return g.reshape(odd, [batch, time, 1]);
  });
  const threshold = g.int32Scalar(Math.round((share - 0.5) * 2 ** 32));
  return (layer) => ({
    scale: 1 / (1 - share),
    apply: (x) =>
      g.scope("dropout", () => {
        const products = g.mul(rows, columns(g, layer, x.shape.at(-1) as number));
        // A product with 0 and 1: Where took four times as long, and again in backward.
        return g.mul(x, g.cast(g.lessOrEqual(threshold, g.cast(products, "int32")), x.dtype));
      }),
  });
}

/** c_j: odd numbers of 31 bits, fixed for ever by the layer's number and the column's. */
function columns(g: GraphBuilder, layer: number, width: number): Value {
  const values = BigInt64Array.from({ length: width }, (_, j) => BigInt((mix(mix(layer + 1) + j) >>> 1) | 1));
  return g.constant(`dropout/columns_${layer}`, "int64", [width], {
    kind: "inline",
    bytes: new Uint8Array(values.buffer),
  });
}

/** A bijection of 32 bits that leaves no trace of order (the finaliser of MurmurHash3, Appleby 2008). */
function mix(value: number): number {
  let h = Math.imul(value, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
