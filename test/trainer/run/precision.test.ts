/** @file Training in 16 bits, as far as a CPU can show it: every op rounded, the kernels that CUDA has, and the loss scale. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TensorEntry } from "../../../src/trainer/checkpoint/types.js";
import { decodeProgram } from "../../../src/trainer/decode/decode-program.js";
import type { Graph, Value } from "../../../src/trainer/graph/index.js";
import { LORA_TARGETS, type LoraSpec, type TrainableSpec } from "../../../src/trainer/model/index.js";
import { openPolicy, type Policy, type StepOptions } from "../../../src/trainer/run/index.js";
import { LocalPolicy } from "../../../src/trainer/run/local-policy.js";
import { afterOverflow, afterStep, FRESH_LOSS_SCALE, GROWTH_INTERVAL } from "../../../src/trainer/run/loss-scale.js";
import { scoreProgram, trainProgram } from "../../../src/trainer/run/programs.js";
import { CUDA_KERNELS, kernelGaps } from "../../../src/trainer/runtime/kernel-table.js";
import { choosePrecision } from "../../../src/trainer/runtime/precision.js";
import { familyFolder } from "../../support/family-golden.js";
import { goldenFolder, goldenPairs } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";
import { roundedEachOp } from "../../support/sixteen-bits.js";
import { openProgram, openSource, packed, type Source, trajectory } from "../../support/trajectory.js";

const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-2,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
};
const NARROW = ["float16", "bfloat16"] as const;
const FULL: TrainableSpec = { kind: "full" };
const TOKENS: LoraSpec = { ...GOLDEN_LORA, trainableTokenIndices: [5, 9, 11], trainHeadRows: true };

const reply = (ids: readonly number[]) => ({ ids: Int32Array.from(ids), labels: new Uint8Array(ids.length).fill(1) });
/** A pair of replies that a tiny model's vocabulary has. */
const PAIR = { prompt: Int32Array.from([3, 9, 4, 17]), chosen: reply([5, 20, 11, 8, 30]), rejected: reply([12, 5, 9]) };

const MODELS = {
  llama: goldenFolder("tied-llama3").model,
  untied: goldenFolder("gqa-untied").model,
  qwen3: familyFolder("qwen3").model,
  gemma3: familyFolder("gemma3_text").model,
} as const;

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
const cosine = (a: Float32Array, b: Float32Array): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** Two steps of a graph. */
async function steps(source: Source, graph: Graph) {
  const program = await openProgram(source, graph);
  try {
    return await trajectory(source, { pairs: [PAIR], texts: [] }, STEP, { program, layOut: packed(4096) }, 2);
  } finally {
    await program.dispose();
  }
}

describe.each([
  ["llama", GOLDEN_LORA, "LoRA"],
  ["untied", FULL, "all weights"],
  ["llama", FULL, "all weights"],
  ["untied", TOKENS, "LoRA and rows of tokens"],
  ["qwen3", GOLDEN_LORA, "LoRA"],
  ["gemma3", GOLDEN_LORA, "LoRA"],
] as const)("%s, %s", (name, trainable, _what) => {
  let source: Source;
  let expected: Awaited<ReturnType<typeof steps>>;
  beforeAll(async () => {
    source = await openSource(MODELS[name], trainable);
    // B = 0 would leave A without a gradient.
    source.theta.forEach((x, i) => {
      if (x === 0) source.theta[i] = 0.02 * Math.sin(i);
    });
    expected = await steps(source, trainProgram(source, "orpo"));
  });

  it.each([
    ["float16", "on the CPU's own terms", (graph: Graph) => graph, 2e-3, 0.9999],
    ["float16", "each op rounded", roundedEachOp, 2e-3, 0.9999],
    ["bfloat16", "each op rounded", roundedEachOp, 2e-2, 0.998],
  ] as const)("in %s, %s, loses digits and keeps its direction", async (computeDtype, _how, as, far, near) => {
    const [first, second] = await steps(source, as(trainProgram({ ...source, computeDtype }, "orpo")));
    const [wide, next] = expected;
    expect(Math.abs((first?.loss ?? 0) - (wide?.loss ?? 0))).toBeLessThan(far);
    expect(cosine(first?.gradient as Float32Array, wide?.gradient as Float32Array)).toBeGreaterThan(near);
    expect(first?.gradient).not.toEqual(wide?.gradient);
    // Adam's first step takes the sign of every element, small ones too.
    expect(Math.abs((second?.loss ?? 0) - (next?.loss ?? 0))).toBeLessThan(5 * far);
  });
});

describe.each(NARROW)("the programs in %s", (computeDtype) => {
  const graphs = new Map<string, Graph>();
  beforeAll(async () => {
    for (const [name, model] of Object.entries(MODELS)) {
      for (const [what, trainable] of Object.entries({ lora: GOLDEN_LORA, full: FULL, tokens: TOKENS })) {
        const source = { ...(await openSource(model, trainable)), computeDtype };
        const options = { gradientCheckpointing: true, ...(what === "lora" && { loraDropout: 0.1 }) };
        for (const loss of ["sft", "orpo", "exo_pair"] as const)
          graphs.set(`${name} ${what} ${loss}`, trainProgram(source, loss));
        graphs.set(`${name} ${what} checkpointed`, trainProgram(source, "orpo", options));
        graphs.set(`${name} ${what} score`, scoreProgram(source));
        graphs.set(`${name} ${what} generate`, decodeProgram(source));
      }
    }
  });

  it("have a CUDA kernel for every node", () => {
    for (const [name, graph] of graphs) expect(kernelGaps(graph, CUDA_KERNELS), name).toEqual([]);
  });

  it("take and give float32 and int32 only", () => {
    for (const { inputs, outputs } of graphs.values()) {
      const dtypes = [...inputs, ...outputs.map(({ value }) => value)].map(({ dtype }) => dtype);
      expect(new Set(dtypes)).toEqual(new Set(["float32", "int32"]));
    }
  });

  it("multiply nothing of a layer in float32", () => {
    for (const [name, graph] of graphs) {
      const products = graph.nodes.filter(({ op, outputs }) => op === "FusedMatMul" && outputs[0]?.dtype === "float32");
      // What is left: sums over labels, and rows of single tokens.
      expect(
        products.filter((node) => /layers\./.test(node.name)).map((node) => node.name),
        name,
      ).toEqual([]);
    }
  });

  it("read frozen weights of that dtype in place", async () => {
    const source = await openSource(MODELS.llama, { ...GOLDEN_LORA, targetModules: LORA_TARGETS });
    const dtype = ({ float16: "F16", bfloat16: "BF16" } as const)[computeDtype];
    const stored = [...source.checkpoint.tensors].map(
      ([name, entry]) => [name, { ...entry, dtype } as TensorEntry] as const,
    );
    const checkpoint = { ...source.checkpoint, tensors: new Map(stored) };
    const { nodes } = trainProgram({ ...source, checkpoint, computeDtype }, "orpo");
    const fromFile = (value: Value | undefined): boolean =>
      value?.source.kind === "constant" && value.source.data.kind === "file";
    const casts = nodes.filter(({ op, inputs }) => op === "Cast" && fromFile(inputs[0]));
    // The norms' backward is float32.
    expect(casts.filter(({ inputs }) => inputs[0]?.shape.length !== 1)).toEqual([]);
  });
});

describe("a policy in float16", () => {
  const { model, golden } = goldenFolder("tied-llama3");
  const batch = { pairs: goldenPairs(golden.orpo), texts: [reply([4, 9, 30, 7])] };
  const open = (): Promise<Policy> =>
    openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1, device: "cpu", precision: "float16" });
  let folder: string;
  let policy: Policy;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "precision-"));
    policy = await open();
  });
  afterAll(async () => {
    await policy.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("says so", () => {
    expect(policy.info.precision).toBe("float16");
    expect(policy.info.precisionReason).toMatch(/^float16: asked for \(slower/);
  });

  it("tries a step that overflows again with half the scale, and goes on there after a checkpoint, bit for bit", async () => {
    const calm = await policy.trainStep(batch, STEP);
    expect(calm).toMatchObject({ loss_scale: 65536, skipped_steps: 0 });
    const loud = await policy.trainStep(batch, { ...STEP, textWeight: 1e4 });
    const { loss_scale: scale, skipped_steps: skipped, grad_norm: norm } = loud as Record<string, number>;
    expect(skipped).toBeGreaterThan(1);
    expect(scale).toBe(65536 / 2 ** (skipped as number));
    expect(Number.isFinite(norm)).toBe(true);
    expect(await policy.stepCount()).toBe(2);

    await policy.saveCheckpoint(join(folder, "checkpoint-2"), { cursor: 2 });
    const unbroken = await policy.trainStep(batch, STEP);
    expect(unbroken).toMatchObject({ loss_scale: scale, skipped_steps: 0 });
    const other = await open();
    try {
      await other.loadCheckpoint(join(folder, "checkpoint-2"));
      expect(await other.trainStep(batch, STEP)).toEqual(unbroken);
      expect(await other.scorePairs(batch.pairs)).toEqual(await policy.scorePairs(batch.pairs));
    } finally {
      await other.close();
    }
  });

  it("takes the same step whatever the scale was: it is a power of two, and divided out", async () => {
    await policy.saveCheckpoint(join(folder, "start"), {});
    const first = await policy.trainStep(batch, STEP);
    await policy.loadCheckpoint(join(folder, "start"));
    const again = await policy.trainStep(batch, STEP);
    expect(again).toEqual(first);
  });

  it("refuses what no scale can help, and stays as it was", async () => {
    const before = await policy.scorePairs(batch.pairs);
    const [count, { loss_scale }] = [await policy.stepCount(), (await policy.trainStep(batch, STEP)) as never];
    const after = await policy.scorePairs(batch.pairs);
    await expect(policy.trainStep(batch, { ...STEP, textWeight: 1e14 })).rejects.toThrow(
      /was not taken.*--precision bfloat16 or float32/s,
    );
    expect(await policy.stepCount()).toBe(count + 1);
    expect(await policy.scorePairs(batch.pairs)).toEqual(after);
    expect(after).not.toEqual(before);
    expect(await policy.trainStep(batch, STEP)).toMatchObject({ loss_scale, skipped_steps: 0 });
  });

  it("generates what it scores", async () => {
    const options = { maxNewTokens: 8, temperature: 0, topP: 1, stopTokenIds: [] };
    const prompt = Int32Array.from(golden.greedy.prompt);
    const [found] = await policy.generate([{ ids: prompt, seed: 1 }], options);
    const { ids, logps } = found as NonNullable<typeof found>;
    const [score] = await policy.scorePairs([{ prompt, chosen: reply([...ids]), rejected: reply([...ids]) }]);
    expect(logps.reduce((a, b) => a + b, 0)).toBeCloseTo(score?.chosen.sum ?? 0, 1);
  });
});

it("the loss scale doubles after enough good steps, and has a floor", () => {
  let scale = FRESH_LOSS_SCALE;
  for (let i = 0; i < GROWTH_INTERVAL - 1; i += 1) scale = afterStep(scale);
  expect(scale).toEqual({ scale: 65536, goodSteps: GROWTH_INTERVAL - 1 });
  expect(afterStep(scale)).toEqual({ scale: 131072, goodSteps: 0 });
  expect(afterOverflow(scale)).toEqual({ scale: 32768, goodSteps: 0 });
  expect(afterOverflow({ scale: 1, goodSteps: 0 })).toBeUndefined();
});

describe("the precision", () => {
  const stored = (...dtypes: TensorEntry["dtype"][]) =>
    new Map(dtypes.map((dtype, i) => [`${i}`, { dtype, byteLength: 8 } as TensorEntry]));
  it("is float32 unless a GPU has the checkpoint's own 16 bits", () => {
    expect(choosePrecision(undefined, "cpu", stored("BF16")).precision).toBe("float32");
    expect(choosePrecision("auto", "webgpu", stored("BF16")).precision).toBe("float32");
    expect(choosePrecision("auto", "cuda", stored("F32")).precision).toBe("float32");
    expect(choosePrecision("auto", "cuda", stored("BF16", "F32", "BF16")).precision).toBe("bfloat16");
    const { precision, reason } = choosePrecision("auto", "cuda", stored("F16"));
    expect(precision).toBe("float16");
    expect(reason).toMatch(/checkpoint's own \(untested on a GPU/);
  });

  it("bfloat16 is refused where nothing multiplies it", async () => {
    expect(choosePrecision("bfloat16", "cuda", stored("F32")).precision).toBe("bfloat16");
    const opened = LocalPolicy.open({
      model: MODELS.llama,
      trainable: GOLDEN_LORA,
      seed: 1,
      device: "cpu",
      precision: "bfloat16",
    });
    await expect(opened).rejects.toThrow(/bfloat16 matrices on CUDA only, and the device is cpu; use float32/);
  });
});
