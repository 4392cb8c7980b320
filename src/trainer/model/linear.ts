/** @file A linear layer as Hugging Face stores it, [out, in], with LoRA where there is one. */
import type { GraphBuilder, Value } from "../graph/index.js";
import type { LoraMatrices, Parameters, QuantizedLinear, StackedPart } from "./parameters.js";

/** y = x Wᵀ (+ bias) (+ scale · dropout(x) Aᵀ Bᵀ): x [.., in] -> [.., out]. LoRA: Hu et al. 2021, arXiv 2106.09685. */
export function linear(g: GraphBuilder, parameters: Parameters, module: string, x: Value, bias = false): Value {
  const quantized = parameters.quantized(module);
  return g.scope(nameOf(module), () => {
    const base = quantized === undefined ? product(g, parameters, module, x, bias) : quantizedProduct(g, quantized, x);
    return withLora(g, parameters.lora(module), x, base);
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
  const modules = names.map((name) => `${parent}.${name}`);
  const quantized = parameters.quantized(`${parent}.${fused}`);
  if (quantized !== undefined) {
    const { parts } = quantized;
    return g.scope(fused, () => {
      const stacked = withLora(g, parameters.stackedLora(parts), x, quantizedProduct(g, quantized, x));
      return g.split(stacked, -1, rowsOf(parts));
    });
  }
  if (!parameters.rowByRow) return modules.map((module) => linear(g, parameters, module, x, bias));
  const parts = modules.map((module) => ({ module, rows: parameters.weight(`${module}.weight`).shape[0] as number }));
  const ys = modules.map((module) => g.scope(nameOf(module), () => product(g, parameters, module, x, bias)));
  const lora = parameters.stackedLora(parts);
  if (lora === undefined) return ys;
  return g.scope(fused, () => {
    const changes = g.split(loraProduct(g, lora, x), -1, rowsOf(parts));
    return ys.map((y, i) => g.add(y, changes[i] as Value));
  });
}

const nameOf = (module: string): string => module.split(".").at(-1) as string;
const rowsOf = (parts: readonly StackedPart[]): number[] => parts.map(({ rows }) => rows);

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

function withLora(g: GraphBuilder, lora: LoraMatrices | undefined, x: Value, y: Value): Value {
  return lora === undefined ? y : g.add(y, loraProduct(g, lora, x));
}

function loraProduct(g: GraphBuilder, { a, b, scale, rowByRow, dropout }: LoraMatrices, x: Value): Value {
  if (rowByRow) {
    // Matrices on the left, tokens as columns: a product of its own for each row, and a single column has a fast kernel.
    const low = g.matmul(a, g.transpose(x, [0, 2, 1])); // [batch, r, time]
    return g.transpose(g.matmul(b, low), [0, 2, 1]);
  }
  const low = g.fusedMatMul(dropout?.apply(x) ?? x, a, { transB: true }); // [.., r]
  return g.fusedMatMul(low, b, { transB: true, alpha: scale * (dropout?.scale ?? 1) });
}
