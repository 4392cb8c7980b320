/** @file The closed list of ops that this project emits, each with its attributes and its ONNX domain. */
import type { DType, Shape } from "./shape.js";

type NoAttributes = Readonly<Record<never, never>>;

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
};

export const OP_TYPES = Object.keys(OP_DOMAINS) as readonly OpType[];
