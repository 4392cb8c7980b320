/** @file What a graph costs at given sizes: the shape of every value, multiplications, and the bytes alive at once. */
import { executionOrder } from "./execution-order.js";
import type { Graph, Node, Value } from "./graph.js";
import { inferShape, type TensorType } from "./infer-shape.js";
import { LiveBuffers } from "./live-buffers.js";
import { broadcastShapes, type Dim, type DType, formatShape } from "./shape.js";

export type Sizes = readonly number[];

export interface GraphMeasure {
  /** Shape of every value that the graph reads or makes, bodies of loops included. */
  readonly shapes: ReadonlyMap<Value, Sizes>;
  /** Two for each multiply-add of a MatMul-like node, times the trips of the loop around it. */
  readonly matmulFlops: number;
  /**
   * Most bytes that nodes hold at once, outputs of the graph included; its inputs and constants are not. A buffer goes
   * after its last reader. Views and in-place results take none of their own, as in ONNX Runtime.
   */
  readonly peakBytes: number;
  /** The node at which that is reached. */
  readonly peakNode: string;
  /** What is computed from constants alone: made once, when the session is, and part of no figure above. */
  readonly folded: ReadonlySet<Value>;
}

export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  bool: 1,
};

/** @param sizes value of every symbol in the shapes of the inputs ("batch", "time", …). */
export function measureGraph(graph: Graph, sizes: Readonly<Record<string, number>>): GraphMeasure {
  const run = new Measurement();
  for (const input of graph.inputs) run.shapes.set(input, concrete(input, sizes));
  const { flops, peak, node } = run.graph(graph);
  return { shapes: run.shapes, matmulFlops: flops, peakBytes: peak, peakNode: node, folded: run.folded };
}

/** "past+time" is a sum of symbols, as `addDims` writes it. */
function concrete({ name, shape }: Value, sizes: Readonly<Record<string, number>>): Sizes {
  const sizeOf = (symbol: string): number => {
    const size = /^\d+$/.test(symbol) ? Number(symbol) : sizes[symbol];
    if (size === undefined) throw new Error(`no size was given for "${symbol}" of ${name} ${formatShape(shape)}`);
    return size;
  };
  return shape.map((dim) =>
    typeof dim === "number" ? dim : dim.split("+").reduce((sum, symbol) => sum + sizeOf(symbol), 0),
  );
}

const product = (sizes: Sizes): number => sizes.reduce((a, b) => a * b, 1);

interface Cost {
  readonly flops: number;
  readonly peak: number;
  readonly node: string;
}

class Measurement {
  readonly shapes = new Map<Value, Sizes>();
  /** Contents of the small integer vectors that shapes are read from. */
  private readonly contents = new Map<Value, Sizes>();
  readonly folded = new Set<Value>();

  graph(graph: Graph, isBody = false): Cost {
    const emitted = graph.nodes.filter((node) => !this.foldsAway(node, graph));
    // The encoder lists a model's nodes last first, those of a body as they are.
    const nodes = executionOrder(isBody ? emitted : emitted.toReversed());
    const buffers = new LiveBuffers({ ...graph, nodes }, (value) => this.bytes(value));
    let flops = 0;
    let peak = 0;
    let node = "";
    nodes.forEach((each, at) => {
      if (each.op === "Loop" || each.op === "If")
        throw new Error(`internal: ${each.name}: a ${each.op} is not measured`);
      this.infer(each);
      const inside = each.op === "Scan" ? this.loop(each) : { flops: this.matmulFlops(each), peak: 0 };
      flops += inside.flops;
      const bytes = buffers.run(each, at) + inside.peak;
      if (bytes > peak) [peak, node] = [bytes, each.name];
      buffers.release(at);
    });
    return { flops, peak, node };
  }

  /** Whether a node reads constants only, so that the runtime computes it while it opens the session. */
  private foldsAway(node: Node, { outputs }: Graph): boolean {
    const fixed = (value: Value): boolean => value.source.kind === "constant" || this.folded.has(value);
    if (node.op === "Scan" || !node.inputs.every(fixed)) return false;
    if (outputs.some(({ value }) => node.outputs.includes(value))) return false;
    this.infer(node);
    for (const output of node.outputs) this.folded.add(output);
    return true;
  }

  private loop(node: Extract<Node, { op: "Scan" }>): { readonly flops: number; readonly peak: number } {
    const { body, states, scanned } = node.attributes;
    body.inputs.forEach((input, i) => {
      const outer = this.shape(node.inputs[i] as Value);
      this.shapes.set(input, i < states ? outer : outer.slice(1));
    });
    const trips = scanned === 0 ? 0 : (this.shape(node.inputs[states] as Value)[0] as number);
    const { flops, peak } = this.graph(body, true);
    node.outputs.forEach((output, i) => {
      const inner = this.shape(body.outputs[i]?.value as Value);
      this.shapes.set(output, i < states ? inner : [trips, ...inner]);
    });
    return { flops: flops * trips, peak };
  }

  private shape(value: Value): Sizes {
    const known = this.shapes.get(value);
    if (known !== undefined) return known;
    if (value.source.kind !== "constant") throw new Error(`internal: ${value.name} is read before it is made`);
    const sizes = concrete(value, {});
    this.shapes.set(value, sizes);
    return sizes;
  }

  private bytes(value: Value): number {
    return product(this.shape(value)) * DTYPE_BYTES[value.dtype];
  }

  private infer(node: Node): void {
    if (node.op === "Scan") return; // the walk through its body tells
    const outputs = this.outputShapes(node);
    node.outputs.forEach((output, i) => {
      const shape = outputs[i]?.map((dim: Dim) => {
        if (typeof dim === "string") throw new Error(`internal: ${node.name} has no size for ${dim}`);
        return dim;
      });
      this.shapes.set(output, shape as Sizes);
    });
    const numbers = this.shapeNumbers(node);
    if (numbers !== undefined) this.contents.set(node.outputs[0] as Value, numbers);
  }

  /** What a node gives that reads shapes and puts them together; undefined for any other. */
  private shapeNumbers(node: Node): Sizes | undefined {
    const [first, second] = node.inputs as readonly [Value, Value?];
    if (node.op === "Shape") return this.shape(first);
    if (node.outputs[0]?.dtype !== "int64") return undefined;
    if (node.op === "Concat") return node.inputs.flatMap((input) => this.integers(input));
    const known = this.contents.get(first);
    if (node.op === "Gather" && known !== undefined && second !== undefined) {
      return this.integers(second).map((index) => known.at(index) as number);
    }
    return undefined;
  }

  /** The shared rules on numbers, but for the ops whose rule repeats what the builder was told. */
  private outputShapes(node: Node): readonly (readonly Dim[])[] {
    const inputs = node.inputs.map((input): TensorType => ({ dtype: input.dtype, shape: this.shape(input) }));
    const first = this.shapes.get(node.inputs[0] as Value) ?? [];
    switch (node.op) {
      case "Reshape":
        return [reshaped(first, this.integers(node.inputs[1] as Value))];
      case "Expand":
        return [broadcastShapes(first, this.integers(node.inputs[1] as Value))];
      case "ConstantOfShape":
        return [this.integers(node.inputs[0] as Value)];
      case "Slice": {
        const { axis, start, end } = node.attributes;
        return [first.map((size, i) => (i === axis ? sliced(size, start, end) : size))];
      }
      default: {
        const rule = inferShape[node.op] as (
          inputs: readonly TensorType[],
          attributes: unknown,
        ) => readonly TensorType[];
        return rule(inputs, node.attributes).map(({ shape }) => shape);
      }
    }
  }

  private integers(value: Value): Sizes {
    const known = this.contents.get(value);
    if (known !== undefined) return known;
    const { source } = value;
    if (source.kind !== "constant" || source.data.kind !== "inline" || value.dtype !== "int64") {
      throw new Error(`internal: ${value.name} holds a shape, and its numbers are not known before the run`);
    }
    const { bytes } = source.data;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.byteLength / 8 }, (_, i) => Number(view.getBigInt64(8 * i, true)));
  }

  private matmulFlops(node: Node): number {
    if (node.op !== "MatMul" && node.op !== "FusedMatMul") return 0;
    const a = this.shape(node.inputs[0] as Value);
    const inner = node.op === "FusedMatMul" && node.attributes.transA ? a.at(-2) : a.at(-1);
    return 2 * product(this.shape(node.outputs[0] as Value)) * (inner as number);
  }
}

/** 0 keeps the dim at that index, -1 is what the element count leaves. */
function reshaped(from: Sizes, wanted: Sizes): Sizes {
  const sizes = wanted.map((size, i) => (size === 0 ? (from[i] as number) : size));
  const known = product(sizes.filter((size) => size !== -1));
  return sizes.map((size) => (size === -1 ? product(from) / known : size));
}

function sliced(size: number, start: number, end: number): number {
  const clamp = (bound: number): number => Math.min(size, Math.max(0, bound < 0 ? bound + size : bound));
  return Math.max(0, clamp(end) - clamp(start));
}
