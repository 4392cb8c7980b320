/** @file Segments that backward computes again: the same gradients, and nothing inside one outlives its first pass. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../../src/trainer/autodiff/index.js";
import { type Graph, GraphBuilder, type Node, type Segment, type Value } from "../../../src/trainer/graph/index.js";
import { uniforms } from "../../../src/trainer/runtime/random.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";
import { leaksOf, PlainBuilder } from "../../support/recompute.js";

const WIDTH = 4;
const values = (seed: number, size: number) => Float32Array.from(uniforms(seed, 0, size), (u) => 2 * u - 1);

/** Two segments in a row; the first holds another one. Outside values (w, side) are read within, and x again after both. */
function build(g: GraphBuilder) {
  const x = g.input("x", "float32", ["batch", "time", WIDTH]);
  const [w, v] = [g.input("w", "float32", [WIDTH, WIDTH]), g.input("v", "float32", [WIDTH])];
  const side = g.sigmoid(x);
  const first = g.scope("first", () =>
    g.segment([x], () => {
      const inside = g.segment([x], () => g.scope("nested", () => g.tanh(g.matmul(x, w))));
      const [normed] = g.rmsNorm(g.add(g.mul(inside, inside), side), v, 1e-5);
      return g.matmul(g.mul(normed, inside), w);
    }),
  );
  const second = g.scope("second", () => g.segment([first], () => g.softmax(g.exp(g.mul(first, v)))));
  const loss = g.sumAll(g.mul(g.add(g.mul(second, first), x), second));
  const forwardNodes = g.nodes.length;
  g.output("loss", loss);
  gradients(g, loss, [x, w, v]).forEach((gradient, i) => {
    g.output(["dx", "dw", "dv"][i] as string, gradient);
  });
  return { graph: g.build(), segments: g.segments, nodes: g.nodes, forwardNodes };
}

const feeds = {
  x: { data: values(1, 2 * 3 * WIDTH), dims: [2, 3, WIDTH] },
  w: { data: values(2, WIDTH * WIDTH), dims: [WIDTH, WIDTH] },
  v: { data: values(3, WIDTH), dims: [WIDTH] },
};
const run = async (graph: Graph) => {
  const names = ["loss", "dx", "dw", "dv"];
  const found = await runGraph(graph, feeds, names);
  return names.map((name) => floatsOf(found[name]));
};

describe("a segment", () => {
  const kept = build(new PlainBuilder());
  const again = build(new GraphBuilder());

  it("gives the loss and the gradients of a graph that keeps everything, bit for bit", async () => {
    expect(await run(again.graph)).toEqual(await run(kept.graph));
  });

  it("within a segment is part of the outer one", () => {
    expect(again.segments.map(({ output }) => output.name)).toEqual(["first/MatMul", "second/Softmax"]);
    const copies = again.graph.nodes.filter(({ name }) => name.startsWith("grad/again/"));
    expect(copies.some(({ name }) => name === "grad/again/first/nested/Tanh")).toBe(true);
    expect(kept.graph.nodes.some(({ name }) => name.includes("again"))).toBe(false);
  });

  it("is computed twice, each op once more, and only what its gradient reads", () => {
    const of = (graph: Graph, op: Node["op"], inside: string) =>
      graph.nodes.filter((node) => node.op === op && node.name.startsWith(inside)).length;
    expect(of(again.graph, "Tanh", "first")).toBe(1);
    expect(of(again.graph, "Tanh", "grad/again/first")).toBe(1);
    expect(of(again.graph, "Softmax", "grad/again/second")).toBe(1);
    expect(of(again.graph, "MatMul", "grad/again/first")).toBe(1); // the product that leaves it is not needed again
  });

  it("has no value of its first pass that backward reads, but its inputs and what leaves it", () => {
    expect(leaksOf(again)).toEqual([]);
    expect(
      leaksOf({ ...again, segments: segmentsAsIn(kept.nodes, again.segments), graph: kept.graph, nodes: kept.nodes }),
    ).not.toEqual([]);
  });

  it("waits for the gradient of its output: the copy starts behind a node of backward", () => {
    const copy = again.graph.nodes.find(({ name }) => name === "grad/again/second/Mul");
    const start = copy?.inputs[0]?.source;
    expect(start?.kind === "node" && start.node.op).toBe("Reshape");
    const shape = start?.kind === "node" ? start.node.inputs[1] : undefined;
    const seen = new Set<string>();
    const walk = (value: Value | undefined): void => {
      if (value?.source.kind !== "node" || seen.has(value.name)) return;
      seen.add(value.name);
      value.source.node.inputs.forEach(walk);
    };
    walk(shape);
    expect([...seen].some((name) => name.startsWith("grad/") && !name.startsWith("grad/Shape"))).toBe(true);
  });

  it("that no loss reads is left alone", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["rows"]);
    const used = g.segment([x], () => g.exp(g.exp(x)));
    g.segment([x], () => g.tanh(x));
    const loss = g.sumAll(used);
    const [dx] = gradients(g, loss, [x]);
    g.output("dx", dx as Value);
    expect(g.build().nodes.some(({ op }) => op === "Tanh")).toBe(false);
    expect(g.nodes.filter(({ op }) => op === "Tanh")).toHaveLength(1);
  });
});

/** The builder that keeps everything emits the same forward nodes, so the ranges hold for it too. */
function segmentsAsIn(nodes: readonly Node[], segments: readonly Segment[]): Segment[] {
  return segments.map((segment) => ({ ...segment, output: (nodes[segment.end - 1] as Node).outputs[0] as Value }));
}
