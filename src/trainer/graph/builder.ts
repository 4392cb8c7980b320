/** @file GraphBuilder: the one vocabulary in which model, loss, gradients and optimizer are written. */
import type { ConstantData, Graph, Node, Value } from "./graph.js";
import { inferShape, type TensorType } from "./infer-shape.js";
import type { OpAttributes, OpType, Vjp } from "./op-types.js";
import { type Dim, type DType, formatShape, normalizeAxis, type Shape } from "./shape.js";

const END = Number.MAX_SAFE_INTEGER;

/**
 * The dims of a Reshape as ONNX takes them: 0 copies the input's dim, -1 is inferred; undefined where more than one would
 * have to be.
 */
function staticDims(from: Shape, to: Shape): readonly number[] | undefined {
  const dims = to.map((dim, i) => (typeof dim === "number" ? dim : from[i] === dim ? 0 : -1));
  return dims.filter((dim) => dim === -1).length > 1 ? undefined : dims;
}

/** Nodes `start` to `end` (not included) of a builder, computed again in backward. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly inputs: readonly Value[];
  readonly output: Value;
}

/** What one trip of {@link GraphBuilder.loop} gives. */
export interface LoopTrip {
  /** bool [] */
  readonly goOn: Value;
  /** The states of the next trip. */
  readonly next: readonly Value[];
  readonly stacked: readonly Value[];
}

/** Emits nodes in topological order. Every method returns the value it made; shapes are checked as it is made. */
export class GraphBuilder {
  private readonly allInputs: Value[] = [];
  private readonly bound = new Map<string, Value>();
  private readonly allNodes: Node[] = [];
  private readonly outputs: { name: string; value: Value }[] = [];
  private readonly names: Map<string, number>;
  private readonly inlineConstants: Map<string, Value>;
  private readonly allSegments: Segment[] = [];
  private readonly views = new Map<Value, Map<string, Value>>();
  private insideSegment = false;
  private path: readonly string[] = [];

  /** `outer` is the builder around the body of a loop: names are unique across both, and constants are shared. */
  constructor(outer?: GraphBuilder) {
    this.names = outer?.names ?? new Map();
    this.inlineConstants = outer?.inlineConstants ?? new Map();
    this.path = outer?.path ?? [];
  }

  // ---- structure

  /** Nodes made inside `body` are named below `name`. */
  scope<T>(name: string, body: () => T): T {
    const outer = this.path;
    this.path = [...outer, name];
    try {
      return body();
    } finally {
      this.path = outer;
    }
  }

  /** All inputs so far, in the order in which they were declared. */
  get inputs(): readonly Value[] {
    return this.allInputs;
  }

  /** All nodes so far, in topological order. */
  get nodes(): readonly Node[] {
    return this.allNodes;
  }

  /**
   * Marks what `body` emits as a segment that backward computes a second time from `inputs`, so that nothing inside it
   * is kept (gradient checkpointing: Chen et al. 2016, arXiv 1604.06174). `body` gives the one value that leaves it. A
   * segment within a segment is part of the outer one.
   */
  segment(inputs: readonly Value[], body: () => Value): Value {
    if (this.insideSegment) return body();
    this.insideSegment = true;
    try {
      const start = this.allNodes.length;
      const output = body();
      this.allSegments.push({ start, end: this.allNodes.length, inputs, output });
      return output;
    } finally {
      this.insideSegment = false;
    }
  }

  get segments(): readonly Segment[] {
    return this.allSegments;
  }

  /** Makes {@link input} of that name give `value`: a program becomes the body of a loop. */
  bind(name: string, value: Value): void {
    this.bound.set(name, value);
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    const bound = this.bound.get(name);
    if (bound !== undefined) return bound;
    if (this.allInputs.some((known) => known.name === name)) throw new Error(`internal: two inputs named ${name}`);
    const value: Value = { name: this.unique(name), dtype, shape, source: { kind: "input" } };
    this.allInputs.push(value);
    return value;
  }

  output(name: string, value: Value): void {
    if (this.outputs.some((known) => known.name === name)) throw new Error(`internal: two outputs named ${name}`);
    this.outputs.push({ name, value });
  }

  constant(name: string, dtype: DType, shape: Shape, data: ConstantData): Value {
    return { name: this.unique(name), dtype, shape, source: { kind: "constant", data } };
  }

  /** A scalar (shape []), made once per number; other dtypes than float32 are a cast of it, folded with the weights'. */
  scalar(value: number, dtype: DType = "float32"): Value {
    return this.cast(this.inline(`scalar/${value}`, "float32", [], new Float32Array([value])), dtype);
  }

  /** An int64 vector, as ONNX wants shapes, axes and split sizes. */
  int64s(values: readonly number[]): Value {
    return this.inline(`int64s/${values.join("_")}`, "int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  int64Scalar(value: number): Value {
    return this.inline(`int64/${value}`, "int64", [], BigInt64Array.of(BigInt(value)));
  }

  int32Scalar(value: number): Value {
    return this.inline(`int32/${value}`, "int32", [], new Int32Array([value]));
  }

  /** A float32 constant held inside the model. */
  floats(name: string, shape: Shape, values: Float32Array): Value {
    return this.constant(name, "float32", shape, {
      kind: "inline",
      bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
  }

  private inline(
    key: string,
    dtype: DType,
    shape: Shape,
    data: Float32Array | Int32Array | BigInt64Array | Uint8Array,
  ): Value {
    const known = this.inlineConstants.get(key);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const value = this.constant(`const/${key}`, dtype, shape, { kind: "inline", bytes });
    this.inlineConstants.set(key, value);
    return value;
  }

  /** One node with all its outputs. `name` overrides the op's name in the node's path. */
  emit<K extends OpType>(
    op: K,
    inputs: readonly Value[],
    attributes: OpAttributes[K],
    name: string = op,
  ): readonly Value[] {
    const path = this.unique([...this.path, name].join("/"));
    let types: readonly TensorType[];
    try {
      types = inferShape[op](inputs, attributes);
    } catch (cause) {
      const given = inputs.map((input) => `${input.name} ${formatShape(input.shape)}`).join(", ");
      throw new Error(`internal: ${path} (${op} of ${given}): ${(cause as Error).message}`, { cause });
    }
    const outputs: Value[] = [];
    const node = { op, name: path, inputs, outputs, attributes } as unknown as Node;
    types.forEach(({ dtype, shape }, output) => {
      outputs.push({
        name: output === 0 ? path : `${path}:${output}`,
        dtype,
        shape,
        source: { kind: "node", node, output },
      });
    });
    this.allNodes.push(node);
    return outputs;
  }

  private one<K extends OpType>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): Value {
    return this.emit(op, inputs, attributes)[0] as Value;
  }

  /** A view of `x` that many ask for is made once. */
  private once(x: Value, view: string, make: () => Value): Value {
    const known = this.views.get(x) ?? new Map<string, Value>();
    this.views.set(x, known);
    const value = known.get(view) ?? make();
    known.set(view, value);
    return value;
  }

  private unique(name: string): string {
    const count = this.names.get(name) ?? 0;
    this.names.set(name, count + 1);
    return count === 0 ? name : this.unique(`${name}_${count}`);
  }

  /** The finished graph: only what the outputs read is kept; inputs stay as declared. */
  build(): Graph {
    const live = new Set<Value>(this.outputs.map((output) => output.value));
    const kept: Node[] = [];
    for (const node of this.allNodes.toReversed()) {
      if (!node.outputs.some((output) => live.has(output))) continue;
      kept.push(node);
      for (const input of node.inputs) live.add(input);
    }
    const constants = [...live].filter((value) => value.source.kind === "constant");
    constants.sort((a, b) => (a.name < b.name ? -1 : 1));
    const inputs = this.allInputs.filter((input) => live.has(input));
    return { inputs, constants, nodes: kept.toReversed(), outputs: [...this.outputs] };
  }

  /**
   * Runs `body` once for each slice of `scanned` along axis 0. What the body reads from outside is captured. Gives the
   * last states, then what the trips gave, stacked along a new axis 0.
   */
  scan(
    { states = [], scanned }: { readonly states?: readonly Value[]; readonly scanned: readonly Value[] },
    body: (g: GraphBuilder, states: readonly Value[], slices: readonly Value[]) => readonly Value[],
    vjp?: Vjp,
  ): readonly Value[] {
    const inner = new GraphBuilder(this);
    inner.path = [...this.path, "body"];
    const carried = states.map(({ dtype, shape }, i) =>
      inner.input(`${inner.path.join("/")}/state_${i}`, dtype, shape),
    );
    const slices = scanned.map(({ dtype, shape }, i) =>
      inner.input(`${inner.path.join("/")}/slice_${i}`, dtype, shape.slice(1)),
    );
    const { graph, captured } = inner.close(body(inner, carried, slices));
    const attributes = { body: graph, states: states.length, scanned: scanned.length };
    return this.emit(
      "Scan",
      [...states, ...scanned, ...captured],
      vjp === undefined ? attributes : { ...attributes, vjp },
    );
  }

  /**
   * Runs `body` until it gives false to go on, `trips` (int64 []) times at most. Gives the last states, then what the trips
   * gave, stacked along a new axis 0. A state may change its shape from trip to trip, where its dims are symbols.
   */
  loop(
    { trips, states }: { readonly trips: Value; readonly states: readonly Value[] },
    body: (g: GraphBuilder, trip: Value, states: readonly Value[]) => LoopTrip,
  ): readonly Value[] {
    const inner = new GraphBuilder(this);
    inner.path = [...this.path, "body"];
    const name = (part: string): string => `${inner.path.join("/")}/${part}`;
    const trip = inner.input(name("trip"), "int64", []);
    inner.input(name("begin"), "bool", []);
    const carried = states.map(({ dtype, shape }, i) => inner.input(name(`state_${i}`), dtype, shape));
    const { goOn, next, stacked } = body(inner, trip, carried);
    const { graph, captured } = inner.close([goOn, ...next, ...stacked]);
    const begin = this.inline("true", "bool", [], Uint8Array.of(1));
    return this.emit("Loop", [trips, begin, ...states, ...captured], { body: graph, states: states.length });
  }

  /** What one branch gives, computed only if it is taken. */
  choose(
    condition: Value,
    taken: (g: GraphBuilder) => readonly Value[],
    otherwise: (g: GraphBuilder) => readonly Value[],
  ): readonly Value[] {
    const branch = (name: string, make: (g: GraphBuilder) => readonly Value[]) => {
      const inner = new GraphBuilder(this);
      inner.path = [...this.path, name];
      return inner.close(make(inner));
    };
    const [a, b] = [branch("then", taken), branch("else", otherwise)];
    const captured = [...new Set([...a.captured, ...b.captured])];
    return this.emit("If", [condition, ...captured], { taken: a.graph, otherwise: b.graph });
  }

  /** This builder as the body of a loop or branch, and what it reads from outside. */
  private close(outputs: readonly Value[]): { readonly graph: Graph; readonly captured: readonly Value[] } {
    outputs.forEach((value, i) => {
      this.output(this.unique(`${this.path.join("/")}/output_${i}`), value);
    });
    const graph = this.build();
    const own = new Set([...this.allInputs, ...graph.nodes.flatMap((node) => node.outputs)]);
    const read = [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map((output) => output.value)];
    const captured = [...new Set(read.filter((value) => !own.has(value)))];
    return { graph: { ...graph, inputs: this.allInputs, constants: [] }, captured };
  }

  // ---- arithmetic

  add = (a: Value, b: Value): Value => this.one("Add", [a, b], {});
  sub = (a: Value, b: Value): Value => this.one("Sub", [a, b], {});
  mul = (a: Value, b: Value): Value => this.one("Mul", [a, b], {});
  div = (a: Value, b: Value): Value => this.one("Div", [a, b], {});
  min = (a: Value, b: Value): Value => this.one("Min", [a, b], {});
  max = (a: Value, b: Value): Value => this.one("Max", [a, b], {});
  neg = (x: Value): Value => this.one("Neg", [x], {});
  exp = (x: Value): Value => this.one("Exp", [x], {});
  log = (x: Value): Value => this.one("Log", [x], {});
  sqrt = (x: Value): Value => this.one("Sqrt", [x], {});
  cos = (x: Value): Value => this.one("Cos", [x], {});
  sin = (x: Value): Value => this.one("Sin", [x], {});
  tanh = (x: Value): Value => this.one("Tanh", [x], {});
  sigmoid = (x: Value): Value => this.one("Sigmoid", [x], {});
  /** log(1 + e^x), stable on both sides. */
  softplus = (x: Value): Value => this.one("Softplus", [x], {});
  erf = (x: Value): Value => this.one("Erf", [x], {});
  scale = (x: Value, factor: number): Value => (factor === 1 ? x : this.mul(x, this.scalar(factor, x.dtype)));
  softmax = (x: Value): Value => this.one("Softmax", [x], { axis: -1 });

  matmul = (a: Value, b: Value): Value => this.one("MatMul", [a, b], {});
  /** alpha · op(a) · op(b), over the last two dims. */
  fusedMatMul(a: Value, b: Value, options: { transA?: boolean; transB?: boolean; alpha?: number } = {}): Value {
    return this.one("FusedMatMul", [a, b], { transA: false, transB: false, alpha: 1, ...options });
  }

  /** x Wᵀ with quantized W, see OpAttributes; `packed` uint8 [rows, blocks, bytes], `scales` float [rows · blocks]. */
  matmulNBits = (x: Value, packed: Value, scales: Value, attributes: OpAttributes["MatMulNBits"]): Value =>
    this.one("MatMulNBits", [x, packed, scales], attributes);

  /** (x - mean) / √(variance + ε) · weight + bias over the last dim. */
  layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
    this.one("LayerNormalization", [x, weight, bias], { epsilon });

  /** x / rms(x) · weight over the last dim; also 1 / rms. */
  rmsNorm(x: Value, weight: Value, epsilon: number): readonly [Value, Value] {
    return this.emit("SimplifiedLayerNormalization", [x, weight], { epsilon }) as readonly [Value, Value];
  }

  /** Rotates the halves of each head; x [batch, heads, time, head dim], positions int64 [batch, time], tables [positions, head dim / 2]. */
  rotary = (x: Value, positions: Value, cos: Value, sin: Value): Value =>
    this.one("RotaryEmbedding", [x, positions, cos, sin], {});

  reduceSum = (x: Value, axes: readonly number[], keepdims = false): Value =>
    this.one("ReduceSum", [x], { axes, keepdims });
  reduceMax = (x: Value, axes: readonly number[], keepdims = false): Value =>
    this.one("ReduceMax", [x], { axes, keepdims });
  /** int64; the first of equals. */
  argMax = (x: Value, axis: number, keepdims = false): Value => this.one("ArgMax", [x], { axis, keepdims });
  /** The `k` (int64 [1]) largest on the last axis, largest first, and their indices (int64); `size` names that dim. */
  topK = (x: Value, k: Value, size: Dim): readonly [Value, Value] =>
    this.emit("TopK", [x, k], { axis: -1, size }) as readonly [Value, Value];
  /** Running sum over one axis. */
  cumSum = (x: Value, axis: number): Value =>
    this.one("CumSum", [x, this.int64Scalar(normalizeAxis(axis, x.shape.length))], { axis });
  /** log Σ exp, shifted by the maximum inside, so that nothing overflows. */
  reduceLogSumExp = (x: Value, axes: readonly number[], keepdims = false): Value =>
    this.one("ReduceLogSumExp", [x], { axes, keepdims });
  /** Sum of all elements, shape []. */
  sumAll = (x: Value): Value =>
    this.reduceSum(
      x,
      x.shape.map((_, i) => i),
    );

  // ---- moving data

  transpose = (x: Value, perm: readonly number[]): Value => this.one("Transpose", [x], { perm });
  shapeOf = (x: Value): Value => this.once(x, "shape", () => this.one("Shape", [x], {}));

  /**
   * Reshape to `shape`. A symbolic dim is copied where the input has it at the same index; at most one other may be
   * symbolic, and is inferred at run time. Use {@link reshapeLike} where that is not enough.
   */
  reshape(x: Value, shape: Shape): Value {
    const dims = staticDims(x.shape, shape);
    if (dims === undefined)
      throw new Error(
        `internal: cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)} without a runtime shape`,
      );
    return this.once(x, `reshape ${shape}`, () => this.one("Reshape", [x, this.int64s(dims)], { shape }));
  }

  /** Reshape to the shape that `like` has at run time. */
  reshapeLike(x: Value, like: Value): Value {
    if (staticDims(x.shape, like.shape) !== undefined) return this.reshape(x, like.shape);
    return this.one("Reshape", [x, this.shapeOf(like)], { shape: like.shape });
  }

  /** `x` as it is, once `other` is there: its shape is put together from that of `other`, whose symbolic dims it shares. */
  reshapeAfter(x: Value, other: Value): Value {
    const shape = this.shapeOf(other);
    const unknown = x.shape.filter((dim) => typeof dim === "string" && !other.shape.includes(dim));
    if (unknown.length > 1)
      throw new Error(
        `internal: ${formatShape(x.shape)} shares too few dims with ${formatShape(other.shape)} to wait for it`,
      );
    const dims = x.shape.map((dim) => {
      if (typeof dim === "number") return this.int64s([dim]);
      const index = other.shape.indexOf(dim);
      return index < 0 ? this.int64s([-1]) : this.gather(shape, this.int64s([index]));
    });
    return this.one("Reshape", [x, this.concat(dims, 0)], { shape: x.shape });
  }
  /** Broadcast to the shape that `like` has at run time. */
  expandLike = (x: Value, like: Value): Value => this.one("Expand", [x, this.shapeOf(like)], { shape: like.shape });
  zerosLike = (like: Value, dtype: DType = like.dtype): Value =>
    this.cast(this.one("ConstantOfShape", [this.shapeOf(like)], { shape: like.shape, value: 0 }), dtype);
  /** A vector of one number; its length is known. */
  filled = (length: number, value: number): Value =>
    this.one("ConstantOfShape", [this.int64s([length])], { shape: [length], value });

  concat(values: readonly Value[], axis: number): Value {
    const [only] = values;
    return values.length === 1 && only !== undefined ? only : this.one("Concat", values, { axis });
  }

  split = (x: Value, axis: number, sizes: readonly number[]): readonly Value[] =>
    this.emit("Split", [x, this.int64s(sizes)], { axis, sizes });

  /** Two parts of the sizes that `lengths` (int64 [2]) holds at run time; `sizes` are their dims. */
  splitAt(x: Value, axis: number, lengths: Value, sizes: readonly [Dim, Dim]): readonly [Value, Value] {
    return this.emit("Split", [x, lengths], { axis, sizes }) as readonly [Value, Value];
  }

  /** x[start:end] on one axis; negative indices count from the end, `end` left out means to the end. */
  slice(x: Value, axis: number, start: number, end = END): Value {
    const index = normalizeAxis(axis, x.shape.length);
    const dim = x.shape[index] as Dim;
    if (typeof dim === "number" && end === END) end = dim;
    const bounds = [start, end, index].map((bound) => this.int64s([bound]));
    return this.one("Slice", [x, ...bounds], { axis: index, start, end });
  }

  /** Rows of `x` along `axis`; indices int32 or int64. */
  gather = (x: Value, indices: Value, axis = 0): Value => this.one("Gather", [x, indices], { axis });
  gatherElements = (x: Value, indices: Value, axis: number): Value =>
    this.one("GatherElements", [x, indices], { axis });
  /** x with updates added at indices along `axis`; same shapes for indices and updates. */
  scatterAdd = (x: Value, indices: Value, updates: Value, axis: number): Value =>
    this.one("ScatterElements", [x, indices, updates], { axis, reduction: "add" });

  /** x with `updates` in place of what is at `indices` along `axis`. */
  scatter = (x: Value, indices: Value, updates: Value, axis: number): Value =>
    this.one("ScatterElements", [x, indices, updates], { axis, reduction: "none" });

  where = (condition: Value, a: Value, b: Value): Value => this.one("Where", [condition, a, b], {});
  equal = (a: Value, b: Value): Value => this.one("Equal", [a, b], {});
  lessOrEqual = (a: Value, b: Value): Value => this.one("LessOrEqual", [a, b], {});
  and = (a: Value, b: Value): Value => this.one("And", [a, b], {});
  or = (a: Value, b: Value): Value => this.one("Or", [a, b], {});
  not = (x: Value): Value => this.one("Not", [x], {});
  cast = (x: Value, to: DType): Value => (x.dtype === to ? x : this.one("Cast", [x], { to }));
  /** In float32: where 16 bits would overflow, or lose what is being summed. */
  wide = (x: Value): Value => this.cast(x, "float32");

  /** Sums `x` over the axes on which `like` was broadcast to it, and gives it the shape of `like`; a sum is float32. */
  sumTo(x: Value, like: Value): Value {
    const offset = x.shape.length - like.shape.length;
    const axes = x.shape.flatMap((dim, i) => (i < offset || (like.shape[i - offset] === 1 && dim !== 1) ? [i] : []));
    if (axes.length === 0) return x;
    const kept = this.reduceSum(this.wide(x), axes, true);
    return offset === 0
      ? kept
      : this.reduceSum(
          kept,
          Array.from({ length: offset }, (_, i) => i),
        );
  }
}
