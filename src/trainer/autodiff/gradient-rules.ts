/** @file One rule an op: the vector-Jacobian product, written in the same vocabulary as the forward pass. */
import type { Dim, GraphBuilder, NodeOf, OpType, Value } from "../graph/index.js";

/** A gradient an input, in input order; undefined where none flows. */
type InputGradients = readonly (Value | undefined)[];

/**
 * `dys` holds a gradient an output, undefined where nothing read that output. `wants(i)` says whether input i leads to
 * something that is differentiated: a rule must not build what nobody asked for.
 */
export type GradientRule<K extends OpType> = (
  g: GraphBuilder,
  node: NodeOf<K>,
  dys: readonly (Value | undefined)[],
  wants: (input: number) => boolean,
) => InputGradients;

/** No gradient flows through this op; the string says why that is right. */
export type NoGradient = { readonly none: string };

type Factors = (g: GraphBuilder, x: Value, y: Value, dy: Value) => Value;

/** Rule of an elementwise function of one input. */
const unary =
  (factor: Factors) =>
  (
    g: GraphBuilder,
    node: { inputs: readonly Value[]; outputs: readonly Value[] },
    dys: readonly (Value | undefined)[],
  ) => [factor(g, input(node, 0), output(node, 0), dys[0] as Value)];

function input(node: { readonly inputs: readonly Value[] }, i: number): Value {
  return node.inputs[i] as Value;
}

function output(node: { readonly outputs: readonly Value[] }, i: number): Value {
  return node.outputs[i] as Value;
}

/** Rule of an elementwise function of two inputs that broadcast. */
const binary =
  (
    dA: (g: GraphBuilder, a: Value, b: Value, dy: Value) => Value,
    dB: (g: GraphBuilder, a: Value, b: Value, dy: Value) => Value,
  ) =>
  (
    g: GraphBuilder,
    node: { inputs: readonly Value[] },
    dys: readonly (Value | undefined)[],
    wants: (i: number) => boolean,
  ): InputGradients => {
    const [a, b] = [input(node, 0), input(node, 1)];
    const dy = dys[0] as Value;
    return [wants(0) ? g.sumTo(dA(g, a, b, dy), a) : undefined, wants(1) ? g.sumTo(dB(g, a, b, dy), b) : undefined];
  };

const isMatrix = (value: Value): boolean => value.shape.length === 2;

/** All but the last dim folded into one: [.., n] -> [rows, n]. */
function flattenRows(g: GraphBuilder, x: Value): Value {
  return isMatrix(x) ? x : g.reshape(x, ["rows", x.shape.at(-1) as number]);
}

/** Y = alpha · op(A) · op(B) over the last two dims. */
function matrixProduct(
  g: GraphBuilder,
  [a, b]: readonly [Value, Value],
  { transA, transB, alpha }: { transA: boolean; transB: boolean; alpha: number },
  dy: Value,
  wants: (i: number) => boolean,
): InputGradients {
  // A shared matrix on the right (a weight): dB sums over all rows of A, which one flat product does.
  const sharedRight = isMatrix(b) && !isMatrix(a) && !transA;
  const dA = () =>
    transA
      ? g.fusedMatMul(b, dy, { transA: transB, transB: true, alpha }) // dA = op(B) dYᵀ
      : g.fusedMatMul(dy, b, { transB: !transB, alpha }); // dA = dY op(B)ᵀ
  const dB = () => {
    const left = sharedRight ? flattenRows(g, a) : a;
    const dy2 = sharedRight ? flattenRows(g, dy) : dy;
    return transB
      ? g.fusedMatMul(dy2, left, { transA: true, transB: transA, alpha }) // dB = dYᵀ op(A)
      : g.fusedMatMul(left, dy2, { transA: !transA, alpha }); // dB = op(A)ᵀ dY
  };
  return [wants(0) ? g.sumTo(dA(), a) : undefined, wants(1) ? g.sumTo(dB(), b) : undefined];
}

const indices = "indices and shapes are not differentiable";
const logical = "the output is boolean";
const sampling = "choosing tokens is not trained through";
const embedding = "embedding models are not trained";
const angles = "rotary angles follow from positions, which are not trained";

/** Table over the closed op list: an op without a rule, or without a reason for having none, does not compile. */
export const gradientRules: { readonly [K in OpType]: GradientRule<K> | NoGradient } = {
  // Y = A + B
  Add: binary(
    (_g, _a, _b, dy) => dy,
    (_g, _a, _b, dy) => dy,
  ),
  // Y = A - B
  Sub: binary(
    (_g, _a, _b, dy) => dy,
    (g, _a, _b, dy) => g.neg(dy),
  ),
  // Y = A * B: dA = dY * B, dB = dY * A
  Mul: binary(
    (g, _a, b, dy) => g.mul(dy, b),
    (g, a, _b, dy) => g.mul(dy, a),
  ),
  // Y = A / B: dA = dY / B, dB = -dY * A / B²
  Div: binary(
    (g, _a, b, dy) => g.div(dy, b),
    (g, a, b, dy) => g.neg(g.div(g.mul(dy, a), g.mul(b, b))),
  ),
  // Y = min(A, B): the gradient goes to the smaller one, to A where they are equal
  Min: binary(
    (g, a, b, dy) => g.where(g.lessOrEqual(a, b), dy, g.scalar(0, dy.dtype)),
    (g, a, b, dy) => g.where(g.lessOrEqual(a, b), g.scalar(0, dy.dtype), dy),
  ),
  Max: { none: sampling },
  Neg: unary((g, _x, _y, dy) => g.neg(dy)),
  Exp: unary((g, _x, y, dy) => g.mul(dy, y)),
  Log: unary((g, x, _y, dy) => g.div(dy, x)),
  // dX = dY / (2Y)
  Sqrt: unary((g, _x, y, dy) => g.div(g.scale(dy, 0.5), y)),
  Cos: { none: angles },
  Sin: { none: angles },
  // dX = dY (1 - Y²)
  Tanh: unary((g, _x, y, dy) => g.mul(dy, g.sub(g.scalar(1, y.dtype), g.mul(y, y)))),
  // dX = dY Y (1 - Y)
  Sigmoid: unary((g, _x, y, dy) => g.mul(dy, g.mul(y, g.sub(g.scalar(1, y.dtype), y)))),
  // d log(1 + e^x) = σ(x)
  Softplus: unary((g, x, _y, dy) => g.mul(dy, g.sigmoid(x))),

  Erf: { none: embedding },

  MatMulNBits: { none: "quantized weights are for sampling; training reads the checkpoint's own" },
  MatMul: (g, node, dys, wants) =>
    matrixProduct(
      g,
      [input(node, 0), input(node, 1)],
      { transA: false, transB: false, alpha: 1 },
      dys[0] as Value,
      wants,
    ),
  FusedMatMul: (g, node, dys, wants) =>
    matrixProduct(g, [input(node, 0), input(node, 1)], node.attributes, dys[0] as Value, wants),

  // dX = Y (dY - Σ dY Y)
  Softmax: (g, node, dys) => {
    const y = output(node, 0);
    const dy = dys[0] as Value;
    const weighted = g.mul(dy, y);
    const sum = g.reduceSum(weighted, [node.attributes.axis], true);
    return [g.sub(weighted, g.mul(y, sum))];
  },

  // Y = X r W with r = 1/rms(X): dX = r (dY W - X r² mean(dY W X)), dW = Σ dY X r; all in float32, as r is
  SimplifiedLayerNormalization: (g, node, dys, wants) => {
    const [x, weight] = [g.wide(input(node, 0)), g.wide(input(node, 1))];
    const r = output(node, 1);
    const dy = g.wide(dys[0] as Value);
    const normalized = g.mul(x, r);
    const gradientX = () => {
      const dn = g.mul(dy, weight);
      const width = x.shape.at(-1) as number;
      const mean = g.scale(g.reduceSum(g.mul(dn, normalized), [-1], true), 1 / width);
      return g.cast(g.mul(r, g.sub(dn, g.mul(normalized, mean))), input(node, 0).dtype);
    };
    return [wants(0) ? gradientX() : undefined, wants(1) ? g.sumTo(g.mul(dy, normalized), weight) : undefined];
  },

  // A rotation is undone by the opposite angle.
  RotaryEmbedding: (g, node, dys) => {
    const [, positions, cos, sin] = node.inputs as readonly [Value, Value, Value, Value];
    return [g.rotary(dys[0] as Value, positions, cos, g.neg(sin)), undefined, undefined, undefined];
  },

  LayerNormalization: { none: embedding },
  ArgMax: { none: sampling },
  TopK: { none: sampling },
  CumSum: { none: sampling },
  ReduceSum: (g, node, dys) => {
    const x = input(node, 0);
    const dy = dys[0] as Value;
    if (node.attributes.keepdims) return [g.expandLike(dy, x)];
    const dropped = new Set(node.attributes.axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)));
    const kept = x.shape.map((dim, i) => (dropped.has(i) ? 1 : dim));
    return [g.expandLike(unsqueezeTo(g, dy, kept, x), x)];
  },
  // Y = log Σ exp X: dX = dY exp(X - Y)
  ReduceLogSumExp: (g, node, dys) => {
    const [x, y] = [input(node, 0), output(node, 0)];
    if (!node.attributes.keepdims) throw new Error(`internal: ${node.name}: the gradient is written for kept dims`);
    return [g.mul(g.exp(g.sub(x, y)), dys[0] as Value)];
  },
  ReduceMax: { none: "used only for the shape of its output" },

  Transpose: (g, node, dys) => {
    const inverse = node.attributes.perm.map((_, i) => node.attributes.perm.indexOf(i));
    return [g.transpose(dys[0] as Value, inverse)];
  },
  Reshape: (g, node, dys) => [g.reshapeLike(dys[0] as Value, input(node, 0)), undefined],
  Expand: (g, node, dys) => [g.sumTo(dys[0] as Value, input(node, 0)), undefined],
  Shape: { none: indices },
  ConstantOfShape: { none: "the output depends on a shape alone" },
  Concat: (g, node, dys) => {
    const { axis } = node.attributes;
    const sizes = node.inputs.map((value) => value.shape.at(axis));
    if (sizes.some((size) => typeof size !== "number")) {
      throw new Error(`internal: ${node.name}: the gradient of Concat needs known sizes on axis ${axis}`);
    }
    return g.split(dys[0] as Value, axis, sizes as number[]);
  },
  Split: (g, node, dys) => {
    const parts = node.outputs.map((part, i) => dys[i] ?? g.zerosLike(part));
    return [g.concat(parts, node.attributes.axis), undefined];
  },
  Slice: { none: "cuts caches and rows that are not trained through; use Split where a gradient must flow" },

  // Rows that were read more than once add up, in float32.
  Gather: (g, node, dys) => {
    const [x, rows] = [input(node, 0), input(node, 1)];
    if (node.attributes.axis !== 0 || x.shape.length !== 2) {
      throw new Error(`internal: ${node.name}: the gradient of Gather is written for rows of a matrix`);
    }
    const dy = flattenRows(g, dys[0] as Value);
    const index = g.expandLike(g.reshape(rows, [dy.shape[0] as Dim, 1]), dy);
    return [g.scatterAdd(g.zerosLike(x, "float32"), index, g.wide(dy), 0), undefined];
  },
  GatherElements: (g, node, dys) => {
    const [x, index] = [input(node, 0), input(node, 1)];
    const dy = g.wide(dys[0] as Value);
    return [g.scatterAdd(g.zerosLike(x, "float32"), index, dy, node.attributes.axis), undefined];
  },
  ScatterElements: { none: "emitted only by the rules of Gather and GatherElements; second derivatives are not taken" },
  Where: (g, node, dys, wants) => {
    const [condition, a, b] = node.inputs as readonly [Value, Value, Value];
    const dy = dys[0] as Value;
    return [
      undefined,
      wants(1) ? g.sumTo(g.where(condition, dy, g.scalar(0, dy.dtype)), a) : undefined,
      wants(2) ? g.sumTo(g.where(condition, g.scalar(0, dy.dtype), dy), b) : undefined,
    ];
  },
  Equal: { none: logical },
  LessOrEqual: { none: logical },
  And: { none: logical },
  Or: { none: logical },
  Not: { none: logical },
  Cast: (g, node, dys) => [g.cast(dys[0] as Value, input(node, 0).dtype)],
  Scan: (_g, node, dys, wants) => {
    const { vjp } = node.attributes;
    if (vjp === undefined) throw new Error(`internal: ${node.name} was emitted without a gradient`);
    const gradients = vjp(dys, (value) => wants(node.inputs.indexOf(value)));
    return node.inputs.map((value) => gradients.get(value));
  },
  Loop: { none: sampling },
  If: { none: sampling },
};

/** Gives `dy` the ones that a reduction dropped. A sum of everything is a scalar, which broadcasts as it is. */
function unsqueezeTo(g: GraphBuilder, dy: Value, kept: Value["shape"], x: Value): Value {
  if (dy.shape.length === 0) return dy;
  const symbols = kept.filter((dim) => typeof dim === "string");
  if (symbols.length <= 1) return g.reshape(dy, kept);
  // Two symbolic dims: take the ones from a reduction of x itself, whose shape is right by construction.
  const axes = kept.flatMap((dim, i) => (dim === 1 && x.shape[i] !== 1 ? [i] : []));
  return g.reshapeLike(dy, g.reduceMax(x, axes, true));
}
