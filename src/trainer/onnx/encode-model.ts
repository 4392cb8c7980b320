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

const ELEMENT_TYPES = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10, bfloat16: 16 } as const;
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const;

/** An attribute as ONNX has it. */
type OnnxAttribute =
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "ints"; readonly value: readonly number[] }
  | { readonly type: "tensor"; readonly value: Float32Array };

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
    case "Concat":
    case "Gather":
    case "GatherElements":
    case "Split":
      return { axis: int(node.attributes.axis) };
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
    default:
      return {};
  }
}

function writeAttribute(writer: MessageWriter, name: string, attribute: OnnxAttribute): void {
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
    case "ints":
      for (const value of attribute.value) writer.int(8, value);
      writer.int(20, ATTRIBUTE_TYPES.ints);
      break;
  }
}

function writeNode(writer: MessageWriter, node: Node, extraInputs: readonly string[]): void {
  for (const input of node.inputs) writer.string(1, input.name);
  for (const name of extraInputs) writer.string(1, name);
  for (const output of node.outputs) writer.string(2, output.name);
  writer.string(3, node.name).string(4, node.op);
  for (const [name, attribute] of Object.entries(onnxAttributes(node))) {
    writer.message(5, (inner) => writeAttribute(inner, name, attribute));
  }
  const domain = OP_DOMAINS[node.op];
  if (domain !== "") writer.string(7, domain);
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

/**
 * Serialises a graph. Constants that live in files are written as external data: their `file` is resolved by ONNX
 * Runtime against the folder given when the session is made.
 */
export function encodeModel(graph: Graph, name: string): Uint8Array {
  const model = new MessageWriter();
  model.int(1, IR_VERSION).string(2, "preflexor");
  model.message(7, (body) => {
    const axes = new AxesConstants();
    for (const node of graph.nodes) body.message(1, (writer) => writeNode(writer, node, axes.inputsOf(node)));
    // An output must be a node's own output under its own name: Identity gives it that name.
    for (const { name: output, value } of graph.outputs) {
      body.message(1, (writer) =>
        writer.string(1, value.name).string(2, output).string(3, `output/${output}`).string(4, "Identity"),
      );
    }
    body.string(2, name);
    for (const constant of graph.constants) body.message(5, (writer) => writeConstant(writer, constant));
    axes.write(body);
    for (const input of graph.inputs) body.message(11, (writer) => writeValueInfo(writer, input.name, input));
    for (const { name: output, value } of graph.outputs)
      body.message(12, (writer) => writeValueInfo(writer, output, value));
  });
  model.message(8, (opset) => opset.string(1, "").int(2, OPSET));
  model.message(8, (opset) => opset.string(1, "com.microsoft").int(2, 1));
  return model.finish();
}

/** Ops a graph uses, sorted: for tests and for the table of kernels. */
export function opsOf(graph: Graph): readonly OpType[] {
  return [...new Set(graph.nodes.map((node) => node.op))].sort();
}
