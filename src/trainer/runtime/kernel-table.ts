/**
 * @file For which dtypes a device has a kernel of each op, in onnxruntime 1.29.0; measured, not read from documentation.
 * test/fixtures/make/kernels asks the very libraries, and the test holds this table against their answers.
 */
import type { DType, Graph, Node, OpType } from "../graph/index.js";

export interface KernelRow {
  /** Dtypes of the data operand that have a kernel. */
  readonly kernels: readonly DType[];
  /** Of Cast: the dtypes it leads to, where they are not the same. */
  readonly targets?: readonly DType[];
  /** Why the others have none, or what to know of these. */
  readonly note?: string;
}

export type KernelTable = { readonly [K in OpType]: KernelRow };

const FLOATS = ["float32", "float16", "bfloat16"] as const;
const HALF_WITHOUT_BF16 = ["float32", "float16"] as const;
const NUMBERS = [...FLOATS, "int32", "int64"] as const;
const ALL = [...NUMBERS, "bool"] as const;

const NO_BFLOAT16_IN_ONNX = "opset 17 does not allow bfloat16 here: compute in float32";
const NO_BFLOAT16 = "no bfloat16 on CUDA, nor on the CPU: compute in float32";
const CUDNN = "needs cuDNN 9 at run time";

/** CUDA provider for CUDA 13. Every op has a kernel, so nothing falls back to the CPU in float32 or float16. */
export const CUDA_KERNELS: KernelTable = {
  Add: { kernels: NUMBERS },
  Sub: { kernels: NUMBERS },
  Mul: { kernels: NUMBERS },
  Div: { kernels: NUMBERS },
  Min: { kernels: NUMBERS },
  Max: { kernels: NUMBERS },
  Neg: { kernels: NUMBERS },
  Exp: { kernels: FLOATS },
  Log: { kernels: HALF_WITHOUT_BF16, note: NO_BFLOAT16 },
  Sqrt: { kernels: FLOATS },
  Cos: { kernels: HALF_WITHOUT_BF16, note: NO_BFLOAT16_IN_ONNX },
  Sin: { kernels: HALF_WITHOUT_BF16, note: NO_BFLOAT16_IN_ONNX },
  Tanh: { kernels: FLOATS },
  Sigmoid: { kernels: FLOATS },
  Softplus: { kernels: HALF_WITHOUT_BF16, note: NO_BFLOAT16_IN_ONNX },
  Erf: { kernels: FLOATS },
  MatMulNBits: { kernels: FLOATS },
  MatMul: { kernels: FLOATS, note: "float32 runs as TF32 on Ampere and later unless NVIDIA_TF32_OVERRIDE=0" },
  FusedMatMul: { kernels: FLOATS, note: "as MatMul" },
  Softmax: { kernels: FLOATS },
  LayerNormalization: { kernels: FLOATS },
  SimplifiedLayerNormalization: { kernels: FLOATS, note: "the second output is float32" },
  RotaryEmbedding: { kernels: FLOATS },
  ReduceSum: { kernels: NUMBERS, note: `for some axes it ${CUDNN}` },
  ReduceMax: { kernels: [...HALF_WITHOUT_BF16, "int32", "int64"], note: `${NO_BFLOAT16}; ${CUDNN}` },
  ArgMax: { kernels: HALF_WITHOUT_BF16, note: `${NO_BFLOAT16}; integers run on the CPU; ${CUDNN}` },
  TopK: { kernels: [...HALF_WITHOUT_BF16, "int32", "int64"], note: NO_BFLOAT16_IN_ONNX },
  CumSum: { kernels: [...HALF_WITHOUT_BF16, "int32", "int64"], note: NO_BFLOAT16 },
  ReduceLogSumExp: { kernels: HALF_WITHOUT_BF16, note: `${NO_BFLOAT16}; ${CUDNN}` },
  Transpose: { kernels: ALL },
  Reshape: { kernels: ALL },
  Expand: { kernels: ALL },
  Shape: { kernels: ALL },
  ConstantOfShape: { kernels: ALL },
  Concat: { kernels: ALL },
  Split: { kernels: ALL },
  Slice: { kernels: ALL },
  Gather: { kernels: ALL },
  GatherElements: { kernels: NUMBERS },
  ScatterElements: {
    kernels: NUMBERS,
    note: "adds atomically: where indices repeat, the last bits differ from run to run",
  },
  Where: { kernels: NUMBERS, note: "choose among bool with And and Or" },
  Equal: { kernels: [...HALF_WITHOUT_BF16, "int32", "int64", "bool"], note: NO_BFLOAT16 },
  LessOrEqual: { kernels: [...HALF_WITHOUT_BF16, "int32", "int64"], note: NO_BFLOAT16 },
  And: { kernels: ["bool"] },
  Or: { kernels: ["bool"] },
  Not: { kernels: ["bool"] },
  Cast: { kernels: ALL },
  Scan: { kernels: FLOATS, note: "the loop is driven by the host; its body runs on the device" },
  Loop: { kernels: ALL, note: "as Scan" },
  If: { kernels: ALL, note: "as Scan" },
};

const ON_CPU = "runs on the CPU, with copies before and after";
const WEBGPU_FLOATS = { kernels: HALF_WITHOUT_BF16, note: "no bfloat16 on WebGPU" } as const;
const WEBGPU_NUMBERS = { kernels: [...HALF_WITHOUT_BF16, "int32"], note: `no bfloat16; int64 ${ON_CPU}` } as const;
const WEBGPU_MOVES = { kernels: [...HALF_WITHOUT_BF16, "int32"], note: `bool and int64: ${ON_CPU}` } as const;
const WEBGPU_ALL = { kernels: [...HALF_WITHOUT_BF16, "int32", "bool"], note: `int64: ${ON_CPU}` } as const;

/** WebGPU provider, as it is inside onnxruntime-node. */
export const WEBGPU_KERNELS: KernelTable = {
  Add: WEBGPU_NUMBERS,
  Sub: WEBGPU_NUMBERS,
  Mul: WEBGPU_NUMBERS,
  Div: WEBGPU_NUMBERS,
  Min: WEBGPU_NUMBERS,
  Max: WEBGPU_NUMBERS,
  Neg: { ...WEBGPU_FLOATS, note: `integers: ${ON_CPU}` },
  Exp: WEBGPU_FLOATS,
  Log: WEBGPU_FLOATS,
  Sqrt: WEBGPU_FLOATS,
  Cos: WEBGPU_FLOATS,
  Sin: WEBGPU_FLOATS,
  Tanh: WEBGPU_FLOATS,
  Sigmoid: WEBGPU_FLOATS,
  Softplus: WEBGPU_FLOATS,
  Erf: WEBGPU_FLOATS,
  MatMulNBits: WEBGPU_FLOATS,
  MatMul: WEBGPU_FLOATS,
  FusedMatMul: { kernels: [], note: `${ON_CPU}; Transpose and MatMul have kernels` },
  Softmax: WEBGPU_FLOATS,
  LayerNormalization: WEBGPU_FLOATS,
  SimplifiedLayerNormalization: WEBGPU_FLOATS,
  RotaryEmbedding: WEBGPU_FLOATS,
  ReduceSum: WEBGPU_NUMBERS,
  ReduceMax: WEBGPU_NUMBERS,
  ArgMax: WEBGPU_NUMBERS,
  TopK: { ...WEBGPU_FLOATS, note: `no bfloat16; integers: ${ON_CPU}` },
  CumSum: WEBGPU_NUMBERS,
  ReduceLogSumExp: WEBGPU_FLOATS,
  Transpose: WEBGPU_MOVES,
  Reshape: WEBGPU_ALL,
  Expand: WEBGPU_ALL,
  Shape: WEBGPU_MOVES,
  ConstantOfShape: { kernels: [], note: ON_CPU },
  Concat: WEBGPU_MOVES,
  Split: WEBGPU_MOVES,
  Slice: { ...WEBGPU_FLOATS, note: `other dtypes: ${ON_CPU}` },
  Gather: WEBGPU_ALL,
  GatherElements: WEBGPU_FLOATS,
  ScatterElements: WEBGPU_NUMBERS,
  Where: WEBGPU_ALL,
  Equal: WEBGPU_NUMBERS,
  LessOrEqual: WEBGPU_NUMBERS,
  And: { kernels: ["bool"] },
  Or: { kernels: [], note: ON_CPU },
  Not: { kernels: ["bool"] },
  Cast: {
    kernels: [...HALF_WITHOUT_BF16, "int32", "bool"],
    targets: [...HALF_WITHOUT_BF16, "int32", "int64", "bool"],
    note: `no bfloat16; from int64: ${ON_CPU}`,
  },
  Scan: { kernels: [], note: `${ON_CPU}, its whole body too` },
  Loop: { kernels: [], note: `${ON_CPU}, its whole body too` },
  If: { kernels: [...HALF_WITHOUT_BF16, "int32", "int64", "bool"], note: "no bfloat16; as its branches" },
};

/** Dtypes of a node for which `row` has no kernel: of its data operand, and of what a Cast leads to. */
function lacking(node: Node, { kernels, targets = kernels }: KernelRow): readonly DType[] {
  const [first, second] = node.inputs.map(({ dtype }) => dtype);
  const output = node.outputs[0]?.dtype;
  const without = (known: readonly DType[], dtype: DType | undefined): DType[] =>
    dtype === undefined || known.includes(dtype) ? [] : [dtype];
  switch (node.op) {
    case "Cast":
      return [...without(kernels, first), ...without(targets, output)];
    case "Where":
      return without(kernels, second);
    case "ConstantOfShape":
    case "Scan":
    case "Loop":
    case "If":
      return without(kernels, output);
    default:
      return without(kernels, first);
  }
}

export interface KernelGap {
  readonly op: OpType;
  readonly dtype: DType;
  readonly nodes: number;
  readonly reason: string;
}

/** Nodes of a graph, loop bodies included, that the table has no kernel for: by op and dtype, most frequent first. */
export function kernelGaps(graph: Graph, table: KernelTable): readonly KernelGap[] {
  const gaps = new Map<string, KernelGap>();
  const visit = ({ nodes }: Pick<Graph, "nodes">): void => {
    for (const node of nodes) {
      if (node.op === "Scan" || node.op === "Loop") visit(node.attributes.body);
      if (node.op === "If") [node.attributes.taken, node.attributes.otherwise].forEach(visit);
      const row = table[node.op];
      for (const dtype of lacking(node, row)) {
        const key = `${node.op} ${dtype}`;
        gaps.set(key, { op: node.op, dtype, nodes: (gaps.get(key)?.nodes ?? 0) + 1, reason: row.note ?? "no kernel" });
      }
    }
  };
  visit(graph);
  return [...gaps.values()].sort((a, b) => b.nodes - a.nodes);
}
