/** @file The closed list of ops that this project emits, each with its attributes and its ONNX domain. */
import type { Graph, Value } from "./graph.js";
import type { DType, Shape } from "./shape.js";

type NoAttributes = Readonly<Record<never, never>>;

/**
 * A vector-Jacobian product given by whoever emitted the node: gradients of the outputs (undefined where nothing read
 * one) to gradients by input. `wants` says whether an input leads to something that is differentiated.
 */
export type Vjp = (dys: readonly (Value | undefined)[], wants: (input: Value) => boolean) => ReadonlyMap<Value, Value>;

/** Attributes by op. Names are ONNX's; `shape` of Reshape and Expand is what the shape input will hold, for inference. */
export interface OpAttributes {
  readonly Add: NoAttributes;
  readonly Sub: NoAttributes;
  readonly Mul: NoAttributes;
  readonly Div: NoAttributes;
  readonly Min: NoAttributes;
  readonly Neg: NoAttributes;
  readonly Exp: NoAttributes;
  readonly Log: NoAttributes;
  readonly Sqrt: NoAttributes;
  readonly Cos: NoAttributes;
  readonly Sin: NoAttributes;
  readonly Tanh: NoAttributes;
  readonly Sigmoid: NoAttributes;
  readonly Softplus: NoAttributes;
  readonly MatMul: NoAttributes;
  readonly FusedMatMul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  readonly Softmax: { readonly axis: number };
  readonly SimplifiedLayerNormalization: { readonly epsilon: number };
  readonly RotaryEmbedding: NoAttributes;
  readonly ReduceSum: { readonly axes: readonly number[]; readonly keepdims: boolean };
  readonly ReduceMax: { readonly axes: readonly number[]; readonly keepdims: boolean };
  readonly ReduceLogSumExp: { readonly axes: readonly number[]; readonly keepdims: boolean };
  readonly Transpose: { readonly perm: readonly number[] };
  readonly Reshape: { readonly shape: Shape };
  readonly Expand: { readonly shape: Shape };
  readonly Shape: NoAttributes;
  readonly ConstantOfShape: { readonly shape: Shape; readonly value: number };
  readonly Concat: { readonly axis: number };
  readonly Split: { readonly axis: number; readonly sizes: readonly number[] };
  readonly Slice: { readonly axis: number; readonly start: number; readonly end: number };
  readonly Gather: { readonly axis: number };
  readonly GatherElements: { readonly axis: number };
  readonly ScatterElements: { readonly axis: number; readonly reduction: "add" };
  readonly Where: NoAttributes;
  readonly Equal: NoAttributes;
  readonly LessOrEqual: NoAttributes;
  readonly And: NoAttributes;
  readonly Or: NoAttributes;
  readonly Cast: { readonly to: DType };
  /**
   * Inputs: `states` that are carried from trip to trip, `scanned` tensors cut along axis 0, then what the body reads
   * from outside. Outputs: the last states, then what each trip gave, stacked along axis 0.
   */
  readonly Scan: { readonly body: Graph; readonly states: number; readonly scanned: number; readonly vjp?: Vjp };
}

export type OpType = keyof OpAttributes;

export type OnnxDomain = "" | "com.microsoft";

/** Domain of each op; "" is ai.onnx. SimplifiedLayerNormalization is ONNX Runtime's own, registered in ai.onnx. */
export const OP_DOMAINS: { readonly [K in OpType]: OnnxDomain } = {
  Add: "",
  Sub: "",
  Mul: "",
  Div: "",
  Min: "",
  Neg: "",
  Exp: "",
  Log: "",
  Sqrt: "",
  Cos: "",
  Sin: "",
  Tanh: "",
  Sigmoid: "",
  Softplus: "",
  MatMul: "",
  FusedMatMul: "com.microsoft",
  Softmax: "",
  SimplifiedLayerNormalization: "",
  RotaryEmbedding: "com.microsoft",
  ReduceSum: "",
  ReduceMax: "",
  ReduceLogSumExp: "",
  Transpose: "",
  Reshape: "",
  Expand: "",
  Shape: "",
  ConstantOfShape: "",
  Concat: "",
  Split: "",
  Slice: "",
  Gather: "",
  GatherElements: "",
  ScatterElements: "",
  Where: "",
  Equal: "",
  LessOrEqual: "",
  And: "",
  Or: "",
  Cast: "",
  Scan: "",
};

export const OP_TYPES = Object.keys(OP_DOMAINS) as readonly OpType[];
