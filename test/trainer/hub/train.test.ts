/** @file A model that lies in the hub's cache, behind links, trains as it does in a plain directory. */
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openCheckpointDir } from "../../../src/trainer/checkpoint/index.js";
import { resolveModel } from "../../../src/trainer/hub/index.js";
import { openPolicy, type StepOptions } from "../../../src/trainer/run/index.js";
import { goldenFolder, goldenPairs } from "../../support/golden.js";
import { HubServer } from "../../support/hub-server.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";
import { tempDir } from "../checkpoint/temp-dir.js";

const ID = "lab/tied-llama3";
const { model, golden } = goldenFolder("tied-llama3");
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

async function downloaded(): Promise<string> {
  const hub = await HubServer.start();
  onTestFinished(() => hub.close());
  const names = await readdir(model);
  const files = await Promise.all(
    names.map(async (path) => ({ path, bytes: await readFile(join(model, path)), lfs: path.endsWith(".safetensors") })),
  );
  const tokenizer = { path: "tokenizer.json", bytes: Buffer.from("{}"), lfs: false };
  hub.repos.set(ID, { commit: "a".repeat(40), files: [...files, tokenizer] });
  return (await resolveModel(ID, { cacheDir: await tempDir(), endpoint: hub.endpoint })).path;
}

async function firstStep(path: string) {
  const policy = await openPolicy({ model: path, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
  try {
    const metrics = await policy.trainStep({ pairs: goldenPairs(golden.orpo), texts: [] }, STEP);
    return { metrics, modelHash: policy.info.modelHash };
  } finally {
    await policy.close();
  }
}

it("a step gives the same metrics, and the model has the same hash", async () => {
  expect(await firstStep(await downloaded())).toEqual(await firstStep(model));
});

it("tensors name the files behind the links, all in one folder", async () => {
  const path = await downloaded();
  const files = [...(await openCheckpointDir(path)).tensors.values()].map(({ file }) => file);
  expect(new Set(files.map((file) => dirname(file)))).toEqual(new Set([join(path, "../../blobs")]));
});

it("weights behind links into several folders are refused", async () => {
  const [here, there, dir] = [await tempDir(), await tempDir(), await tempDir()];
  const { tensors } = await openCheckpointDir(model);
  const shards = { "a.safetensors": here, "b.safetensors": there };
  const map: Record<string, string> = {};
  for (const name of tensors.keys()) map[name] = "a.safetensors";
  for (const [name, folder] of Object.entries(shards)) {
    await writeFile(join(folder, name), await readFile(join(model, "model.safetensors")));
    await symlink(join(folder, name), join(dir, name));
  }
  map["model.norm.weight"] = "b.safetensors";
  await writeFile(join(dir, "config.json"), await readFile(join(model, "config.json")));
  await writeFile(join(dir, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  await expect(openCheckpointDir(dir)).rejects.toThrow(/links into several folders: expected one, found/);
});
