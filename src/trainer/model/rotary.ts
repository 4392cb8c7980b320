/** @file Rotary position embedding (Su et al. 2021, arXiv 2104.09864): the tables of angles. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";

export interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}

/** Angle per position of each pair of dims: theta^(-2i/d), stretched by "llama3" scaling where the config asks for it. */
export function inverseFrequencies(config: ModelConfig): Float64Array {
  const half = config.headDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => config.ropeTheta ** ((-2 * i) / config.headDim));
  const scaling = config.ropeScaling;
  if (scaling === undefined) return plain;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: context } = scaling;
  return plain.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < context / highFreqFactor) return frequency;
    if (wavelength > context / lowFreqFactor) return frequency / factor;
    const smooth = (context / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** cos and sin, [maxPositionEmbeddings, headDim / 2] each, as constants. */
export function rotaryTables(g: GraphBuilder, config: ModelConfig): RotaryTables {
  const frequencies = inverseFrequencies(config);
  const shape = [config.maxPositionEmbeddings, frequencies.length] as const;
  const table = (f: (angle: number) => number): Float32Array =>
    // Hugging Face multiplies position and frequency in float32; so do we, for equal logits at large positions.
    Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => {
      const frequency = Math.fround(frequencies[i % shape[1]] as number);
      return f(Math.fround(Math.floor(i / shape[1]) * frequency));
    });
  return { cos: g.floats("rotary/cos", shape, table(Math.cos)), sin: g.floats("rotary/sin", shape, table(Math.sin)) };
}
