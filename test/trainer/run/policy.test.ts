/** @file The engine process and what it promises: cancel, refusal, determinism, checkpoints that continue bit for bit. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPolicy, type Policy, type StepOptions } from "../../../src/trainer/run/index.js";
import { goldenFolder, goldenPairs } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const { model, golden } = goldenFolder("tied-llama3");
const pairs = goldenPairs(golden.orpo);
const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-2,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0.01,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
};
const open = (seed = 1): Promise<Policy> => openPolicy({ model, trainable: GOLDEN_LORA, seed, threads: 1 });
const prompt = (...ids: number[]): Int32Array => Int32Array.from(ids);

describe("a policy", () => {
  let folder: string;
  let policy: Policy;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "policy-"));
    policy = await open();
  });
  afterAll(async () => {
    await policy.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("says what it is", () => {
    expect(policy.info.modelHash).toMatch(/^[0-9a-f]{64}$/);
    expect(policy.info.trainedParameters).toBeGreaterThan(1000);
    expect(policy.info.parameters).toBeGreaterThan(policy.info.trainedParameters);
  });

  it("continues from a checkpoint bit for bit, in another process", async () => {
    for (let i = 0; i < 2; i += 1) await policy.trainStep({ pairs, texts: [] }, STEP);
    const half = join(folder, "checkpoint-2");
    await policy.saveCheckpoint(half, { cursor: 2 });
    const unbroken = await policy.trainStep({ pairs, texts: [] }, STEP);
    await policy.saveAdapter(join(folder, "unbroken"));

    const other = await open(99);
    try {
      expect(await other.loadCheckpoint(half)).toEqual({ cursor: 2, global_step: 2 });
      expect(await other.stepCount()).toBe(2);
      expect(await other.trainStep({ pairs, texts: [] }, STEP)).toEqual(unbroken);
      await other.saveAdapter(join(folder, "resumed"));
    } finally {
      await other.close();
    }
    const bytes = (name: string) => readFile(join(folder, name, "adapter_model.safetensors"));
    expect((await bytes("resumed")).equals(await bytes("unbroken"))).toBe(true);
  });

  it("refuses a checkpoint of another model before it reads it", async () => {
    const stranger = await openPolicy({
      model: goldenFolder("gqa-untied").model,
      trainable: GOLDEN_LORA,
      seed: 1,
      threads: 1,
    });
    try {
      await expect(stranger.loadCheckpoint(join(folder, "checkpoint-2"))).rejects.toThrow(
        /another model.*\n.*baseModel: expected/,
      );
    } finally {
      await stranger.close();
    }
  });

  it("refuses a step whose gradients are not finite, names a tensor, and stays as it was", async () => {
    const before = await policy.scorePairs(pairs);
    const steps = await policy.stepCount();
    const broken = policy.trainStep({ pairs, texts: [] }, { ...STEP, beta: Number.POSITIVE_INFINITY });
    await expect(broken).rejects.toThrow(/was not taken.*model\.layers\.0.*Lower the learning rate/s);
    expect(await policy.scorePairs(pairs)).toEqual(before);
    expect(await policy.stepCount()).toBe(steps);
  });

  it("takes the same step however it is cut up, replayed texts included", async () => {
    const texts = [3, 9, 30].map((length) => ({
      ids: new Int32Array(length).fill(5),
      labels: new Uint8Array(length).fill(1),
    }));
    const start = join(folder, "checkpoint-start");
    await policy.saveCheckpoint(start, {});
    const whole = await policy.trainStep({ pairs, texts }, { ...STEP, textWeight: 0.5 });
    await policy.loadCheckpoint(start);
    const cut = await policy.trainStep({ pairs, texts }, { ...STEP, textWeight: 0.5, maxTokens: 1 });
    for (const [name, value] of Object.entries(whole)) expect(cut[name], name).toBeCloseTo(value, 4);
  });

  it("refuses an ORPO step without pairs", async () => {
    const text = { ids: prompt(1, 2, 3), labels: Uint8Array.from([0, 1, 1]) };
    await expect(policy.trainStep({ pairs: [], texts: [text] }, STEP)).rejects.toThrow(/at least one pair/);
  });

  it("draws the same tokens for a seed whatever else is in the batch", async () => {
    const options = { maxNewTokens: 16, temperature: 1, topP: 0.95, stopTokenIds: [2] };
    const request = { ids: prompt(3, 4, 5), seed: 7 };
    const [alone] = await policy.generate([request], options);
    const others = Array.from({ length: 5 }, (_, i) => ({ ids: prompt(...Array<number>(i + 1).fill(9)), seed: i }));
    const mixed = await policy.generate([...others, request], options);
    expect(mixed.at(-1)?.ids).toEqual(alone?.ids);
    expect(new Set(mixed.map(({ ids }) => ids.join())).size).toBeGreaterThan(3);
  });

  it("stops a generation when its signal aborts, and goes on with the next call", async () => {
    const abort = new AbortController();
    const options = { maxNewTokens: 400, temperature: 1, topP: 1, stopTokenIds: [] };
    const requests = Array.from({ length: 64 }, (_, seed) => ({ ids: prompt(1), seed }));
    const running = policy.generate(requests, { ...options, signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    const [next] = await policy.generate([{ ids: prompt(1), seed: 1 }], { ...options, maxNewTokens: 2 });
    expect(next?.ids.length).toBe(2);
  });

  it("refuses a prompt that does not fit the context, with both numbers", async () => {
    const long = new Int32Array(600).fill(3);
    await expect(
      policy.generate([{ ids: long, seed: 1 }], { maxNewTokens: 10_000, temperature: 0, topP: 1, stopTokenIds: [] }),
    ).rejects.toThrow(/600 prompt tokens and 10000 new ones exceed the context of/);
  });

  it("says so when its process dies, and rejects what was under way", async () => {
    const doomed = await open();
    const { engine } = doomed as unknown as { engine: { process: { child: { kill(signal: string): void } } } };
    const { child } = engine.process;
    const running = doomed.generate([{ ids: prompt(1), seed: 1 }], {
      maxNewTokens: 300,
      temperature: 1,
      topP: 1,
      stopTokenIds: [],
    });
    child.kill("SIGKILL");
    await expect(running).rejects.toThrow(/engine process ended \(SIGKILL\)/);
    await expect(doomed.stepCount()).rejects.toThrow(/engine process ended/);
    await doomed.close();
  });

  it("refuses a model that is not there, with what to do", async () => {
    await expect(openPolicy({ model: join(folder, "nowhere"), trainable: GOLDEN_LORA, seed: 1 })).rejects.toThrow(
      /there is no directory/,
    );
  });
});
