/** @file Which buffers are alive while the nodes of a graph run in their order: liveness, views, in-place results. */
import type { Graph, Node, Value } from "./graph.js";
import type { OpType } from "./op-types.js";

/** May write over an input that nobody reads afterwards (ONNX Runtime's MayInplace). */
const IN_PLACE: ReadonlySet<OpType> = new Set<OpType>([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Neg",
  "Exp",
  "Log",
  "Sqrt",
  "Tanh",
  "Sigmoid",
  "Softplus",
  "Softmax",
  "ScatterElements",
]);

/** Who holds which bytes while the nodes run in their order. Values of constants and inputs hold none. */
export class LiveBuffers {
  private live = 0;
  private readonly bufferOf = new Map<Value, Value>();
  private readonly sizeOf = new Map<Value, number>();
  /** Index of the last node that reads a buffer, through whichever value; Infinity for outputs of the graph. */
  private readonly lastRead = new Map<Value, number>();
  private readonly dying = new Map<number, Value[]>();

  constructor(
    { nodes, outputs }: Graph,
    private readonly bytes: (value: Value) => number,
  ) {
    nodes.forEach((node, at) => {
      for (const input of node.inputs) this.lastRead.set(input, at);
    });
    for (const { value } of outputs) this.lastRead.set(value, Number.POSITIVE_INFINITY);
  }

  /** Makes the outputs of a node; gives the bytes alive while it runs. */
  run(node: Node, at: number): number {
    for (const output of node.outputs) {
      const shared = this.shared(node, output, at);
      if (shared !== undefined) {
        // Whoever reads a view, or what was written over a buffer, reads that buffer.
        this.bufferOf.set(output, shared);
        const read = Math.max(this.lastRead.get(shared) ?? at, this.lastRead.get(output) ?? at);
        this.lastRead.set(shared, read);
      } else if (node.op !== "Reshape") {
        this.bufferOf.set(output, output);
        this.sizeOf.set(output, this.bytes(output));
        this.live += this.bytes(output);
        this.lastRead.set(output, this.lastRead.get(output) ?? at);
      }
    }
    for (const value of [...node.inputs, ...node.outputs]) this.schedule(value, at);
    return this.live;
  }

  /** Frees what node `at` was the last to read. */
  release(at: number): void {
    for (const buffer of this.dying.get(at) ?? []) {
      this.live -= this.sizeOf.get(buffer) ?? 0;
      this.sizeOf.delete(buffer);
    }
    this.dying.delete(at);
  }

  private schedule(value: Value, at: number): void {
    const buffer = this.bufferOf.get(value);
    if (buffer === undefined || (this.lastRead.get(buffer) ?? at) > at) return;
    const list = this.dying.get(at) ?? [];
    if (!list.includes(buffer)) list.push(buffer);
    this.dying.set(at, list);
  }

  /** The buffer that an output takes over, or undefined where it needs one of its own. */
  private shared(node: Node, output: Value, at: number): Value | undefined {
    if (node.op === "Reshape") return this.bufferOf.get(node.inputs[0] as Value);
    if (!IN_PLACE.has(node.op) || this.lastRead.get(output) === Number.POSITIVE_INFINITY) return undefined;
    const usable = (input: Value): boolean => {
      const buffer = this.bufferOf.get(input);
      return buffer !== undefined && this.lastRead.get(buffer) === at && this.sizeOf.get(buffer) === this.bytes(output);
    };
    const candidates = node.op === "ScatterElements" ? node.inputs.slice(0, 1) : node.inputs;
    const input = candidates.find(usable);
    return input === undefined ? undefined : this.bufferOf.get(input);
  }
}
