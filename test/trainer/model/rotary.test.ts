/** @file Rotary tables, which are computed in the graph. */
import { expect, it } from "vitest";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import { rotaryTables } from "../../../src/trainer/model/rotary.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";

it("angles are right at the far end of a long context", async () => {
  const g = new GraphBuilder();
  const tables = rotaryTables(g, { theta: 10_000 }, 8, g.input("order", "int32", ["positions"]));
  g.output("cos", tables.cos);
  g.output("sin", tables.sin);
  const order = Int32Array.from([0, 1, 4095, 32_767, 131_071]);
  const found = await runGraph(g.build(), { order: { data: order, dims: [5] } }, ["cos", "sin"]);
  for (const [name, f] of [
    ["cos", Math.cos],
    ["sin", Math.sin],
  ] as const) {
    const expected = Array.from(order, (position) =>
      Array.from({ length: 4 }, (_, i) => f(Math.fround(position * Math.fround(10_000 ** (-i / 4))))),
    ).flat();
    floatsOf(found[name]).forEach((x, i) => {
      expect(Math.abs(x - (expected[i] as number)), `${name} ${i}`).toBeLessThan(1e-6);
    });
  }
});

it("holds frequencies as constants and not angles, however long the context", () => {
  const g = new GraphBuilder();
  const { cos } = rotaryTables(g, { theta: 10_000 }, 8, g.input("order", "int32", ["positions"]));
  g.output("cos", cos);
  const inline = g
    .build()
    .constants.map(({ source }) =>
      source.kind === "constant" && source.data.kind === "inline" ? source.data.bytes.length : 0,
    );
  expect(Math.max(...inline)).toBeLessThanOrEqual(16);
});
