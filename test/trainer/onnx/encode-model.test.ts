/** @file The bytes of a model, read back with a small protobuf reader of the test's own. */
import { describe, expect, it } from "vitest";
import { type Graph, GraphBuilder, type Value } from "../../../src/trainer/graph/index.js";
import { encodeModel } from "../../../src/trainer/onnx/index.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";

type Field = { readonly number: number; readonly bytes: Buffer };

/** Fields of a message; numbers that are not length-delimited are skipped, the tests do not look at them. */
function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const wire = key & 7;
    if (wire === 0) varint();
    else if (wire === 5) at += 4;
    else if (wire === 1) at += 8;
    else {
      const length = varint();
      found.push({ number: key >> 3, bytes: message.subarray(at, at + length) });
      at += length;
    }
  }
  return found;
}

const strings = (message: Buffer, number: number): string[] =>
  fields(message).flatMap((field) => (field.number === number ? [field.bytes.toString()] : []));
const messages = (message: Buffer, number: number): Buffer[] =>
  fields(message).flatMap((field) => (field.number === number ? [field.bytes] : []));

interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly body?: OnnxGraph;
}
interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly initializers: readonly string[];
}

/** Field numbers of onnx.proto3: GraphProto node 1, initializer 5, input 11, output 12; NodeProto input 1, output 2, op_type 4, attribute 5. */
function readGraph(graph: Buffer): OnnxGraph {
  return {
    nodes: messages(graph, 1).map((node) => {
      const [body] = messages(node, 5).flatMap((attribute) => messages(attribute, 6));
      return {
        op: strings(node, 4).join(),
        inputs: strings(node, 1),
        outputs: strings(node, 2),
        ...(body !== undefined && { body: readGraph(body) }),
      };
    }),
    inputs: messages(graph, 11).flatMap((info) => strings(info, 1)),
    outputs: messages(graph, 12).flatMap((info) => strings(info, 1)),
    initializers: messages(graph, 5).flatMap((tensor) => strings(tensor, 8)),
  };
}

const read = (graph: Graph): OnnxGraph => readGraph(messages(Buffer.from(encodeModel(graph, "model")), 7)[0] as Buffer);
const opsIn = ({ nodes }: OnnxGraph): string[] => nodes.map(({ op }) => op).sort();

describe("the outputs of a model", () => {
  it("are the last nodes' own results under their names, without copies, where others read them too", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["rows"]);
    const first = g.exp(x);
    g.output("first", first);
    g.output("second", g.neg(first));
    const graph = g.build();
    const model = read(graph);
    expect(model.outputs).toEqual(["first", "second"]);
    expect(opsIn(model)).toEqual(["Exp", "Neg"]);
    expect(model.nodes.find(({ op }) => op === "Neg")).toMatchObject({ inputs: ["first"], outputs: ["second"] });
    const found = await runGraph(graph, { x: { data: Float32Array.of(0), dims: [1] } }, ["second", "first"]);
    expect([floatsOf(found["first"]), floatsOf(found["second"])]).toEqual([[1], [-1]]);
  });

  it("are copied where they must be: an input, a constant, the same value twice", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2]);
    const y = g.neg(x);
    g.output("same", x);
    g.output("constant", g.floats("c", [2], Float32Array.of(5, 6)));
    g.output("once", y);
    g.output("twice", y);
    const graph = g.build();
    const model = read(graph);
    expect(opsIn(model)).toEqual(["Identity", "Identity", "Identity", "Neg"]);
    expect(model.nodes.find(({ outputs }) => outputs[0] === "twice")).toMatchObject({
      op: "Identity",
      inputs: ["once"],
    });
    const feeds = { x: { data: Float32Array.of(1, 2), dims: [2] } };
    const found = await runGraph(graph, feeds, ["same", "constant", "once", "twice"]);
    expect(floatsOf(found["same"])).toEqual([1, 2]);
    expect(floatsOf(found["constant"])).toEqual([5, 6]);
    expect(floatsOf(found["once"])).toEqual([-1, -2]);
    expect(floatsOf(found["twice"])).toEqual([-1, -2]);
  });

  it("may be read inside a loop, which then knows them by their new name", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["trips", 2]);
    const w = g.exp(g.input("w", "float32", [2]));
    g.output("weight", w);
    const [y] = g.scan({ scanned: [x] }, (b, _, [row]) => [b.mul(row as Value, w)]);
    g.output("y", y as Value);
    const graph = g.build();
    const scan = read(graph).nodes.find(({ op }) => op === "Scan");
    expect(scan?.body?.nodes.flatMap(({ inputs }) => inputs)).toContain("weight");
    const feeds = {
      x: { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] },
      w: { data: new Float32Array(2), dims: [2] },
    };
    expect(floatsOf((await runGraph(graph, feeds, ["y"]))["y"])).toEqual([1, 2, 3, 4]);
  });
});

describe("the body of a loop", () => {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["trips", 2]);
  const w = g.input("w", "float32", [2]);
  const [last] = g.scan({ states: [w], scanned: [x] }, (b, [s], [row]) => [
    b.neg(b.reduceSum(b.exp(b.mul(b.add(s as Value, row as Value), w)), [0], true)),
  ]);
  g.output("last", g.tanh(last as Value));
  const model = read(g.build());
  const scan = model.nodes.find(({ op }) => op === "Scan") as OnnxNode;
  const body = scan.body as OnnxGraph;

  it("is written in order, the graph around it last first", () => {
    expect(body.nodes.map(({ op }) => op)).toEqual(["Add", "Mul", "Exp", "ReduceSum", "Neg"]);
    const known = new Set([...body.inputs, ...model.inputs, ...model.initializers]);
    for (const { inputs, outputs } of body.nodes) {
      for (const input of inputs) expect(known).toContain(input);
      for (const output of outputs) known.add(output);
    }
    expect(model.nodes.map(({ op }) => op)).toEqual(["Tanh", "Scan"]);
  });

  it("lists states and slices as inputs; what it captures is bound by name alone, and no constant is its own", () => {
    expect(scan.inputs).toEqual(["w", "x"]);
    expect(body.inputs).toHaveLength(2);
    expect(body.initializers).toEqual([]);
    expect(model.initializers).toContain("axes/0");
    expect(body.nodes[1]?.inputs).toContain("w");
  });
});
