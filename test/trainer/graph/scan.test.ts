/** @file Loops in the graph: what they compute, what they read from outside, and how they are written down. */
import { describe, expect, it } from "vitest";
import { type Graph, GraphBuilder, type Node, printGraph, type Value } from "../../../src/trainer/graph/index.js";
import { opsOf } from "../../../src/trainer/onnx/index.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";

const value = (found: Value | undefined): Value => found as Value;
const feedOf = (rows: number, width: number, of: (i: number) => number) => ({
  data: Float32Array.from({ length: rows * width }, (_, i) => of(i)),
  dims: [rows, width],
});

/** s ← s w + x y + k over the rows of x and y; gives the last s, and of each trip the s before it and the row of x. */
function loopGraph(): Graph {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["trips", 3]);
  const y = g.input("y", "float32", ["trips", 3]);
  const start = g.input("start", "float32", [3]);
  const w = g.exp(g.input("w", "float32", [3]));
  const [last, before, rows] = g.scope("loop", () =>
    g.scan({ states: [start], scanned: [x, y] }, (b, [s], [a, c]) => {
      const next = b.add(b.mul(value(s), w), b.mul(value(a), value(c)));
      return [b.add(next, b.scalar(0.25)), value(s), value(a)];
    }),
  );
  g.output("last", value(last));
  g.output("before", value(before));
  g.output("rows", value(rows));
  return g.build();
}

function byHand(x: Float32Array, y: Float32Array, start: readonly number[], w: readonly number[]) {
  let s = [...start];
  const before: number[] = [];
  for (let t = 0; t < x.length; t += 3) {
    before.push(...s);
    s = s.map((v, i) => v * Math.exp(w[i] as number) + (x[t + i] as number) * (y[t + i] as number) + 0.25);
  }
  return { last: s, before };
}

describe("a scan", () => {
  it("computes what a loop by hand does, whatever the number of trips", async () => {
    const [start, w] = [
      [0.5, -1, 2],
      [-0.2, 0.1, -0.4],
    ] as const;
    for (const trips of [1, 4, 7]) {
      const x = feedOf(trips, 3, (i) => Math.sin(i));
      const y = feedOf(trips, 3, (i) => Math.cos(2 * i));
      const feeds = {
        x,
        y,
        start: { data: Float32Array.from(start), dims: [3] },
        w: { data: Float32Array.from(w), dims: [3] },
      };
      const found = await runGraph(loopGraph(), feeds, ["last", "before", "rows"]);
      const expected = byHand(x.data, y.data, start, w);
      expect(found["before"]?.dims).toEqual([trips, 3]);
      expect(floatsOf(found["rows"])).toEqual([...x.data]);
      for (const name of ["last", "before"] as const) {
        floatsOf(found[name]).forEach((v, i) => {
          expect(v, `${name}[${i}]`).toBeCloseTo(expected[name][i] as number, 5);
        });
      }
    }
  });

  it("lists what its body reads from outside as inputs, constants too, and declares the constants once outside", () => {
    const graph = loopGraph();
    const scan = graph.nodes.find((node) => node.op === "Scan") as Extract<Node, { op: "Scan" }>;
    expect(scan.inputs.slice(0, 3).map(({ name }) => name)).toEqual(["start", "x", "y"]);
    expect(
      scan.inputs
        .slice(3)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["Exp", "const/scalar/0.25"]);
    expect(graph.constants.map(({ name }) => name)).toEqual(["const/scalar/0.25"]);
    expect(scan.attributes.body.constants).toEqual([]);
  });

  it("shares a constant with the graph around it, whichever asked first", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["trips", 2]);
    const early = g.scalar(2);
    let inside: Value | undefined;
    g.scan({ scanned: [x] }, (b, _, [row]) => {
      expect(b.scalar(2)).toBe(early);
      inside = b.scalar(3);
      return [b.mul(value(row), inside)];
    });
    expect(g.scalar(3)).toBe(inside);
  });

  it("captures through a loop inside a loop", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["outer", 2, 2]);
    const w = g.input("w", "float32", [2]);
    const [sums] = g.scan({ scanned: [x] }, (b, _, [matrix]) => {
      const zero = b.zerosLike(w);
      const [sum] = b.scan({ states: [zero], scanned: [value(matrix)] }, (c, [s], [row]) => [
        c.add(value(s), c.mul(value(row), w)),
      ]);
      return [value(sum)];
    });
    g.output("sums", value(sums));
    const graph = g.build();
    const feeds = {
      x: { data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), dims: [2, 2, 2] },
      w: { data: Float32Array.of(10, 100), dims: [2] },
    };
    expect(floatsOf((await runGraph(graph, feeds, ["sums"]))["sums"])).toEqual([40, 600, 120, 1400]);
  });

  it("has names of its own in every body, so that two loops of one place cannot meet", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["trips", 2]);
    const sum = (): Value =>
      g.scope("loop", () =>
        value(g.scan({ scanned: [x] }, (b, _, [row]) => [b.scope("inner", () => b.exp(value(row)))])[0]),
      );
    g.output("y", g.add(sum(), sum()));
    const graph = g.build();
    const names = (inside: Graph): string[] => [
      ...inside.inputs.map(({ name }) => name),
      ...inside.nodes.flatMap((node) => [
        ...node.outputs.map(({ name }) => name),
        ...(node.op === "Scan"
          ? [...names(node.attributes.body), ...node.attributes.body.outputs.map((o) => o.name)]
          : []),
      ]),
    ];
    const all = names(graph);
    expect(all).toContain("loop/body/inner/Exp");
    expect(new Set(all).size).toBe(all.length);
  });

  it("is dropped with all it reads where nothing reads it, and shows its body's ops where something does", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["trips", 2]);
    const hidden = g.tanh(x);
    const [y] = g.scan({ scanned: [hidden] }, (b, _, [row]) => [b.exp(value(row))]);
    g.output("x", g.neg(x));
    expect(opsOf(g.build())).toEqual(["Neg"]);
    g.output("y", value(y));
    expect(opsOf(g.build())).toEqual(["Exp", "Neg", "Scan", "Tanh"]);
  });

  it("prints", () => {
    const text = printGraph(loopGraph());
    expect(text).toMatch(/= Scan\(start, x, y, /);
    expect(text).toContain("loop/body/Mul");
  });

  it("takes the output of a trip straight from a slice, from outside, or twice", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["trips", 2]);
    const w = g.input("w", "float32", [2]);
    const outputs = g.scan({ scanned: [x] }, (b, _, [row]) => {
      const y = b.neg(value(row));
      return [value(row), w, y, y];
    });
    outputs.forEach((output, i) => {
      g.output(`y${i}`, output);
    });
    const feeds = { x: feedOf(2, 2, (i) => i), w: { data: Float32Array.of(7, 8), dims: [2] } };
    const found = await runGraph(g.build(), feeds, ["y0", "y1", "y2", "y3"]);
    expect(floatsOf(found["y0"])).toEqual([0, 1, 2, 3]);
    expect(floatsOf(found["y1"])).toEqual([7, 8, 7, 8]);
    expect(floatsOf(found["y2"])).toEqual([-0, -1, -2, -3]);
    expect(floatsOf(found["y3"])).toEqual([-0, -1, -2, -3]);
  });
});
