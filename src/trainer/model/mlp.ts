/** @file The gated feed-forward layer (SwiGLU, Shazeer 2020, arXiv 2002.05202). */
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import { linear } from "./linear.js";
import type { Parameters } from "./parameters.js";

/** down(silu(gate(x)) · up(x)): x [.., hidden] -> [.., hidden] */
export function mlp(g: GraphBuilder, config: ModelConfig, parameters: Parameters, module: string, x: Value): Value {
  const gate = linear(g, parameters, `${module}.gate_proj`, x, config.mlpBias);
  const up = linear(g, parameters, `${module}.up_proj`, x, config.mlpBias);
  const silu = g.mul(gate, g.sigmoid(gate));
  return linear(g, parameters, `${module}.down_proj`, g.mul(silu, up), config.mlpBias);
}
