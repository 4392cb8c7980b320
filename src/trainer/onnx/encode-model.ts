/** @file Graph -> ONNX ModelProto bytes. Field numbers are those of onnx.proto3 (IR version 8). */
import {
  elementCount,
  formatShape,
  type Graph,
  type Node,
  OP_DOMAINS,
  type OpType,
  type Shape,
  type Value,
} from "../graph/index.js";
import { MessageWriter } from "./protobuf.js";

const IR_VERSION = 8;
/** 17: axes of ReduceSum and sizes of Split are inputs, axes of ReduceMax still an attribute. */
const OPSET = 17;

const ELEMENT_TYPES = { float32: 1, int32: 6, int64: 7, uint8: 2, bool: 9, float16: 10, bfloat16: 16 } as const;
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, ints: 7 } as const;

/** An attribute as ONNX has it. */
type OnnxAttribute =
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "ints"; readonly value: readonly number[] }
  | { readonly type: "tensor"; readonly value: Float32Array }
  | { readonly type: "graph"; readonly value: Graph };

const int = (value: number | boolean): OnnxAttribute => ({ type: "int", value: Number(value) });

type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** What ONNX wants to see of an op's attributes. Axes, sizes and shapes that are inputs in ONNX do not appear. */
function onnxAttributes(node: Node): Attributes {
  switch (node.op) {
    case "FusedMatMul": {
      const { transA, transB, alpha } = node.attributes;
      return { alpha: { type: "float", value: alpha }, transA: int(transA), transB: int(transB) };
    }
    case "Softmax":
    case "TopK":
    case "Concat":
    case "Gather":
    case "GatherElements":
    case "Split":
      return { axis: int(node.attributes.axis) };
    case "ArgMax":
      return { axis: int(node.attributes.axis), keepdims: int(node.attributes.keepdims) };
    case "MatMulNBits": {
      const { inner, rows, bits, blockSize, accuracyLevel } = node.attributes;
      return {
        K: int(inner),
        N: int(rows),
        bits: int(bits),
        block_size: int(blockSize),
        accuracy_level: int(accuracyLevel),
      };
    }
    case "LayerNormalization":
      return { axis: int(-1), epsilon: { type: "float", value: node.attributes.epsilon } };
    case "SimplifiedLayerNormalization":
      return { axis: int(-1), epsilon: { type: "float", value: node.attributes.epsilon }, stash_type: int(1) };
    case "ReduceSum":
      return { keepdims: int(node.attributes.keepdims) };
    case "ReduceMax":
    case "ReduceLogSumExp":
      return { axes: { type: "ints", value: node.attributes.axes }, keepdims: int(node.attributes.keepdims) };
    case "Transpose":
      return { perm: { type: "ints", value: node.attributes.perm } };
    case "ConstantOfShape":
      return { value: { type: "tensor", value: new Float32Array([node.attributes.value]) } };
    case "ScatterElements":
      return { axis: int(node.attributes.axis), reduction: { type: "string", value: node.attributes.reduction } };
    case "Cast":
      return { to: int(ELEMENT_TYPES[node.attributes.to]) };
    case "Scan":
      return { body: { type: "graph", value: node.attributes.body }, num_scan_inputs: int(node.attributes.scanned) };
    case "Loop":
      return { body: { type: "graph", value: node.attributes.body } };
    case "If":
      return {
        then_branch: { type: "graph", value: node.attributes.taken },
        else_branch: { type: "graph", value: node.attributes.otherwise },
      };
    default:
      return {};
  }
}

function writeAttribute(writer: MessageWriter, name: string, attribute: OnnxAttribute, context: Context): void {
  writer.string(1, name);
  switch (attribute.type) {
    case "float":
      writer.float(2, attribute.value).int(20, ATTRIBUTE_TYPES.float);
      break;
    case "int":
      writer.int(3, attribute.value).int(20, ATTRIBUTE_TYPES.int);
      break;
    case "string":
      writer.string(4, attribute.value).int(20, ATTRIBUTE_TYPES.string);
      break;
    case "tensor":
      writer.message(5, (tensor) => {
        const { buffer, byteOffset, byteLength } = attribute.value;
        tensor
          .int(1, attribute.value.length)
          .int(2, ELEMENT_TYPES.float32)
          .bytes(9, new Uint8Array(buffer, byteOffset, byteLength));
      });
      writer.int(20, ATTRIBUTE_TYPES.tensor);
      break;
    case "graph":
      writer.message(6, (body) => writeGraph(body, attribute.value, name, context, false));
      writer.int(20, ATTRIBUTE_TYPES.graph);
      break;
    case "ints":
      for (const value of attribute.value) writer.int(8, value);
      writer.int(20, ATTRIBUTE_TYPES.ints);
      break;
  }
}

function writeNode(writer: MessageWriter, node: Node, context: Context): void {
  for (const input of listedInputs(node)) writer.string(1, context.nameOf(input));
  for (const name of context.axes.inputsOf(node)) writer.string(1, name);
  for (const output of node.outputs) writer.string(2, context.nameOf(output));
  writer.string(3, node.name).string(4, node.op);
  for (const [name, attribute] of Object.entries(onnxAttributes(node))) {
    writer.message(5, (inner) => writeAttribute(inner, name, attribute, context));
  }
  const domain = OP_DOMAINS[node.op];
  if (domain !== "") writer.string(7, domain);
}

/** What a body reads from outside is bound by name. */
function listedInputs({ op, inputs, attributes }: Node): readonly Value[] {
  switch (op) {
    case "Scan":
      return inputs.slice(0, attributes.states + attributes.scanned);
    case "Loop":
      return inputs.slice(0, 2 + attributes.states);
    case "If":
      return inputs.slice(0, 1);
    default:
      return inputs;
  }
}

function writeConstant(writer: MessageWriter, value: Value): void {
  if (value.source.kind !== "constant") throw new Error(`internal: ${value.name} is not a constant`);
  const { data } = value.source;
  if (elementCount(value.shape) === undefined)
    throw new Error(`internal: constant ${value.name} has shape ${formatShape(value.shape)}`);
  for (const dim of value.shape) writer.int(1, dim as number);
  writer.int(2, ELEMENT_TYPES[value.dtype]).string(8, value.name);
  if (data.kind === "inline") {
    writer.bytes(9, data.bytes);
    return;
  }
  const entries = { location: data.file, offset: String(data.offset), length: String(data.byteLength) };
  for (const [key, text] of Object.entries(entries))
    writer.message(13, (entry) => entry.string(1, key).string(2, text));
  writer.int(14, 1); // data_location = EXTERNAL
}

function writeValueInfo(writer: MessageWriter, name: string, value: { dtype: Value["dtype"]; shape: Shape }): void {
  writer.string(1, name).message(2, (type) =>
    type.message(1, (tensor) =>
      tensor.int(1, ELEMENT_TYPES[value.dtype]).message(2, (shape) => {
        for (const dim of value.shape) {
          shape.message(1, (field) => (typeof dim === "number" ? field.int(1, dim) : field.string(2, dim)));
        }
      }),
    ),
  );
}

/** Axes of ReduceSum are an input in ONNX and an attribute here: one int64 constant for each list of axes. */
class AxesConstants {
  readonly byName = new Map<string, readonly number[]>();

  inputsOf(node: Node): readonly string[] {
    if (node.op !== "ReduceSum") return [];
    const name = `axes/${node.attributes.axes.join("_")}`;
    this.byName.set(name, node.attributes.axes);
    return [name];
  }

  write(graph: MessageWriter): void {
    for (const [name, axes] of this.byName) {
      const bytes = new Uint8Array(BigInt64Array.from(axes, BigInt).buffer);
      graph.message(5, (tensor) =>
        tensor.int(1, axes.length).int(2, ELEMENT_TYPES.int64).string(8, name).bytes(9, bytes),
      );
    }
  }
}

/** What one model shares while it is written. */
class Context {
  readonly axes = new AxesConstants();
  private readonly names = new Map<Value, string>();

  /**
   * Values between nodes get short names, which halves the model's bytes; nodes keep their own, to be found in a profile.
   */
  nameOf(value: Value): string {
    if (value.source.kind !== "node") return value.name;
    const name = this.names.get(value) ?? `v${this.names.size.toString(36)}`;
    this.names.set(value, name);
    return name;
  }

  /** Gives values that leave `graph` the names of its outputs; gives the outputs that need a copy under their name. */
  nameOutputs(graph: Graph): Graph["outputs"] {
    const own = new Set(graph.nodes);
    return graph.outputs.filter(({ name, value }) => {
      const isOwn = value.source.kind === "node" && own.has(value.source.node);
      if (!isOwn || this.names.has(value)) return true;
      this.names.set(value, name);
      return false;
    });
  }
}

/**
 * Nodes, inputs and outputs of a graph or of a body. The nodes of the outermost graph are written last first, see
 * {@link encodeModel}; a body must be in order.
 */
function writeGraph(writer: MessageWriter, graph: Graph, name: string, context: Context, lastFirst: boolean): void {
  const copies = context.nameOutputs(graph);
  const writers = [
    ...graph.nodes.map((node) => (message: MessageWriter) => writeNode(message, node, context)),
    ...copies.map(({ name: output, value }) => (message: MessageWriter) => {
      message.string(1, context.nameOf(value)).string(2, output).string(3, `output/${output}`).string(4, "Identity");
    }),
  ];
  for (const write of lastFirst ? writers.reverse() : writers) writer.message(1, write);
  writer.string(2, name);
  for (const constant of graph.constants) writer.message(5, (message) => writeConstant(message, constant));
  for (const input of graph.inputs) writer.message(11, (message) => writeValueInfo(message, input.name, input));
  for (const { name: output, value } of graph.outputs)
    writer.message(12, (message) => writeValueInfo(message, output, value));
}

/**
 * Serialises a graph. Constants that live in files are written as external data: their `file` is resolved by ONNX
 * Runtime against the folder given when the session is made.
 *
 * Nodes are written last first. ONNX Runtime sorts them itself, by a depth-first walk from the outputs that takes the
 * input with the highest index first; written backwards, the input that was made first is computed first, so that every
 * gradient of a layer is done, and its activations freed, before the walk goes down to the next.
 */
export function encodeModel(graph: Graph, name: string): Uint8Array {
  const model = new MessageWriter();
  model.int(1, IR_VERSION).string(2, "preflexor");
  model.message(7, (body) => {
    const context = new Context();
    writeGraph(body, graph, name, context, true);
    context.axes.write(body);
  });
  model.message(8, (opset) => opset.string(1, "").int(2, OPSET));
  model.message(8, (opset) => opset.string(1, "com.microsoft").int(2, 1));
  return model.finish();
}

/** Ops a graph uses, sorted: for tests and for the table of kernels. */
export function opsOf(graph: Graph): readonly OpType[] {
  const ops = (inside: Graph): OpType[] =>
    inside.nodes.flatMap((node) => (node.op === "Scan" ? [node.op, ...ops(node.attributes.body)] : [node.op]));
  return [...new Set(ops(graph))].sort();
}
