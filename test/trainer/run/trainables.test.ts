/** @file What a policy can train, through the engine: dropout, rsLoRA and new tokens, from a step to a checkpoint to a reply. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LoraSpec } from "../../../src/trainer/model/index.js";
import { openPolicy, type Policy, type StepOptions } from "../../../src/trainer/run/index.js";
import { readAdapterSpec } from "../../../src/trainer/run/trained-files.js";
import { goldenFolder, goldenPairs, goldenText } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const { model, golden } = goldenFolder("tied-llama3"); // 83 tokens
const pairs = goldenPairs(golden.orpo);
const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-2,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 1,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trainables-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function using<T>(trainable: LoraSpec, seed: number, body: (policy: Policy) => Promise<T>): Promise<T> {
  const policy = await openPolicy({ model, trainable, seed, threads: 1, device: "cpu" });
  try {
    return await body(policy);
  } finally {
    await policy.close();
  }
}

describe("LoRA dropout", () => {
  const trainable: LoraSpec = { ...GOLDEN_LORA, loraDropout: 0.3 };
  const batch = { pairs, texts: [] };

  it("leaves scores alone and changes steps, by the seed and the step", async () => {
    const { adapter } = goldenFolder("tied-llama3");
    const losses = async (spec: LoraSpec, seed: number) =>
      using(spec, seed, async (policy) => {
        await policy.loadAdapter(adapter);
        const scores = await policy.scorePairs(pairs);
        const still = { ...STEP, learningRate: 0 };
        const steps = [await policy.trainStep(batch, still), await policy.trainStep(batch, still)];
        return { scores, steps: steps.map((metrics) => metrics["loss"]) };
      });
    const [plain, dropped, again, other] = await Promise.all([
      losses(GOLDEN_LORA, 1),
      losses(trainable, 1),
      losses(trainable, 1),
      losses(trainable, 2),
    ]);
    expect(dropped.scores).toEqual(plain.scores);
    expect(again).toEqual(dropped);
    expect(new Set([...dropped.steps, ...other.steps, plain.steps[0]]).size).toBe(5);
    expect(plain.steps[1]).toBe(plain.steps[0]);
  });

  it("continues from a checkpoint bit for bit", async () => {
    const half = join(folder, "checkpoint-2");
    await using(trainable, 1, async (policy) => {
      for (let i = 0; i < 2; i += 1) await policy.trainStep(batch, STEP);
      await policy.saveCheckpoint(half, {});
      await policy.trainStep(batch, STEP);
      await policy.saveAdapter(join(folder, "unbroken"));
    });
    await using(trainable, 1, async (policy) => {
      await policy.loadCheckpoint(half);
      await policy.trainStep(batch, STEP);
      await policy.saveAdapter(join(folder, "resumed"));
    });
    const bytes = (name: string) => readFile(join(folder, name, "adapter_model.safetensors"));
    expect((await bytes("resumed")).equals(await bytes("unbroken"))).toBe(true);
  });
});

describe("new tokens", () => {
  const trainable: LoraSpec = {
    kind: "lora",
    r: 4,
    loraAlpha: 8,
    useRslora: true,
    targetModules: ["q_proj", "v_proj", "down_proj"],
    trainableTokenIndices: [83, 84],
  };
  const text = [1, 11, 12, 83, 20, 21, 84, 30, 2];
  const greedy = { maxNewTokens: 6, temperature: 0, topP: 1, stopTokenIds: [2] };
  const request = { ids: Int32Array.from(text.slice(0, 3)), seed: 1 };

  it("are learned, generated, saved and loaded, and the bare model does not write them", async () => {
    const reply = await using(trainable, 1, async (policy) => {
      const options = { ...STEP, loss: "sft", learningRate: 3e-2 } as const;
      for (let i = 0; i < 30; i += 1) await policy.trainStep({ pairs: [], texts: [goldenText(text)] }, options);
      await policy.saveAdapter(join(folder, "tokens"));
      const [generation] = await policy.generate([request], greedy);
      const [off] = await policy.generate([request], { ...greedy, adapter: "off" });
      expect([...(off?.ids ?? [])]).not.toContain(83);
      return [...(generation?.ids ?? [])];
    });
    expect(reply).toEqual(text.slice(3, -1));
    const spec = await readAdapterSpec(join(folder, "tokens"));
    expect(spec).toEqual(trainable);
    const again = await using(spec, 5, async (policy) => {
      await policy.loadAdapter(join(folder, "tokens"));
      return [...((await policy.generate([request], greedy))[0]?.ids ?? [])];
    });
    expect(again).toEqual(reply);
  });
});
