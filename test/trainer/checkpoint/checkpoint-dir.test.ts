import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectedTensors, openCheckpointDir, writeModelDir } from "../../../src/trainer/checkpoint/checkpoint-dir.js";
import { parseModelConfig, toConfigJson } from "../../../src/trainer/checkpoint/model-config.js";
import { tensorToWrite, writeSafetensors } from "../../../src/trainer/checkpoint/safetensors.js";
import type { ModelConfig } from "../../../src/trainer/checkpoint/types.js";
import { tempDir } from "./temp-dir.js";

const RAW = {
  model_type: "llama",
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  eos_token_id: 3,
};
const LLAMA3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };

/** A config without the file that it was read from. */
const features = (config: ModelConfig) => ({ ...config, source: undefined });

describe("parseModelConfig", () => {
  it("fills in what transformers fills in", () => {
    const config = parseModelConfig({ ...RAW, num_key_value_heads: undefined, tie_word_embeddings: undefined });
    expect(config).toMatchObject({ headDim: 4, numKeyValueHeads: 2, tieWordEmbeddings: false, bosTokenId: 1 });
    expect(config.ropes).toEqual([{ theta: 10_000 }]);
    expect(config.eosTokenIds).toEqual([3]);
  });
  it("reads rope_parameters of newer files like rope_theta and rope_scaling of older ones", () => {
    const older = parseModelConfig({ ...RAW, rope_theta: 5e5, rope_scaling: { rope_type: "llama3", ...LLAMA3 } });
    const newer = parseModelConfig({ ...RAW, rope_parameters: { rope_theta: 5e5, rope_type: "llama3", ...LLAMA3 } });
    expect(features(newer)).toEqual(features(older));
    expect(older.ropes[0]?.scaling).toEqual({
      type: "llama3",
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 32,
    });
  });
  it("comes back the same from what toConfigJson writes", () => {
    for (const extra of [
      {},
      { rope_theta: 1e5, rope_scaling: { rope_type: "llama3", ...LLAMA3 }, eos_token_id: [1, 2] },
    ]) {
      const config = parseModelConfig({ ...RAW, bos_token_id: 1, attention_bias: true, ...extra });
      const back = parseModelConfig(JSON.parse(JSON.stringify(toConfigJson(config, "F16"))));
      expect(features(back)).toEqual(features(config));
    }
  });
  it.each<[string, Record<string, unknown>, RegExp]>([
    ["another architecture", { model_type: "gpt2" }, /model_type: expected llama, mistral.*; found "gpt2"/],
    ["another activation", { hidden_act: "gelu" }, /hidden_act: expected "silu" or "gelu_pytorch_tanh", found "gelu"/],
    ["tensor-parallel pretraining", { pretraining_tp: 2 }, /pretraining_tp: expected 1, found 2/],
    ["yarn", { rope_scaling: { rope_type: "yarn", factor: 2 } }, /rope_scaling: type "yarn" is not supported/],
    [
      "dynamic scaling under the old key",
      { rope_scaling: { type: "dynamic", factor: 2 } },
      /"dynamic" is not supported/,
    ],
    ["llama3 scaling without its factors", { rope_scaling: { rope_type: "llama3" } }, /rope_scaling\.low_freq_factor/],
    ["quantized weights", { quantization_config: { bits: 4 } }, /quantization_config/],
    [
      "heads that do not divide",
      { num_attention_heads: 3 },
      /hidden_size 8 is not a multiple of num_attention_heads 3/,
    ],
    ["groups that do not divide", { num_key_value_heads: 3 }, /is not a multiple of num_key_value_heads 3/],
    ["an odd head", { head_dim: 3 }, /head_dim: rotary embedding needs an even size, found 3/],
    ["no sizes", { vocab_size: undefined }, /vocab_size/],
    ["a size of zero", { hidden_size: 0 }, /hidden_size/],
    ["another architecture with missing keys", { model_type: "gpt2", vocab_size: "x" }, /model_type.*vocab_size/s],
    ["two problems, both named", { hidden_act: "relu", pretraining_tp: 4 }, /hidden_act.*pretraining_tp/s],
  ])("refuses %s", (_, change, message) => {
    expect(() => parseModelConfig({ ...RAW, ...change })).toThrow(message);
  });
  it.each([null, [], "x", 3])("refuses %j as a config", (json) => {
    expect(() => parseModelConfig(json)).toThrow(/config\.json/);
  });
});

const config = parseModelConfig(RAW);

/** Every parameter, filled with its own index: 0, 1, 2 … */
function parameters(): Map<string, Float32Array> {
  const sized = expectedTensors(config).map(({ name, shape }, i) => {
    return [name, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(i)] as const;
  });
  return new Map(sized);
}

async function modelDir(): Promise<string> {
  const dir = join(await tempDir(), "model");
  await writeModelDir(dir, config, parameters(), "F16");
  return dir;
}

/** The tensors of the model with some left out, changed or added, written as one file. */
async function rewrite(dir: string, change: (tensors: Map<string, readonly number[]>) => void): Promise<void> {
  const shapes = new Map(expectedTensors(config).map(({ name, shape }) => [name, shape]));
  change(shapes);
  const tensors = [...shapes].map(([name, shape]) => {
    return tensorToWrite(name, shape, new Float32Array(shape.reduce((a, b) => a * b, 1)), "F32");
  });
  await writeSafetensors(join(dir, "model.safetensors"), tensors);
}

describe("expectedTensors", () => {
  it("has nine tensors a layer, and the head only where it is not tied", () => {
    const names = expectedTensors(config).map(({ name }) => name);
    expect(names.length).toBe(2 * 9 + 2);
    expect(names).not.toContain("lm_head.weight");
    const untied = expectedTensors({ ...config, tieWordEmbeddings: false });
    expect(untied.at(-1)).toEqual({ name: "lm_head.weight", shape: [11, 8] });
  });
  it("shapes grouped keys by key-value heads and writes biases where the config has them", () => {
    const byName = new Map(expectedTensors({ ...config, qkvBias: true }).map(({ name, shape }) => [name, shape]));
    expect(byName.get("model.layers.1.self_attn.k_proj.weight")).toEqual([4, 8]);
    expect(byName.get("model.layers.1.self_attn.k_proj.bias")).toEqual([4]);
    expect(byName.get("model.layers.1.mlp.down_proj.weight")).toEqual([8, 12]);
    expect(byName.has("model.layers.1.mlp.down_proj.bias")).toBe(false);
  });
});

describe("a checkpoint directory", () => {
  it("written here opens with the same config and the same values", async () => {
    const dir = await modelDir();
    const opened = await openCheckpointDir(dir);
    expect(features(opened.config)).toEqual(features(config));
    for (const [name, values] of parameters()) expect(await opened.readFloat32(name)).toEqual(values);
    expect(JSON.parse(await readFile(join(dir, "generation_config.json"), "utf8"))).toEqual({
      bos_token_id: 1,
      eos_token_id: 3,
    });
  });
  it("has a hash that follows the bytes of the weights", async () => {
    const dir = await modelDir();
    const first = await (await openCheckpointDir(dir)).hash();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await (await openCheckpointDir(dir)).hash()).toBe(first);
    const changed = parameters();
    changed.get("model.norm.weight")![0] = 0.25;
    await writeModelDir(dir, config, changed, "F16");
    expect(await (await openCheckpointDir(dir)).hash()).not.toBe(first);
  });
  it("may come in shards", async () => {
    const dir = await modelDir();
    const whole = await openCheckpointDir(dir);
    const names = [...whole.tensors.keys()];
    const map: Record<string, string> = {};
    for (const [i, part] of [names.slice(0, 7), names.slice(7)].entries()) {
      const shard = `model-0000${i + 1}-of-00002.safetensors`;
      const tensors = await Promise.all(
        part.map(async (name) => {
          map[name] = shard;
          return tensorToWrite(name, whole.tensors.get(name)!.shape, await whole.readFloat32(name), "BF16");
        }),
      );
      await writeSafetensors(join(dir, shard), tensors);
    }
    await rm(join(dir, "model.safetensors"));
    await writeFile(join(dir, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
    const sharded = await openCheckpointDir(dir);
    for (const [name, values] of parameters()) expect(await sharded.readFloat32(name)).toEqual(values);
    await rm(join(dir, "model-00002-of-00002.safetensors"));
    await expect(openCheckpointDir(dir)).rejects.toThrow(/lacks shards.*model-00002-of-00002/s);
  });
  it("refuses an index that leads out of the directory", async () => {
    const dir = await modelDir();
    await copyFile(join(dir, "model.safetensors"), join(dir, "..", "outside.safetensors"));
    await rm(join(dir, "model.safetensors"));
    const map = { "model.norm.weight": "../outside.safetensors" };
    await writeFile(join(dir, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    await expect(openCheckpointDir(dir)).rejects.toThrow(
      /"\.\.\/outside\.safetensors" is not the name of a \.safetensors file/,
    );
  });
  it("names everything that is missing, misshapen or foreign, at once", async () => {
    const dir = await modelDir();
    await rewrite(dir, (tensors) => {
      tensors.delete("model.layers.0.mlp.up_proj.weight");
      tensors.set("model.norm.weight", [9]);
      tensors.set("model.layers.0.self_attn.q_norm.weight", [4]);
    });
    const message = await openCheckpointDir(dir).catch((error: Error) => error.message);
    expect(message).toContain("model.layers.0.mlp.up_proj.weight: missing, expected [12,8]");
    expect(message).toContain("model.norm.weight: expected [8], found [9]");
    expect(message).toContain("model.layers.0.self_attn.q_norm.weight: not part of this architecture");
  });
  it("tolerates stored rotary frequencies and a stored tied head", async () => {
    const dir = await modelDir();
    await rewrite(dir, (tensors) => {
      tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", [2]);
      tensors.set("lm_head.weight", [11, 8]);
    });
    await expect(openCheckpointDir(dir)).resolves.toBeDefined();
  });
  it("says what is missing and what to do", async () => {
    const dir = await tempDir();
    await expect(openCheckpointDir(join(dir, "none"))).rejects.toThrow(/there is no directory .*none; give the path/);
    await expect(openCheckpointDir(dir)).rejects.toThrow(/lacks:\s+- config\.json\s+- model\.safetensors .*Download/s);
    await writeFile(join(dir, "pytorch_model.bin"), "");
    await expect(openCheckpointDir(dir)).rejects.toThrow(/convert it to safetensors/);
  });
  it("is not there at all when writing it failed", async () => {
    const parent = await tempDir();
    await mkdir(join(parent, "tokenizer"));
    const missing = join(parent, "tokenizer", "tokenizer.json");
    await expect(writeModelDir(join(parent, "model"), config, parameters(), "F16", [missing])).rejects.toThrow();
    expect(await readdir(parent)).toEqual(["tokenizer"]);
  });
});
