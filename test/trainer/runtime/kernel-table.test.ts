/** @file The table of kernels against what the provider libraries answered, and the graphs that we build against the table. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { expectedTensors, openCheckpointDir } from "../../../src/trainer/checkpoint/index.js";
import { decodeProgram } from "../../../src/trainer/decode/decode-program.js";
import { type Graph, GraphBuilder, OP_TYPES, type OpType } from "../../../src/trainer/graph/index.js";
import { loraScale, thetaLayout } from "../../../src/trainer/model/index.js";
import { scoreProgram, trainProgram } from "../../../src/trainer/run/programs.js";
import {
  CUDA_KERNELS,
  type KernelTable,
  kernelGaps,
  WEBGPU_KERNELS,
} from "../../../src/trainer/runtime/kernel-table.js";
import { goldenFolder } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

type Answer = "kernel" | "cpu" | "none" | "invalid";
type Answers = Readonly<Record<string, Readonly<Record<string, Answer>>>>;
const file = fileURLToPath(new URL("../../fixtures/kernels/onnxruntime-1.29.0.json", import.meta.url));
const measured = JSON.parse(readFileSync(file, "utf8")) as { onnxruntime: string; cuda: Answers; webgpu: Answers };
const PROVIDERS: readonly (readonly ["cuda" | "webgpu", KernelTable])[] = [
  ["cuda", CUDA_KERNELS],
  ["webgpu", WEBGPU_KERNELS],
];

describe.each(PROVIDERS)("the table for %s", (provider, table) => {
  it.each(OP_TYPES)("says of %s what the library says", (op) => {
    const row = table[op];
    expect(row, `give ${op} a row in kernel-table.ts and a case in test/fixtures/make/kernels/models.py`).toBeDefined();
    const answers = measured[provider][op];
    expect(answers, `add ${op} to test/fixtures/make/kernels/models.py and measure again`).toBeDefined();
    for (const [key, answer] of Object.entries(answers ?? {})) {
      const [dtype, target] = key.split("-");
      const known = (list: readonly string[], one = ""): boolean => list.includes(one);
      const listed = known(row.kernels, dtype) && (target === undefined || known(row.targets ?? row.kernels, target));
      expect(listed ? "kernel" : "none", `${op} ${key}: ${answer}`).toBe(answer === "kernel" ? "kernel" : "none");
    }
  });

  it("holds for the other ways in which an op is used", () => {
    const variants = Object.keys(measured[provider]).filter((name) => name.includes("-"));
    expect(variants).toEqual(["MatMulNBits-4-bits", "ScatterElements-none"]);
    for (const variant of variants) {
      const { kernels } = table[variant.split("-")[0] as OpType];
      const answers = Object.entries(measured[provider][variant]!);
      const found = answers.filter(([, answer]) => answer === "kernel").map(([dtype]) => dtype);
      expect(found.sort(), variant).toEqual([...kernels].sort());
    }
  });

  it("gives a reason wherever a float has no kernel", () => {
    for (const op of OP_TYPES) {
      const { kernels, note } = table[op];
      const lacks = Object.keys(measured[provider][op] ?? {}).filter((key) => !kernels.some((known) => known === key));
      if (op !== "Cast" && lacks.length > 0) expect(note, `${op} ${lacks}`).toBeDefined();
    }
  });
});

it("was measured on the version that is installed", () => {
  const installed = JSON.parse(
    readFileSync(new URL("../../../node_modules/onnxruntime-node/package.json", import.meta.url), "utf8"),
  ) as { version: string };
  expect(installed.version, "measure again: test/fixtures/make/kernels").toBe(measured.onnxruntime);
});

describe("the programs", () => {
  const graphs = new Map<string, Graph>();
  beforeAll(async () => {
    const checkpoint = await openCheckpointDir(goldenFolder("tied-llama3").model);
    const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, GOLDEN_LORA);
    const source = { checkpoint, layout, loraScale: loraScale(GOLDEN_LORA) };
    for (const loss of ["sft", "orpo", "sigmoid", "ipo", "exo_pair"] as const)
      graphs.set(loss, trainProgram(source, loss));
    graphs.set("checkpointed", trainProgram(source, "orpo", { gradientCheckpointing: true, loraDropout: 0.1 }));
    graphs.set("score", scoreProgram(source));
    graphs.set("generate", decodeProgram(source));
  });

  it("have a CUDA kernel for every node, in float32", () => {
    for (const [name, graph] of graphs) expect(kernelGaps(graph, CUDA_KERNELS), name).toEqual([]);
  });

  it("fall back to the CPU on WebGPU for these ops only, and for int64", () => {
    const gaps = [...graphs.values()].flatMap((graph) => kernelGaps(graph, WEBGPU_KERNELS));
    const ops = gaps.filter(({ dtype }) => dtype !== "int64").map(({ op }) => op);
    expect([...new Set(ops)].sort()).toEqual(["Concat", "ConstantOfShape", "FusedMatMul", "Loop", "Or", "Scan"]);
  });
});

it("a gap names op, dtype, how many nodes and the reason, inside loop bodies too", () => {
  const g = new GraphBuilder();
  const x = g.input("x", "bfloat16", ["n", 4]);
  const [logs] = g.scan({ scanned: [x] }, (inner, _, [row]) => [inner.log(inner.log(row!))]);
  g.output("y", g.cast(g.log(logs!), "float32"));
  expect(kernelGaps(g.build(), CUDA_KERNELS)).toEqual([
    { op: "Log", dtype: "bfloat16", nodes: 3, reason: CUDA_KERNELS.Log.note },
  ]);
  expect(kernelGaps(g.build(), WEBGPU_KERNELS).map(({ op, dtype }) => `${op} ${dtype}`)).toContain("Cast bfloat16");
});
