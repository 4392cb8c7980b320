/** @file Costs of small graphs, worked out by hand. */
import { describe, expect, it } from "vitest";
import { executionOrder } from "../../../src/trainer/graph/execution-order.js";
import { GraphBuilder, measureGraph } from "../../../src/trainer/graph/index.js";

const KB = 1024;

describe("measureGraph", () => {
  it("counts two operations for each multiply-add, transposed operands and batch dims included", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["batch", "time", 8]);
    const w = g.floats("w", [5, 8], new Float32Array(40));
    const y = g.fusedMatMul(x, w, { transB: true }); // [2, 3, 5]
    const outer = g.fusedMatMul(y, x, { transA: true }); // [2, 5, 8]
    g.output("outer", outer);
    const { matmulFlops, shapes } = measureGraph(g.build(), { batch: 2, time: 3 });
    expect(shapes.get(outer)).toEqual([2, 5, 8]);
    expect(matmulFlops).toBe(2 * (2 * 3 * 5 * 8) + 2 * (2 * 5 * 8 * 3));
  });

  it("finds the size of symbols that a reshape made up, and follows shapes read at run time", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["batch", "time", 8]);
    const rows = g.reshape(x, ["rows", 8]);
    const wide = g.expandLike(g.reshape(g.reduceSum(rows, [1]), ["rows", 1]), rows);
    const zeros = g.zerosLike(wide);
    const back = g.reshapeLike(zeros, x);
    const tail = g.slice(back, 1, -2);
    g.output("tail", tail);
    const later = g.reshapeAfter(rows, g.input("flat", "float32", ["rows"]));
    g.output("later", later);
    const { shapes } = measureGraph(g.build(), { batch: 3, time: 7, rows: 21 });
    expect(shapes.get(rows)).toEqual([21, 8]);
    expect(shapes.get(later)).toEqual([21, 8]);
    expect(shapes.get(wide)).toEqual([21, 8]);
    expect(shapes.get(back)).toEqual([3, 7, 8]);
    expect(shapes.get(tail)).toEqual([3, 2, 8]);
  });

  it("reads a sum of symbols as their sum", () => {
    const g = new GraphBuilder();
    const past = g.input("past", "float32", ["batch", "past", 4]);
    const joined = g.concat([past, g.input("new", "float32", ["batch", "time", 4])], 1);
    const seen = g.input("seen", "float32", ["batch", "past+time", 4]);
    g.output("sum", g.add(joined, seen));
    const { shapes } = measureGraph(g.build(), { batch: 1, past: 5, time: 2 });
    expect(shapes.get(joined)).toEqual([1, 7, 4]);
    expect(shapes.get(seen)).toEqual([1, 7, 4]);
  });

  it("names the symbol that it was given no size for", () => {
    const g = new GraphBuilder();
    g.output("y", g.neg(g.input("x", "float32", ["rows"])));
    expect(() => measureGraph(g.build(), { batch: 1 })).toThrow(/no size was given for "rows" of x \[rows\]/);
  });

  it("frees a buffer after its last reader", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [256]); // 1 KB a vector; a transpose cannot be done in place
    const a = g.transpose(x, [0]);
    const b = g.transpose(a, [0]);
    const c = g.transpose(b, [0]);
    const d = g.transpose(c, [0]);
    g.output("d", d);
    const chain = measureGraph(g.build(), {});
    expect(chain.peakBytes).toBe(2 * KB);

    g.output("e", g.transpose(a, [0])); // now a lives to the end, and with it d and e
    expect(measureGraph(g.build(), {}).peakBytes).toBe(3 * KB);
  });

  it("lets an elementwise op write over an input that dies, and not over one that is read later", () => {
    const g = new GraphBuilder();
    const a = g.transpose(g.input("x", "float32", [256]), [0]);
    const b = g.exp(a);
    const c = g.exp(b);
    g.output("c", g.transpose(c, [0]));
    const built = g.build();
    expect(built.nodes).toHaveLength(4);
    expect(measureGraph(built, {}).peakBytes).toBe(2 * KB);

    g.output("again", g.transpose(a, [0])); // exp(a) needs a buffer of its own: a, c and both outputs at most three at once
    expect(measureGraph(g.build(), {}).peakBytes).toBe(3 * KB);
  });

  it("counts no bytes for a view, and keeps what it shows alive", () => {
    const g = new GraphBuilder();
    const a = g.transpose(g.input("x", "float32", [256]), [0]);
    const view = g.reshape(a, [16, 16]);
    const other = g.transpose(g.input("z", "float32", [256]), [0]);
    g.output("sum", g.reduceSum(g.add(view, g.reshape(other, [16, 16])), [0, 1]));
    const { peakBytes, peakNode } = measureGraph(g.build(), {});
    expect(peakBytes).toBe(2 * KB);
    expect(peakNode).toBe("Transpose_1");
  });

  it("counts the body of a loop once for each trip, and its bytes beside what lives outside", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["chunks", 16, 4]);
    const w = g.floats("w", [4, 64], new Float32Array(256));
    const outputs = g.scan({ scanned: [x] }, (b, _, [slice]) => [b.reduceSum(b.matmul(slice as typeof x, w), [1])]);
    g.output("sums", outputs[0] as typeof x);
    const { matmulFlops, peakBytes, shapes } = measureGraph(g.build(), { chunks: 5 });
    expect(shapes.get(outputs[0] as typeof x)).toEqual([5, 16]);
    expect(matmulFlops).toBe(5 * 2 * 16 * 4 * 64);
    // Outside: [5, 16]. Inside, of one trip: the product [16, 64] and its sums [16].
    expect(peakBytes).toBe(4 * (5 * 16 + 16 * 64 + 16));
  });

  it("keeps what is computed from constants apart: it is there before the first run", () => {
    const g = new GraphBuilder();
    const half = g.constant("w", "float16", [64, 16], { kind: "file", file: "w", offset: 0, byteLength: 2048 });
    const w = g.cast(half, "float32");
    const x = g.input("x", "float32", ["rows", 64]);
    g.output("y", g.matmul(x, w));
    const { peakBytes, folded, matmulFlops } = measureGraph(g.build(), { rows: 8 });
    expect([...folded]).toEqual([w]);
    expect(peakBytes).toBe(8 * 16 * 4);
    expect(matmulFlops).toBe(2 * 8 * 64 * 16);
  });
});

describe("executionOrder", () => {
  it("takes the input whose maker is listed last first, so that a list in reverse runs as it was emitted", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [4]);
    const a = g.exp(x);
    const b = g.neg(a);
    const c = g.sqrt(x);
    g.output("sum", g.add(b, c));
    const { nodes } = g.build();
    const ops = (list: typeof nodes) => executionOrder(list).map(({ op }) => op);
    expect(ops(nodes)).toEqual(["Sqrt", "Exp", "Neg", "Add"]);
    expect(ops(nodes.toReversed())).toEqual(["Exp", "Neg", "Sqrt", "Add"]);
  });
});
