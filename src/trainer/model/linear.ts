/** @file A linear layer as Hugging Face stores it, [out, in], with LoRA where there is one. */
import type { GraphBuilder, Value } from "../graph/index.js";
import type { Parameters } from "./parameters.js";

/** y = x Wᵀ (+ bias) (+ scale · dropout(x) Aᵀ Bᵀ): x [.., in] -> [.., out]. LoRA: Hu et al. 2021, arXiv 2106.09685. */
export function linear(g: GraphBuilder, parameters: Parameters, module: string, x: Value, bias = false): Value {
  return g.scope(module.split(".").at(-1) as string, () => {
    const base = g.fusedMatMul(x, parameters.weight(`${module}.weight`), { transB: true });
    const y = bias ? g.add(base, parameters.weight(`${module}.bias`)) : base;
    const lora = parameters.lora(module);
    if (lora === undefined) return y;
    const { a, b, scale, dropout } = lora;
    const low = g.fusedMatMul(dropout?.apply(x) ?? x, a, { transB: true }); // [.., r]
    return g.add(y, g.fusedMatMul(low, b, { transB: true, alpha: scale * (dropout?.scale ?? 1) }));
  });
}
