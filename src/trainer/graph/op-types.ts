/** @file The closed list of ops that this project emits, each with its attributes and its ONNX domain. */
import type { Graph, Value } from "./graph.js";
import type { Dim, DType, Shape } from "./shape.js";

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
  readonly Max: NoAttributes;
  readonly Neg: NoAttributes;
  readonly Exp: NoAttributes;
  readonly Log: NoAttributes;
  readonly Sqrt: NoAttributes;
  readonly Cos: NoAttributes;
  readonly Sin: NoAttributes;
  readonly Tanh: NoAttributes;
  readonly Sigmoid: NoAttributes;
  readonly Softplus: NoAttributes;
  readonly Erf: NoAttributes;
  readonly MatMul: NoAttributes;
  readonly FusedMatMul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  /** Weights in blocks of `blockSize` along the inner dim, `bits` (4 or 8) each, one float32 scale a block; `rows` of the matrix. */
  readonly MatMulNBits: {
    readonly inner: number;
    readonly rows: number;
    readonly bits: number;
    readonly blockSize: number;
    /** 4: activations become 8-bit integers a block; 1: they stay float32. */
    readonly accuracyLevel: number;
  };
  readonly Softmax: { readonly axis: number };
  /** Mean and variance over the last dim; inputs x, weight, bias. */
  readonly LayerNormalization: { readonly epsilon: number };
  readonly SimplifiedLayerNormalization: { readonly epsilon: number };
  readonly RotaryEmbedding: NoAttributes;
  readonly ReduceSum: { readonly axes: readonly number[]; readonly keepdims: boolean };
  readonly ReduceMax: { readonly axes: readonly number[]; readonly keepdims: boolean };
  readonly ArgMax: { readonly axis: number; readonly keepdims: boolean };
  /** Largest first; `size` is what the input k will hold, for inference. */
  readonly TopK: { readonly axis: number; readonly size: Dim };
  readonly CumSum: { readonly axis: number };
  readonly ReduceLogSumExp: { readonly axes: readonly number[]; readonly keepdims: boolean };
  readonly Transpose: { readonly perm: readonly number[] };
  readonly Reshape: { readonly shape: Shape };
  readonly Expand: { readonly shape: Shape };
  readonly Shape: NoAttributes;
  readonly ConstantOfShape: { readonly shape: Shape; readonly value: number };
  readonly Concat: { readonly axis: number };
  /** `sizes` is what the input of sizes will hold, for inference. */
  readonly Split: { readonly axis: number; readonly sizes: readonly Dim[] };
  readonly Slice: { readonly axis: number; readonly start: number; readonly end: number };
  readonly Gather: { readonly axis: number };
  readonly GatherElements: { readonly axis: number };
  readonly ScatterElements: { readonly axis: number; readonly reduction: "add" | "none" };
  readonly Where: NoAttributes;
  readonly Equal: NoAttributes;
  readonly LessOrEqual: NoAttributes;
  readonly And: NoAttributes;
  readonly Or: NoAttributes;
  readonly Not: NoAttributes;
  readonly Cast: { readonly to: DType };
  /**
   * Inputs: `states` that are carried from trip to trip, `scanned` tensors cut along axis 0, then what the body reads
   * from outside. Outputs: the last states, then what each trip gave, stacked along axis 0.
   */
  readonly Scan: { readonly body: Graph; readonly states: number; readonly scanned: number; readonly vjp?: Vjp };
  /**
   * Inputs: trips, whether to begin (bool), `states`, then what the body reads from outside. The body takes the trip's
   * number, whether it goes on, and the states; it gives whether to go on, the states, and what is stacked. Outputs: the last
   * states, then what the trips gave, stacked along axis 0. No gradient.
   */
  readonly Loop: { readonly body: Graph; readonly states: number };
  /** Inputs: a bool scalar, then what the branches read from outside. Both give the same outputs. No gradient. */
  readonly If: { readonly taken: Graph; readonly otherwise: Graph };
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
  Max: "",
  Neg: "",
  Exp: "",
  Log: "",
  Sqrt: "",
  Cos: "",
  Sin: "",
  Tanh: "",
  Sigmoid: "",
  Softplus: "",
  Erf: "",
  MatMul: "",
  FusedMatMul: "com.microsoft",
  MatMulNBits: "com.microsoft",
  Softmax: "",
  LayerNormalization: "",
  SimplifiedLayerNormalization: "",
  RotaryEmbedding: "com.microsoft",
  ReduceSum: "",
  ReduceMax: "",
  ArgMax: "",
  TopK: "",
  CumSum: "",
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
  Not: "",
  Cast: "",
  Scan: "",
  Loop: "",
  If: "",
};

export const OP_TYPES = Object.keys(OP_DOMAINS) as readonly OpType[];
