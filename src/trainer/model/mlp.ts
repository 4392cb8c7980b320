/** @file The gated feed-forward layer (SwiGLU and GEGLU, Shazeer 2020, arXiv 2002.05202). */
import type { Activation, ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import { linear, linears } from "./linear.js";
import type { Parameters } from "./parameters.js";

const ACTIVATIONS: { readonly [K in Activation]: (g: GraphBuilder, x: Value) => Value } = {
  silu: (g, x) => g.mul(x, g.sigmoid(x)),
  // x/2 · (1 + tanh z) = x · σ(2z) with z = √(2/π) (x + 0.044715 x³); in float32, as float16 has no x² beyond |x| = 255
  gelu_pytorch_tanh: (g, gate) => {
    const x = g.wide(gate);
    const factor = 2 * Math.sqrt(2 / Math.PI);
    const inner = g.add(g.scale(g.mul(x, x), 0.044715 * factor), g.scalar(factor));
    return g.cast(g.mul(x, g.sigmoid(g.mul(x, inner))), gate.dtype);
  },
};

const GATE_UP = { names: ["gate_proj", "up_proj"], fused: "gate_up_proj" };

/** down(act(gate(x)) · up(x)): x [.., hidden] -> [.., hidden] */
export function mlp(g: GraphBuilder, config: ModelConfig, parameters: Parameters, module: string, x: Value): Value {
  const [gate, up] = linears(g, parameters, module, GATE_UP, x, config.mlpBias) as readonly [Value, Value];
  // Of all that lies between gate and down, a step keeps nothing: it is elementwise, and as wide as the layer.
  return g.segment([gate], () => {
    const activated = ACTIVATIONS[config.hiddenAct](g, gate);
    return linear(g, parameters, `${module}.down_proj`, g.mul(activated, up), config.mlpBias);
  });
}
