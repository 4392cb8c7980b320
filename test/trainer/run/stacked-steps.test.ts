/** @file Several steps in one run against the same steps one by one: metrics, vectors, dropout, and steps that are not finite. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Graph } from "../../../src/trainer/graph/index.js";
import type { TrainableSpec } from "../../../src/trainer/model/index.js";
import type { PlannedStep, StepOptions } from "../../../src/trainer/run/index.js";
import { LocalPolicy } from "../../../src/trainer/run/local-policy.js";
import { stepsProgram } from "../../../src/trainer/run/steps-program.js";
import { CUDA_KERNELS, kernelGaps } from "../../../src/trainer/runtime/kernel-table.js";
import { goldenFolder } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";
import { openSource } from "../../support/trajectory.js";

const { model } = goldenFolder("gqa-untied");
const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-3,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0.01,
  textWeight: 0.5,
  nllOver: "prompt+chosen",
  maxTokens: 140,
};
const FULL: TrainableSpec = { kind: "full" };
const HOOKS = { betweenRuns: async () => {} };

/** Tokens that follow from their place alone. */
const ids = (length: number, from: number): Int32Array =>
  Int32Array.from({ length }, (_, i) => 3 + ((7 * i + 13 * from) % 40));
const labelled = (length: number, from: number) => ({ ids: ids(length, from), labels: new Uint8Array(length).fill(1) });
const pair = (prompt: number, chosen: number, rejected: number) => ({
  prompt: ids(prompt, 1),
  chosen: labelled(chosen, 2),
  rejected: labelled(rejected, 3),
});
/** Steps of one micro-batch and of several, of one row and of two. */
const plan = (options: StepOptions): PlannedStep[] => [
  { batch: { pairs: [pair(5, 9, 4), pair(20, 40, 30), pair(3, 3, 6), pair(30, 30, 25)], texts: [] }, options },
  { batch: { pairs: [pair(4, 4, 4)], texts: [labelled(150, 4), labelled(60, 5)] }, options },
  { batch: { pairs: [pair(9, 2, 17)], texts: [] }, options: { ...options, learningRate: 2e-3 } },
  { batch: { pairs: [pair(40, 31, 17), pair(37, 16, 45)], texts: [] }, options: { ...options, maxTokens: 300 } },
];

/** What `steps` leave behind: their metrics, and the trained vectors as they are saved. */
async function train(policy: LocalPolicy, folder: string, steps: readonly PlannedStep[], inOneRun: boolean) {
  const metrics = await policy.trainSteps(steps, HOOKS, inOneRun);
  await policy.saveCheckpoint(folder, {});
  return { metrics, count: policy.stepCount(), state: await readFile(join(folder, "train_state.safetensors")) };
}

/** The float32 of a safetensors file. */
function floats(file: Buffer): Float32Array {
  const start = 8 + Number(file.readBigUInt64LE(0));
  return new Float32Array(new Uint8Array(file.subarray(start)).buffer);
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "steps-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each([
  ["LoRA, ORPO", GOLDEN_LORA, STEP, "float32"],
  ["LoRA with dropout, SFT", { ...GOLDEN_LORA, loraDropout: 0.2 }, { ...STEP, loss: "sft" }, "float32"],
  ["all weights, ORPO", FULL, STEP, "float32"],
  ["LoRA, ORPO in float16", GOLDEN_LORA, STEP, "float16"],
] as const)("%s", (name, trainable, options, precision) => {
  const open = () => LocalPolicy.open({ model, trainable, seed: 3, threads: 1, device: "cpu", precision });

  it("gives in one run what four runs give", async () => {
    const [one, four] = [await open(), await open()];
    const together = await train(one, join(folder, `${name} one`), plan(options), true);
    const apart = await train(four, join(folder, `${name} four`), plan(options), false);
    expect(together.count).toBe(4);
    const far = precision === "float16" ? 2e-3 : 4e-6;
    apart.metrics.forEach((metrics, i) => {
      expect(Object.keys(together.metrics[i] ?? {}).sort()).toEqual(Object.keys(metrics).sort());
      for (const [key, value] of Object.entries(metrics)) {
        const difference = Math.abs((together.metrics[i]?.[key] ?? Number.NaN) - value);
        expect(difference, `step ${i} ${key}`).toBeLessThan(far * Math.max(1, Math.abs(value)));
      }
    });
    const [a, b] = [floats(together.state), floats(apart.state)];
    expect(a.length).toBe(b.length);
    const most = a.reduce((max, x, i) => Math.max(max, Math.abs(x - (b[i] as number))), 0);
    expect(most).toBeLessThan(precision === "float16" ? 1e-3 : 1e-6);
    await one.close();
    await four.close();
  });
});

describe("a step that is not finite", () => {
  const open = (precision: "float32" | "float16") =>
    LocalPolicy.open({ model, trainable: GOLDEN_LORA, seed: 3, threads: 1, device: "cpu", precision });

  it("ends everything in float32, and nothing has changed", async () => {
    const policy = await open("float32");
    const steps = plan(STEP);
    const third = steps[2] as PlannedStep;
    steps[2] = { ...third, options: { ...third.options, beta: Number.POSITIVE_INFINITY } };
    const scores = () => policy.scorePairs([pair(4, 5, 6)], "current", HOOKS);
    const before = await scores();
    await expect(policy.trainSteps(steps, HOOKS, true)).rejects.toThrow(/step 3 was not taken/);
    expect(policy.stepCount()).toBe(0);
    expect(await scores()).toEqual(before);
    await policy.close();
  });

  it("is taken by itself with a smaller scale in float16, and the run goes on behind it", async () => {
    const policy = await open("float16");
    const steps = plan(STEP);
    const second = steps[1] as PlannedStep;
    steps[1] = { ...second, options: { ...second.options, textWeight: 1e4 } };
    const metrics = await policy.trainSteps(steps, HOOKS, true);
    const skipped = metrics.map(({ skipped_steps }) => skipped_steps);
    expect(skipped).toEqual([0, expect.any(Number), 0, 0]);
    expect(skipped[1]).toBeGreaterThan(0);
    const scales = metrics.map(({ loss_scale }) => loss_scale);
    expect(scales[1]).toBe(65536 / 2 ** (skipped[1] as number));
    expect(scales.slice(2)).toEqual([scales[1], scales[1]]);
    await policy.close();
  });
});

it.each(["float32", "float16", "bfloat16"] as const)("has a CUDA kernel for every node in %s", async (computeDtype) => {
  const source = { ...(await openSource(model, GOLDEN_LORA)), computeDtype };
  const graph: Graph = stepsProgram(source, "exo_pair", { gradientCheckpointing: true, loraDropout: 0.1 });
  expect(kernelGaps(graph, CUDA_KERNELS)).toEqual([]);
  expect(graph.nodes.filter(({ op }) => op === "Scan")).toHaveLength(1);
});
