/** @file The base model: made the same from a seed, and models/nano is what its manifest says. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BaseModelPlan,
  loadText,
  measureRecall,
  NANO_PLAN,
  trainBaseModel,
  writeUntrainedModel,
} from "../../src/agents/base-model.js";
import { createMaterialsWorld } from "../../src/agents/environments/index.js";
import { openPolicy } from "../../src/trainer/index.js";

const NANO = fileURLToPath(new URL("../../models/nano/", import.meta.url));
const world = createMaterialsWorld({ seed: NANO_PLAN.seed });
const plan: BaseModelPlan = {
  ...NANO_PLAN,
  hiddenSize: 32,
  intermediateSize: 48,
  layers: 1,
  rowsPerStep: 8,
  steps: 6,
  warmUpSteps: 2,
};

describe("a base model", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "base-model-"));
    await writeUntrainedModel(folder, world, plan);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const losses = async (): Promise<number[]> => {
    const text = await loadText(folder);
    const policy = await openPolicy({ model: folder, trainable: { kind: "full" }, seed: 1, threads: 1 });
    try {
      const found: number[] = [];
      for await (const { metrics } of trainBaseModel(policy, text, world, plan)) found.push(metrics["loss"] as number);
      return found;
    } finally {
      await policy.close();
    }
  };

  it("learns from the first steps on, and the same plan gives the same losses to the last bit", async () => {
    const first = await losses();
    expect(first).toHaveLength(plan.steps);
    expect(first.at(-1)).toBeLessThan(first[0] as number);
    expect(await losses()).toEqual(first);
  });

  it("keeps every name of the world one token, bare and after a space", async () => {
    const { tokenizer } = await loadText(folder);
    for (const name of world.vocabulary().slice(0, 288)) {
      expect(tokenizer.encode(name), name).toHaveLength(1);
      expect(tokenizer.encode(` ${name}`), name).toHaveLength(1);
    }
  });
});

describe("models/nano", () => {
  it("was trained on the texts that this world writes, passed its gate, and is small", async () => {
    const manifest = JSON.parse(await readFile(join(NANO, "manifest.json"), "utf8"));
    expect(manifest.corpusSha256).toBe(createHash("sha256").update(JSON.stringify(world.baseRows())).digest("hex"));
    expect(manifest.plan).toEqual(NANO_PLAN);
    expect(manifest.recall.recall).toBeGreaterThanOrEqual(0.98);
    expect(manifest.parameters).toBeGreaterThan(1e6);
    expect((await stat(join(NANO, "model.safetensors"))).size).toBeLessThan(8e6);
  });

  it("recalls at least 98 % of the world's facts and rules one at a time", async () => {
    const policy = await openPolicy({ model: NANO, trainable: { kind: "full" }, seed: 1 });
    try {
      const { recall, n } = await measureRecall(policy, await loadText(NANO), world);
      expect(n).toBe(1008);
      expect(recall).toBeGreaterThanOrEqual(0.98);
    } finally {
      await policy.close();
    }
  });
});
