/** @file One rule an op: shape and dtype of its outputs, from its inputs and attributes. */
import type { OpAttributes, OpType } from "./op-types.js";
import { addDims, broadcastShapes, type Dim, type DType, formatShape, normalizeAxis, type Shape } from "./shape.js";

/** What inference sees of a value. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

type Inputs = readonly TensorType[];
type Rule<K extends OpType> = (inputs: Inputs, attributes: OpAttributes[K]) => readonly TensorType[];

/** Input `i` of a rule; its absence is a fault of the caller, not of the user. */
function at(inputs: Inputs, i: number): TensorType {
  const input = inputs[i];
  if (input === undefined) throw new Error(`internal: input ${i} is missing (${inputs.length} given)`);
  return input;
}

function sameDtype(inputs: Inputs, from = 0): DType {
  const { dtype } = at(inputs, from);
  const other = inputs.slice(from).find((input) => input.dtype !== dtype);
  if (other !== undefined) throw new Error(`dtypes differ: ${dtype} and ${other.dtype}`);
  return dtype;
}

const unary = (inputs: Inputs): readonly TensorType[] => [at(inputs, 0)];

const binary = (inputs: Inputs): readonly TensorType[] => [
  { dtype: sameDtype(inputs), shape: broadcastShapes(at(inputs, 0).shape, at(inputs, 1).shape) },
];

const compare = (inputs: Inputs): readonly TensorType[] => {
  sameDtype(inputs);
  return [{ dtype: "bool", shape: broadcastShapes(at(inputs, 0).shape, at(inputs, 1).shape) }];
};

/** The last two dims of a matrix operand, turned round where the op does so. */
function matrixDims(shape: Shape, transposed: boolean): readonly [Dim, Dim] {
  const rows = shape.at(-2);
  const columns = shape.at(-1);
  if (rows === undefined || columns === undefined) {
    throw new Error(`a matrix product needs rank 2 or more, found ${formatShape(shape)}`);
  }
  return transposed ? [columns, rows] : [rows, columns];
}

function matrixProduct(inputs: Inputs, transA: boolean, transB: boolean): readonly TensorType[] {
  const a = at(inputs, 0).shape;
  const b = at(inputs, 1).shape;
  const [m, k] = matrixDims(a, transA);
  const [k2, n] = matrixDims(b, transB);
  if (k !== k2) throw new Error(`inner dims differ: ${formatShape(a)} and ${formatShape(b)} (${k} and ${k2})`);
  return [{ dtype: sameDtype(inputs), shape: [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), m, n] }];
}

function reduce(input: TensorType, axes: readonly number[], keepdims: boolean): TensorType {
  const dropped = new Set(axes.map((axis) => normalizeAxis(axis, input.shape.length)));
  const shape = keepdims
    ? input.shape.map((dim, i) => (dropped.has(i) ? 1 : dim))
    : input.shape.filter((_, i) => !dropped.has(i));
  return { dtype: input.dtype, shape };
}

function replaceAxis(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((old, i) => (i === axis ? dim : old));
}

/** Table over the closed op list: a forgotten op does not compile. */
export const inferShape: { readonly [K in OpType]: Rule<K> } = {
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Min: binary,
  Max: binary,
  Neg: unary,
  Exp: unary,
  Log: unary,
  Sqrt: unary,
  Cos: unary,
  Sin: unary,
  Tanh: unary,
  Sigmoid: unary,
  Softplus: unary,
  Erf: unary,
  MatMul: (inputs) => matrixProduct(inputs, false, false),
  FusedMatMul: (inputs, { transA, transB }) => matrixProduct(inputs, transA, transB),
  MatMulNBits: (inputs, { inner, rows }) => {
    const { dtype, shape } = at(inputs, 0);
    if (shape.at(-1) !== inner) throw new Error(`expected rows of ${inner} numbers, found ${formatShape(shape)}`);
    return [{ dtype, shape: [...shape.slice(0, -1), rows] }];
  },
  Softmax: (inputs) => [at(inputs, 0)],
  LayerNormalization: (inputs) => [at(inputs, 0)],
  // Second output: 1 / rms of each row, which backward needs.
  SimplifiedLayerNormalization: (inputs) => {
    const x = at(inputs, 0);
    return [x, { dtype: "float32", shape: replaceAxis(x.shape, x.shape.length - 1, 1) }];
  },
  RotaryEmbedding: (inputs) => [at(inputs, 0)],
  ReduceSum: (inputs, { axes, keepdims }) => [reduce(at(inputs, 0), axes, keepdims)],
  ReduceMax: (inputs, { axes, keepdims }) => [reduce(at(inputs, 0), axes, keepdims)],
  ArgMax: (inputs, { axis, keepdims }) => [{ ...reduce(at(inputs, 0), [axis], keepdims), dtype: "int64" }],
  TopK: (inputs, attributes) => {
    const { dtype, shape } = at(inputs, 0);
    const top = replaceAxis(shape, normalizeAxis(attributes.axis, shape.length), attributes.size);
    return [
      { dtype, shape: top },
      { dtype: "int64", shape: top },
    ];
  },
  CumSum: (inputs) => [at(inputs, 0)],
  ReduceLogSumExp: (inputs, { axes, keepdims }) => [reduce(at(inputs, 0), axes, keepdims)],
  Transpose: (inputs, { perm }) => {
    const { dtype, shape } = at(inputs, 0);
    if (perm.length !== shape.length) throw new Error(`perm [${perm}] does not fit ${formatShape(shape)}`);
    return [{ dtype, shape: perm.map((axis) => shape[normalizeAxis(axis, shape.length)] as Dim) }];
  },
  Reshape: (inputs, { shape }) => [{ dtype: at(inputs, 0).dtype, shape }],
  Expand: (inputs, { shape }) => [{ dtype: at(inputs, 0).dtype, shape: broadcastShapes(at(inputs, 0).shape, shape) }],
  Shape: (inputs) => [{ dtype: "int64", shape: [at(inputs, 0).shape.length] }],
  ConstantOfShape: (_, { shape }) => [{ dtype: "float32", shape }],
  Concat: (inputs, attributes) => {
    const first = at(inputs, 0);
    const axis = normalizeAxis(attributes.axis, first.shape.length);
    const dim = inputs.map((input) => input.shape[axis] as Dim).reduce(addDims);
    for (const input of inputs) {
      const fits =
        input.shape.length === first.shape.length && input.shape.every((d, i) => i === axis || d === first.shape[i]);
      if (!fits)
        throw new Error(`cannot join ${formatShape(first.shape)} and ${formatShape(input.shape)} on axis ${axis}`);
    }
    return [{ dtype: sameDtype(inputs), shape: replaceAxis(first.shape, axis, dim) }];
  },
  Split: (inputs, attributes) => {
    const { dtype, shape } = at(inputs, 0);
    const axis = normalizeAxis(attributes.axis, shape.length);
    const sum = attributes.sizes.reduce(addDims, 0);
    if (shape[axis] !== sum)
      throw new Error(`split sizes add up to ${sum}, axis ${axis} of ${formatShape(shape)} does not`);
    return attributes.sizes.map((size) => ({ dtype, shape: replaceAxis(shape, axis, size) }));
  },
  Slice: (inputs, attributes) => {
    const { dtype, shape } = at(inputs, 0);
    const axis = normalizeAxis(attributes.axis, shape.length);
    const dim = shape[axis] as Dim;
    const { start, end } = attributes;
    // Counted from the same side, a slice has a known size even on a symbolic axis.
    const known = start < 0 === end < 0 || (start < 0 && end === Number.MAX_SAFE_INTEGER);
    const size = known ? (end === Number.MAX_SAFE_INTEGER ? -start : end - start) : `${dim}[${start}:${end}]`;
    return [{ dtype, shape: replaceAxis(shape, axis, size) }];
  },
  Gather: (inputs, attributes) => {
    const { dtype, shape } = at(inputs, 0);
    const axis = normalizeAxis(attributes.axis, shape.length);
    return [{ dtype, shape: [...shape.slice(0, axis), ...at(inputs, 1).shape, ...shape.slice(axis + 1)] }];
  },
  GatherElements: (inputs) => [{ dtype: at(inputs, 0).dtype, shape: at(inputs, 1).shape }],
  ScatterElements: (inputs) => [at(inputs, 0)],
  Where: (inputs) => {
    const branches = broadcastShapes(at(inputs, 1).shape, at(inputs, 2).shape);
    return [{ dtype: sameDtype(inputs, 1), shape: broadcastShapes(at(inputs, 0).shape, branches) }];
  },
  Equal: compare,
  LessOrEqual: compare,
  And: compare,
  Or: compare,
  Not: unary,
  Cast: (inputs, { to }) => [{ dtype: to, shape: at(inputs, 0).shape }],
  Scan: (inputs, { body, states }) => {
    const trips = at(inputs, states).shape[0] as Dim;
    return body.outputs.map(({ value: { dtype, shape } }, i) =>
      i < states ? { dtype, shape } : { dtype, shape: [trips, ...shape] },
    );
  },
  Loop: (_, { body, states }) =>
    body.outputs
      .slice(1)
      .map(({ value: { dtype, shape } }, i) => (i < states ? { dtype, shape } : { dtype, shape: ["trips", ...shape] })),
  If: (_, { taken, otherwise }) => {
    const types = (graph: typeof taken) => graph.outputs.map(({ value: { dtype, shape } }) => ({ dtype, shape }));
    const [a, b] = [types(taken), types(otherwise)];
    if (JSON.stringify(a) !== JSON.stringify(b)) {
      throw new Error(`the branches differ: ${JSON.stringify(a)} and ${JSON.stringify(b)}`);
    }
    return a;
  },
};
