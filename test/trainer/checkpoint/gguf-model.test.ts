/** @file Whole models as GGUF, held byte for byte against what the gguf package writes (test/fixtures/make/gguf_model.py). */
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openCheckpointDir } from "../../../src/trainer/checkpoint/checkpoint-dir.js";
import { modelMetadata, modelProblems } from "../../../src/trainer/checkpoint/gguf-metadata.js";
import { GGUF_MODEL_TYPES, type GgufModelOptions, writeGgufModel } from "../../../src/trainer/checkpoint/gguf-model.js";
import type { LayerConfig, ModelConfig } from "../../../src/trainer/checkpoint/types.js";
import { tempDir } from "./temp-dir.js";

const fixture = (path: string): string => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url));
const MODEL = fixture("gguf/model");
const { config } = await openCheckpointDir(MODEL);
const digests = JSON.parse(await readFile(fixture("gguf/models.json"), "utf8")) as Record<string, string>;

async function write(dir: string, options: GgufModelOptions): Promise<Buffer> {
  const path = join(await tempDir(), "model.gguf");
  await writeGgufModel(path, dir, options);
  return readFile(path);
}

const bytesOf = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

type Json = Record<string, unknown>;
/** A model with another tokenizer.json or config. */
async function changed(file: string, change: (json: Json) => Json, model = MODEL): Promise<string> {
  const dir = join(await tempDir(), "model");
  await cp(model, dir, { recursive: true });
  const path = join(dir, file);
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")) as Json)));
  return dir;
}

describe("a model as GGUF", () => {
  it.each(GGUF_MODEL_TYPES)("is byte for byte what the gguf package writes, in %s", async (type) => {
    const bytes = await write(MODEL, { type });
    if (type === "q4_0") expect(bytes.equals(await readFile(fixture("gguf/model.q4_0.gguf")))).toBe(true);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(digests[type]);
  });

  it("keeps matrices in f16 whose rows no blocks fit into", async () => {
    const dir = fixture("llama-tiny/gqa-untied/model"); // 48 columns, and 80
    const [q8, f16] = await Promise.all(
      (["q8_0", "f16"] as const).map((type) => write(dir, { type, tokenizer: false })),
    );
    // The header names another file type and the version of quantization, and nothing else differs.
    expect(q8!.subarray(-50_000).equals(f16!.subarray(-50_000))).toBe(true);
  });

  it("needs a tokenizer unless told otherwise", async () => {
    const dir = fixture("llama-tiny/gqa-untied/model");
    await expect(write(dir, { type: "f16" })).rejects.toThrow(/has no tokenizer\.json/);
    expect((await write(dir, { type: "f16", tokenizer: false })).includes("no_vocab")).toBe(true);
  });

  it("adds the offset to norms of gemma, because llama.cpp multiplies by them as they are", async () => {
    const layer_types = Array(3).fill("sliding_attention");
    const dir = await changed(
      "config.json",
      (json) => ({ ...json, layer_types, query_pre_attn_scalar: 6 }),
      fixture("families/gemma3_text/model"),
    );
    const file = await write(dir, { type: "q8_0", tokenizer: false });
    const stored = await (await openCheckpointDir(dir)).readFloat32("model.layers.2.self_attn.k_norm.weight");
    expect(file.includes(bytesOf(stored.map((value) => value + 1)))).toBe(true);
    expect(file.includes(bytesOf(stored))).toBe(false);
  });

  it.each([
    ["qwen2 tells the window by the context that fits into it", { modelType: "qwen2", window: 100 }, "qwen2", 100],
    ["llama has all its positions", { modelType: "llama", window: undefined }, "llama", 512],
    ["gemma3 has its positions, and the window beside them", { modelType: "gemma3_text", window: 100 }, "gemma3", 512],
  ] as const)("of %s", (_, { modelType, window }, architecture, length) => {
    const layers: LayerConfig[] = [{ window, rope: 0 }];
    const metadata = modelMetadata({ ...config, modelType, layers });
    expect(metadata[`${architecture}.context_length`]?.value).toBe(length);
    expect(metadata["gemma3.attention.sliding_window"]?.value).toBe(architecture === "gemma3" ? window : undefined);
  });

  it("reports tensors, and leaves nothing when it is cancelled between two", async () => {
    const seen: number[] = [];
    await write(MODEL, { type: "f32", onProgress: (done) => seen.push(done) });
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const dir = await tempDir();
    const abort = new AbortController();
    const options = { type: "f32", signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) } as const;
    await expect(writeGgufModel(join(dir, "model.gguf"), MODEL, options)).rejects.toThrow(/enough/);
    expect(await readdir(dir)).toEqual([]);
  });
});

describe("a model that llama.cpp would compute differently", () => {
  const layers = (count: number, layer: (i: number) => LayerConfig): readonly LayerConfig[] =>
    Array.from({ length: count }, (_, i) => layer(i));
  const plain: ModelConfig = { ...config, qkvBias: false, outputBias: false, mlpBias: false, ropes: [{ theta: 1e4 }] };
  const gemma: ModelConfig = {
    ...plain,
    modelType: "gemma3_text",
    hiddenAct: "gelu_pytorch_tanh",
    layers: layers(12, (i) => ((i + 1) % 6 === 0 ? { window: undefined, rope: 0 } : { window: 8, rope: 0 })),
  };
  const smollm3: ModelConfig = {
    ...plain,
    modelType: "smollm3",
    layers: layers(8, (i) => ({ window: undefined, rope: (i + 1) % 4 === 0 ? undefined : 0 })),
  };
  const everywhere = layers(8, () => ({ window: undefined, rope: 0 }));

  it("is none of these", () => {
    for (const known of [config, plain, gemma, smollm3]) expect(modelProblems(known)).toEqual([]);
  });

  it.each([
    ["biases of qwen3", { ...plain, modelType: "qwen3", qkvBias: true }, /attention_bias/],
    ["another activation", { ...plain, hiddenAct: "gelu_pytorch_tanh" }, /hidden_act: gelu_pytorch_tanh/],
    ["another scale of the scores", { ...gemma, queryScale: 1 }, /query_pre_attn_scalar: expected 16/],
    ["llama3 scaling of qwen2", { ...config, modelType: "qwen2", outputBias: false, mlpBias: false }, /rope_scaling/],
    ["smollm3 rotated everywhere", { ...smollm3, layers: everywhere }, /no_rope_layers: layer 3 should not be rotated/],
    ["gemma3 that never slides", { ...gemma, layers: everywhere }, /layer_types: layer 0 should slide/],
  ] as const)("is refused: %s", (_, model, message) => {
    expect(modelProblems(model).join("\n")).toMatch(message);
  });

  it("is refused with the way out", async () => {
    const dir = await changed("config.json", (json) => ({ ...json, hidden_act: "gelu_pytorch_tanh" }));
    await expect(write(dir, { type: "f16" })).rejects.toThrow(/hidden_act: gelu.*\nUse it here instead/s);
  });
});

describe("the tokenizer of a GGUF file", () => {
  const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  const split = (Regex: string): Json => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
  const sequence = (...pretokenizers: Json[]): Json => ({ type: "Sequence", pretokenizers });
  const words = (digits: string): string =>
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
  const tokenizer = (pre_tokenizer: Json | null, ignore_merges = false): Promise<string> =>
    changed("tokenizer.json", (json) => ({
      ...json,
      pre_tokenizer,
      model: { ...(json["model"] as Json), ignore_merges },
    }));

  it.each([
    ["gpt-2", { ...bytes, use_regex: true }, false],
    ["smollm", sequence({ type: "Digits", individual_digits: true }, { ...bytes, use_regex: true }), false],
    ["qwen2", sequence(split(words("\\p{N}")), bytes), false],
    ["llama-bpe", sequence(split(words("\\p{N}{1,3}")), bytes), true],
  ] as const)("names its cut of a text: %s", async (name, steps, ignoreMerges) => {
    const file = await write(await tokenizer(steps, ignoreMerges), { type: "f16" });
    const at = file.indexOf("tokenizer.ggml.pre") + "tokenizer.ggml.pre".length + 4;
    expect(file.subarray(at + 8, at + 8 + Number(file.readBigUInt64LE(at))).toString()).toBe(name);
  });

  it.each([
    [
      "with a cut that llama.cpp has no name for",
      () => tokenizer(sequence(split("\\s+"), bytes)),
      /pre_tokenizer: .*\\s\+/,
    ],
    ["that is no byte-level BPE", () => tokenizer({ type: "Metaspace" }), /pre_tokenizer: \{"type":"Metaspace"/],
    ["whose merges llama.cpp would not use", () => tokenizer({ ...bytes, use_regex: true }, true), /ignore_merges/],
    [
      "with a token beyond the embedding",
      () =>
        changed("tokenizer.json", (json) => ({ ...json, added_tokens: [{ id: 300, content: "x", special: true }] })),
      /token 300: the embedding has 300 rows/,
    ],
    ["without merges", () => changed("tokenizer.json", (json) => ({ ...json, model: { vocab: {} } })), /model\.merges/],
  ])("is refused %s", async (_, dir, message) => {
    await expect(dir().then((path) => write(path, { type: "f16" }))).rejects.toThrow(message);
  });

  it("may lack a template and a configuration", async () => {
    const dir = await changed("config.json", (json) => json);
    await rm(join(dir, "chat_template.jinja"));
    await rm(join(dir, "tokenizer_config.json"));
    const file = await write(dir, { type: "f16" });
    expect(file.includes("tokenizer.chat_template")).toBe(false);
    expect(file.includes("tokenizer.ggml.eos_token_id")).toBe(true);
    expect(file.includes("tokenizer.ggml.padding_token_id")).toBe(false);
  });
});
