/** @file Rotary position embedding (Su et al. 2021, arXiv 2104.09864): frequencies, and the tables of angles. */
import type { ModelConfig, RopeConfig } from "../checkpoint/types.js";
import type { FloatDType, GraphBuilder, Value } from "../graph/index.js";

export interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}

/** The angles of a run's tokens. */
export interface RotaryAngles {
  /** int64 [batch, time]: row of the tables. */
  readonly positions: Value;
  /** One for each of `config.ropes`. */
  readonly tables: readonly RotaryTables[];
}

/** Angles of tokens at `positions` (int32 [batch, time]), each less than the length of `order`: 0, 1, 2, … */
export function rotaryAngles(
  g: GraphBuilder,
  config: ModelConfig,
  positions: Value,
  order: Value,
  dtype: FloatDType,
): RotaryAngles {
  const tables = config.ropes.map((rope) => {
    const { cos, sin } = rotaryTables(g, rope, config.headDim, order);
    return { cos: g.cast(cos, dtype), sin: g.cast(sin, dtype) };
  });
  return { positions: g.cast(positions, "int64"), tables };
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
 * @param order int32 [positions], the position of each row: 0, 1, 2, … or another run of whole numbers
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
