/** @file The door of the graph room. */
export { GraphBuilder, type Segment } from "./builder.js";
export type { ConstantData, Graph, Node, NodeOf, Value, ValueSource } from "./graph.js";
export { inferShape, type TensorType } from "./infer-shape.js";
export { DTYPE_BYTES, type GraphMeasure, measureGraph, type Sizes } from "./measure.js";
export { type OnnxDomain, OP_DOMAINS, OP_TYPES, type OpAttributes, type OpType, type Vjp } from "./op-types.js";
export { printGraph } from "./print.js";
export {
  addDims,
  broadcastShapes,
  type Dim,
  type DType,
  elementCount,
  type FloatDType,
  formatShape,
  normalizeAxis,
  oneOr,
  type Shape,
} from "./shape.js";
