import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Adapter, readAdapterDir, writeAdapterDir } from "../../../src/trainer/checkpoint/adapter-dir.js";
import { readSafetensorsHeader, tensorToWrite, writeSafetensors } from "../../../src/trainer/checkpoint/safetensors.js";
import { tempDir } from "./temp-dir.js";

const ADAPTER: Adapter = {
  config: {
    baseModelNameOrPath: "some/base",
    r: 2,
    loraAlpha: 4,
    loraDropout: 0,
    targetModules: ["q_proj", "down_proj"],
  },
  modules: [
    {
      path: "model.layers.0.mlp.down_proj",
      inFeatures: 3,
      outFeatures: 1,
      loraA: Float32Array.of(1, 2, 3, 4, 5, 6),
      loraB: Float32Array.of(7, 8),
    },
    {
      path: "model.layers.0.self_attn.q_proj",
      inFeatures: 1,
      outFeatures: 2,
      loraA: Float32Array.of(9, 10),
      loraB: Float32Array.of(11, 12, 13, 0.1),
    },
  ],
};

async function adapterDir(): Promise<string> {
  const dir = join(await tempDir(), "adapter");
  await writeAdapterDir(dir, ADAPTER);
  return dir;
}

describe("a PEFT adapter directory", () => {
  it("comes back as it was written", async () => {
    expect(await readAdapterDir(await adapterDir())).toEqual(ADAPTER);
  });
  it("comes back as it was written, for any ranks and values", async () => {
    const dir = join(await tempDir(), "adapter");
    const sizes = fc.record({
      r: fc.integer({ min: 1, max: 4 }),
      inFeatures: fc.integer({ min: 1, max: 5 }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ r, inFeatures, seed }) => {
        const fill = (n: number): Float32Array => new Float32Array(n).map((_, i) => Math.sin(seed + i));
        const module = {
          path: "model.layers.1.mlp.up_proj",
          inFeatures,
          outFeatures: 3,
          loraA: fill(r * inFeatures),
          loraB: fill(3 * r),
        };
        const adapter = { config: { ...ADAPTER.config, r, targetModules: ["up_proj"] }, modules: [module] };
        await writeAdapterDir(dir, adapter);
        expect(await readAdapterDir(dir)).toEqual(adapter);
      }),
      { seed: 3, numRuns: 20 },
    );
  });
  it("has PEFT's files, keys, shapes and fields", async () => {
    const dir = await adapterDir();
    expect((await readdir(dir)).sort()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors"]);
    const { entries } = await readSafetensorsHeader(join(dir, "adapter_model.safetensors"));
    expect(entries.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`)).toEqual([
      "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight F32 [2,3]",
      "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight F32 [1,2]",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight F32 [2,1]",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight F32 [2,2]",
    ]);
    const json = JSON.parse(await readFile(join(dir, "adapter_config.json"), "utf8"));
    expect(json).toMatchObject({
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: "some/base",
      revision: null,
      inference_mode: true,
      r: 2,
      lora_alpha: 4,
      lora_dropout: 0,
      target_modules: ["q_proj", "down_proj"],
      bias: "none",
      fan_in_fan_out: false,
      modules_to_save: null,
      use_rslora: false,
      use_dora: false,
      rank_pattern: {},
      alpha_pattern: {},
      trainable_token_indices: null,
    });
    expect(typeof json.peft_version).toBe("string");
    expect(await readFile(join(dir, "README.md"), "utf8")).toMatch(
      /^---\nbase_model: "some\/base"\nlibrary_name: peft\n---\n/,
    );
  });
  it("is written over an older one without leaving anything beside it", async () => {
    const dir = await adapterDir();
    await writeAdapterDir(dir, ADAPTER);
    expect(await readdir(join(dir, ".."))).toEqual(["adapter"]);
  });
});

describe("reading refuses by name", () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ["another method", { peft_type: "IA3" }, /peft_type: expected "LORA", found "IA3"/],
    ["another task", { task_type: "SEQ_CLS" }, /task_type/],
    ["DoRA", { use_dora: true }, /use_dora: expected false, found true/],
    ["rank-stabilized LoRA", { use_rslora: true }, /use_rslora/],
    ["trained biases", { bias: "all" }, /bias: expected "none", found "all"/],
    ["transposed weights", { fan_in_fan_out: true }, /fan_in_fan_out/],
    ["whole saved modules", { modules_to_save: ["lm_head"] }, /modules_to_save: not supported/],
    ["ranks by pattern", { rank_pattern: { q_proj: 4 } }, /rank_pattern/],
    ["alphas by pattern", { alpha_pattern: { q_proj: 4 } }, /alpha_pattern/],
    ["trained token rows", { trainable_token_indices: [1] }, /trainable_token_indices/],
    ["repeated layers", { layer_replication: [[0, 2]] }, /layer_replication/],
    ["a rank that is no number", { r: "2" }, /r: /],
    ["a rank unlike the tensors'", { r: 3 }, /lora_A\.weight: expected \[3, in\], found \[2,3\]/],
    ["two things, both named", { use_dora: true, bias: "all" }, /bias.*use_dora/s],
  ])("%s", async (_, change, message) => {
    const dir = await adapterDir();
    const file = join(dir, "adapter_config.json");
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), ...change }));
    await expect(readAdapterDir(dir)).rejects.toThrow(message);
  });
  it.each<[string, string, RegExp]>([
    [
      "a tensor that is no LoRA matrix",
      "base_model.model.lm_head.weight",
      /tensor base_model\.model\.lm_head\.weight: expected/,
    ],
    ["an A without its B", "base_model.model.x.lora_A.weight", /x: lora_B is missing/],
    ["a DoRA magnitude", "base_model.model.x.lora_magnitude_vector", /lora_magnitude_vector: expected/],
  ])("%s", async (_, name, message) => {
    const dir = await adapterDir();
    await writeSafetensors(join(dir, "adapter_model.safetensors"), [
      tensorToWrite(name, [2, 1], new Float32Array(2), "F32"),
    ]);
    await expect(readAdapterDir(dir)).rejects.toThrow(message);
  });
  it("a directory that is none", async () => {
    await expect(readAdapterDir(await tempDir())).rejects.toThrow(
      /lacks adapter_config\.json and adapter_model\.safetensors/,
    );
  });
});
