/** @file Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467) under the name that the checkpoint has for it. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import type { Parameters } from "./parameters.js";

/** x / rms(x) · (normOffset + weight) over the last dim. */
export function rmsNorm(g: GraphBuilder, config: ModelConfig, parameters: Parameters, module: string, x: Value): Value {
  const stored = parameters.weight(`${module}.weight`);
  const weight = config.normOffset === 0 ? stored : g.add(stored, g.scalar(config.normOffset, stored.dtype)); // folded where frozen
  return g.rmsNorm(x, weight, config.rmsNormEps)[0];
}
