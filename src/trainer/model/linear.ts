/** @file A linear layer as Hugging Face stores it, [out, in], with LoRA where there is one. */
import type { GraphBuilder, Value } from "../graph/index.js";
import type { Parameters, QuantizedLinear } from "./parameters.js";

/** y = x Wᵀ (+ bias) (+ scale · dropout(x) Aᵀ Bᵀ): x [.., in] -> [.., out]. LoRA: Hu et al. 2021, arXiv 2106.09685. */
export function linear(g: GraphBuilder, parameters: Parameters, module: string, x: Value, bias = false): Value {
  const quantized = parameters.quantized(module);
  return g.scope(module.split(".").at(-1) as string, () => {
    const base = quantized === undefined ? product(g, parameters, module, x, bias) : quantizedProduct(g, quantized, x);
    return withLora(g, parameters, module, x, base);
  });
}

/**
 * Layers of one input, e.g. q_proj, k_proj and v_proj of `parent`. Where they are quantized, they are one matrix, named
 * `fused`: one product instead of three.
 */
export function linears(
  g: GraphBuilder,
  parameters: Parameters,
  parent: string,
  { names, fused }: { readonly names: readonly string[]; readonly fused: string },
  x: Value,
  bias = false,
): readonly Value[] {
  const quantized = parameters.quantized(`${parent}.${fused}`);
  if (quantized === undefined) return names.map((name) => linear(g, parameters, `${parent}.${name}`, x, bias));
  return g.scope(fused, () => {
    const sizes = quantized.parts.map(({ rows }) => rows);
    const parts = g.split(quantizedProduct(g, quantized, x), -1, sizes);
    return names.map((name, i) =>
      g.scope(name, () => withLora(g, parameters, `${parent}.${name}`, x, parts[i] as Value)),
    );
  });
}

function product(g: GraphBuilder, parameters: Parameters, module: string, x: Value, bias: boolean): Value {
  const y = g.fusedMatMul(x, parameters.weight(`${module}.weight`), { transB: true });
  return bias ? g.add(y, parameters.weight(`${module}.bias`)) : y;
}

/** Activations become 8-bit integers too, a block at a time: that is what makes it fast, and independent of other rows. */
const ACCURACY_LEVEL = 4;

/** x Wᵀ (+ bias) of a quantized matrix. */
export function quantizedProduct(g: GraphBuilder, quantized: QuantizedLinear, x: Value): Value {
  const { packed, scales, bias, inner, rows, bits, blockSize } = quantized;
  const y = g.matmulNBits(x, packed, scales, { inner, rows, bits, blockSize, accuracyLevel: ACCURACY_LEVEL });
  return bias === undefined ? y : g.add(y, bias);
}

function withLora(g: GraphBuilder, parameters: Parameters, module: string, x: Value, y: Value): Value {
  const lora = parameters.lora(module);
  if (lora === undefined) return y;
  const { a, b, scale, rowByRow, dropout } = lora;
  if (rowByRow) {
    const low = g.fusedMatMul(a, x, { transB: true }); // [batch, r, time]: a product of its own for each row
    return g.add(y, g.fusedMatMul(low, b, { transA: true, transB: true, alpha: scale }));
  }
  const low = g.fusedMatMul(dropout?.apply(x) ?? x, a, { transB: true }); // [.., r]
  return g.add(y, g.fusedMatMul(low, b, { transB: true, alpha: scale * (dropout?.scale ?? 1) }));
}
