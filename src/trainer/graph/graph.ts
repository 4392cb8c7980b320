/** @file The graph as data: values, nodes and where constants come from. It knows nothing about ONNX's wire format. */
import type { OpAttributes, OpType } from "./op-types.js";
import type { DType, Shape } from "./shape.js";

/** A tensor that flows through the graph. Its identity is the object; `name` is unique within a graph. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly source: ValueSource;
}

export type ValueSource =
  | { readonly kind: "input" }
  | { readonly kind: "constant"; readonly data: ConstantData }
  | { readonly kind: "node"; readonly node: Node; readonly output: number };

/** Bytes inside the model, or a stretch of a file beside it (a tensor of a .safetensors file). */
export type ConstantData =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly file: string; readonly offset: number; readonly byteLength: number };

export interface NodeOf<K extends OpType> {
  readonly op: K;
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: OpAttributes[K];
}

export type Node = { readonly [K in OpType]: NodeOf<K> }[OpType];

/** What a run takes and gives. Nodes are in topological order and hold only what the outputs read. */
export interface Graph {
  readonly inputs: readonly Value[];
  readonly constants: readonly Value[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
}
