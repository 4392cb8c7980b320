/** @file What a built training step does not contain: gradients that nobody asked for. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Graph, Node } from "../../../src/trainer/graph/index.js";
import type { ThetaLayout } from "../../../src/trainer/model/index.js";
import { trainProgram } from "../../../src/trainer/run/programs.js";
import { goldenFolder } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";
import { openSource, type Source } from "../../support/trajectory.js";

const { model, adapter } = goldenFolder("tied-llama3"); // three layers
const under = (graph: Graph, prefix: string): readonly Node[] =>
  graph.nodes.filter(({ name }) => name.startsWith(prefix));
/** Products of backward that belong to one node of forward. */
const products = (graph: Graph, node: string): number =>
  under(graph, `grad/${node}/`).filter(({ op }) => op === "FusedMatMul" || op === "MatMul").length;

/** The entries of a layout that fit, as a layout of their own. */
function only({ entries }: ThetaLayout, fits: (name: string) => boolean): ThetaLayout {
  let length = 0;
  const kept = entries
    .filter(({ name }) => fits(name))
    .map((entry) => {
      const moved = { ...entry, offset: length };
      length += entry.size;
      return moved;
    });
  return { entries: kept, length };
}

describe.each([false, true])("a training step, gradient checkpointing %s", (gradientCheckpointing) => {
  const build = (source: Source): Graph => trainProgram(source, "orpo", { gradientCheckpointing });
  let lora: Source;
  let full: Source;
  beforeAll(async () => {
    lora = await openSource(model, GOLDEN_LORA, adapter);
    full = await openSource(model, { kind: "full" });
  });

  it("has no gradient of a frozen weight", () => {
    const [graph, whole] = [build(lora), build(full)];
    for (const layer of [1, 2]) {
      for (const module of ["attn/q_proj", "attn/o_proj", "mlp/gate_proj", "mlp/down_proj"]) {
        const node = `layers.${layer}/${module}/FusedMatMul`;
        expect(products(graph, node), node).toBe(1); // of the input alone
        expect(products(graph, `${node}_1`)).toBe(2); // LoRA's A, and its input
        expect(products(whole, node)).toBe(2);
      }
    }
    const scattered = (of: Graph): string[] =>
      of.nodes.filter(({ op }) => op === "ScatterElements").map(({ outputs }) => outputs[0]?.shape.join() as string);
    expect(scattered(graph)).toEqual(["tokens,40"]); // rows with labels
    expect(scattered(whole).sort()).toEqual(["83,40", "83,40", "tokens,40"]); // also embedding and head
    // Of the head, the loop that carries ∂W is there for a trained one only.
    const loops = (of: Graph): number => of.nodes.filter(({ op }) => op === "Scan").length;
    expect([loops(graph), loops(whole)]).toEqual([1, 2]);
  });

  it("goes no lower than the lowest trained tensor", () => {
    const last = { ...lora, layout: only(lora.layout, (name) => name.startsWith("model.layers.2.mlp.down_proj")) };
    const graph = build(last);
    const backward = under(graph, "grad/").map(({ name }) => name.replace("grad/again/", "grad/"));
    const lower = backward.filter((name) =>
      /^grad\/(layers\.[01]|layers\.2\/attn|layers\.2\/mlp\/(gate|up)_proj)\//.test(name),
    );
    expect(gradientCheckpointing ? lower.filter((name) => !name.startsWith("grad/layers.2/")) : lower).toEqual([]);
    expect(backward.some((name) => name.startsWith("grad/layers.2/mlp/down_proj/"))).toBe(true);
    // In the lowest layer that is trained, nothing flows into its input either.
    const all = build(lora);
    expect(products(all, "layers.0/attn/q_proj/FusedMatMul")).toBe(0);
    expect(under(all, "grad/layers.0/attn/SimplifiedLayerNormalization")).toEqual([]);
    expect(under(all, "grad/layers.1/attn/SimplifiedLayerNormalization")).not.toEqual([]);
  });

  it("has each layer's insides once more where it is checkpointed, else only scores and activations", () => {
    const names = under(build(lora), "grad/again/").map(({ name }) => name);
    const again = (part: string): boolean => names.some((name) => name.startsWith(`grad/again/${part}`));
    expect(again("layers.1/attn/Softmax")).toBe(true);
    expect(again("layers.1/mlp/Sigmoid")).toBe(true);
    expect(again("layers.1/attn/q_proj/")).toBe(gradientCheckpointing);
    expect(again("layers.1/mlp/up_proj/")).toBe(gradientCheckpointing);
  });
});
