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
  it("comes back with rsLoRA and trained rows of tokens, and its README says who cannot read them", async () => {
    const dir = join(await tempDir(), "adapter");
    const tokenRows = [
      { path: "lm_head", hidden: 2, values: Float32Array.of(1, 2, 3, 4) },
      { path: "model.embed_tokens", hidden: 2, values: Float32Array.of(5, 6, 7, 8) },
    ];
    const indices = { embed_tokens: [9, 3], lm_head: [9, 3] };
    const config = { ...ADAPTER.config, useRslora: true, trainableTokenIndices: indices, revision: "abc" };
    const adapter = { ...ADAPTER, config, tokenRows };
    await writeAdapterDir(dir, adapter);
    expect(await readAdapterDir(dir)).toEqual(adapter);
    const json = JSON.parse(await readFile(join(dir, "adapter_config.json"), "utf8"));
    expect(json).toMatchObject({ use_rslora: true, trainable_token_indices: indices, revision: "abc" });
    const readme = await readFile(join(dir, "README.md"), "utf8");
    // alpha / r with 4 · √2 is alpha / √r with 4.
    expect(readme).toMatch(/llama\.cpp's converter does not read `use_rslora`.*"lora_alpha": 5\.65/s);
    expect(readme).toMatch(/vLLM and llama\.cpp cannot use such an adapter.*merged export/s);
    expect(readme).toMatch(/from_pretrained\("some\/base", revision="abc"\)/);
  });
  it.each<[string, unknown, readonly string[]]>([
    ["names", ["down_proj", "q_proj"], ["down_proj", "q_proj"]],
    ["whole paths", ["model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj"], ["down_proj", "q_proj"]],
    ["a pattern", ".*\\.(down|q)_proj", ["down_proj", "q_proj"]],
    ["all linear layers", "all-linear", ["down_proj", "q_proj"]],
    ["nothing", null, ["down_proj", "q_proj"]],
  ])("may say its targets by %s", async (_, target_modules, expected) => {
    const dir = await adapterDir();
    const file = join(dir, "adapter_config.json");
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), target_modules }));
    expect((await readAdapterDir(dir)).config.targetModules).toEqual(expected);
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
    ["a switch that is none", { use_rslora: "yes" }, /use_rslora: /],
    [
      "a start that took its part out of the base model",
      { init_lora_weights: "pissa" },
      /init_lora_weights: .*"pissa"/,
    ],
    ["another kind of LoRA", { kasa_config: { gamma: 1 } }, /kasa_config: not supported/],
    ["trained biases", { bias: "all" }, /bias: expected "none", found "all"/],
    ["transposed weights", { fan_in_fan_out: true }, /fan_in_fan_out/],
    ["whole saved modules", { modules_to_save: ["lm_head"] }, /modules_to_save: not supported/],
    ["ranks by pattern", { rank_pattern: { q_proj: 4 } }, /rank_pattern/],
    ["alphas by pattern", { alpha_pattern: { q_proj: 4 } }, /alpha_pattern/],
    ["token rows that are not in the file", { trainable_token_indices: [1] }, /embed_tokens: the rows .* are missing/],
    ["rows of another module", { trainable_token_indices: { wte: [1] } }, /trainable_token_indices: .* found wte/],
    ["token ids that are none", { trainable_token_indices: [-1] }, /trainable_token_indices/],
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
    [
      "rows of tokens that the config does not name",
      "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta",
      /trainable_token_indices has no embed_tokens/,
    ],
    [
      "a whole embedding beside the rows",
      "base_model.model.model.embed_tokens.token_adapter.base_layer.weight",
      /whole embedding.*save_embedding_layers=False/,
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
