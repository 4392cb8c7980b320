/** @file The builder: shapes are checked as they are made, and only what is read is built. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/trainer/autodiff/index.js";
import { GraphBuilder, printGraph } from "../../src/trainer/graph/index.js";
import { encodeModel, opsOf } from "../../src/trainer/onnx/index.js";
import { floatsOf, runGraph } from "../support/program-runner.js";

describe("GraphBuilder", () => {
  it("refuses shapes that do not fit, with the node's name and both shapes", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["batch", 4]);
    const w = g.input("w", "float32", [3, 2]);
    expect(() => g.scope("layer", () => g.matmul(x, w))).toThrow(
      /layer\/MatMul .*x \[batch, 4\], w \[3, 2\].*inner dims differ/,
    );
    expect(() => g.add(x, w)).toThrow(/cannot broadcast \[batch, 4\] with \[3, 2\]/);
  });

  it("refuses a reshape with two unknown dims", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["batch", "time", 4]);
    expect(() => g.reshape(x, ["rows", "columns"])).toThrow(/without a runtime shape/);
  });

  it("builds only what outputs read", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2]);
    const unread = g.input("unread", "float32", [2]);
    g.exp(unread);
    g.output("y", g.neg(x));
    const graph = g.build();
    expect(graph.inputs.map((input) => input.name)).toEqual(["x"]);
    expect(opsOf(graph)).toEqual(["Neg"]);
  });

  it("gives nodes walkable names, and a second one of a kind a name of its own", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2]);
    g.output(
      "y",
      g.scope("layers.0", () => g.scope("attn", () => g.exp(g.exp(x)))),
    );
    expect(printGraph(g.build())).toContain("layers.0/attn/Exp_1: float32[2] = Exp(layers.0/attn/Exp)");
  });

  it("does not build the gradient of a frozen weight, nor below the lowest trained value", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [3, 4]);
    const frozen = g.input("frozen", "float32", [4, 4]);
    const trained = g.input("trained", "float32", [4, 4]);
    const low = g.scope("low", () => g.matmul(x, frozen));
    const loss = g.sumAll(g.scope("high", () => g.matmul(low, trained)));
    const [gradient] = gradients(g, loss, [trained]);
    g.output("gradient", gradient as NonNullable<typeof gradient>);
    const names = g.build().nodes.map((node) => node.name);
    expect(names.some((name) => name.startsWith("grad/high/MatMul"))).toBe(true);
    expect(names.some((name) => name.startsWith("grad/low"))).toBe(false);
    expect(names.filter((name) => name.startsWith("grad/high/MatMul"))).toHaveLength(1);
  });

  it("says which value a loss does not depend on", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2]);
    const y = g.input("y", "float32", [2]);
    expect(() => gradients(g, g.sumAll(x), [y])).toThrow(/does not depend on y/);
  });

  it("encodes the same graph to the same bytes", () => {
    const encode = () => {
      const g = new GraphBuilder();
      const x = g.input("x", "float32", ["batch", 3]);
      g.output(
        "y",
        g.softmax(g.fusedMatMul(x, g.floats("w", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)), { transB: true })),
      );
      return encodeModel(g.build(), "model");
    };
    expect(Buffer.from(encode()).equals(Buffer.from(encode()))).toBe(true);
  });

  it("runs one session at every length of a symbolic dim", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["batch", 2]);
    g.output("y", g.reduceSum(x, [1]));
    for (const batch of [1, 3]) {
      const feed = { data: new Float32Array(batch * 2).fill(1), dims: [batch, 2] };
      expect(floatsOf((await runGraph(g.build(), { x: feed }, ["y"]))["y"])).toEqual(Array(batch).fill(2));
    }
  });
});
