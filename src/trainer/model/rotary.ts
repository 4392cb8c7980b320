/** @file Rotary position embedding (Su et al. 2021, arXiv 2104.09864): frequencies, and the tables of angles. */
import type { RopeConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";

export interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}

/** Angle per position of each pair of dims: theta^(-2i/d), stretched by the scaling that the config asks for. */
export function inverseFrequencies({ theta, scaling }: RopeConfig, headDim: number): Float64Array {
  const plain = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  if (scaling === undefined) return plain;
  if (scaling.type === "linear") return plain.map((frequency) => frequency / scaling.factor);
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: context } = scaling;
  return plain.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < context / highFreqFactor) return frequency;
    if (wavelength > context / lowFreqFactor) return frequency / factor;
    const smooth = (context / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/**
 * cos and sin of the positions that a run has, [positions, headDim / 2] each. They are computed in the graph: tables
 * for every position of a long context would be hundreds of MB of constants.
 *
 * @param order int32 [positions], 0, 1, 2, …
 */
export function rotaryTables(g: GraphBuilder, rope: RopeConfig, headDim: number, order: Value): RotaryTables {
  return g.scope("rotary", () => {
    const [count] = order.shape as readonly [string];
    const frequencies = Float32Array.from(inverseFrequencies(rope, headDim));
    // A float32 product, as in transformers: equal logits at large positions too.
    const angles = g.mul(
      g.reshape(g.cast(order, "float32"), [count, 1]),
      g.floats("rotary/frequencies", [1, frequencies.length], frequencies),
    );
    return { cos: g.cos(angles), sin: g.sin(angles) };
  });
}
