/** @file What the keys of each family's config.json mean, and what is refused. */
import { describe, expect, it } from "vitest";
import { parseModelConfig, toConfigJson } from "../../../src/trainer/checkpoint/model-config.js";
import type { ModelConfig } from "../../../src/trainer/checkpoint/types.js";

const SIZES = {
  vocab_size: 11,
  hidden_size: 16,
  intermediate_size: 12,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
};
const parse = (model_type: string, keys: object = {}): ModelConfig =>
  parseModelConfig({ ...SIZES, model_type, ...keys });
const windows = (config: ModelConfig) => config.layers.map(({ window }) => window);
const ropes = (config: ModelConfig) => config.layers.map(({ rope }) => rope);
const FULL_THEN_SLIDING = {
  layer_types: ["full_attention", "full_attention", "sliding_attention", "sliding_attention"],
};

describe("features that follow from config.json", () => {
  it("are plain in a llama", () => {
    expect(parse("llama")).toMatchObject({ qkNorm: false, normOffset: 0, embeddingScale: 1, queryScale: 0.5 });
    expect(new Set(windows(parse("llama")))).toEqual(new Set([undefined]));
  });

  it("mistral has a window of 4096 on every layer unless the file says null", () => {
    expect(windows(parse("mistral"))).toEqual([4096, 4096, 4096, 4096]);
    expect(windows(parse("mistral", { sliding_window: null }))).toEqual(Array(4).fill(undefined));
    expect(parse("mistral", { num_attention_heads: 8, num_key_value_heads: undefined }).numKeyValueHeads).toBe(8);
  });

  it("mistral, gemma and qwen2 ignore bias keys that transformers ignores", () => {
    for (const family of ["mistral", "qwen2", "gemma3_text"])
      expect(parse(family, { mlp_bias: true }).mlpBias).toBe(false);
    expect(parse("mistral", { attention_bias: true }).qkvBias).toBe(false);
    expect(parse("qwen2", { attention_bias: false })).toMatchObject({ qkvBias: true, outputBias: false });
    expect(parse("qwen3", { attention_bias: true })).toMatchObject({ qkvBias: true, outputBias: true });
  });

  it("qwen slides from max_window_layers on, and only if use_sliding_window says so", () => {
    const slides = { use_sliding_window: true, sliding_window: 5, max_window_layers: 2 };
    for (const family of ["qwen2", "qwen3"]) {
      expect(windows(parse(family, slides))).toEqual([undefined, undefined, 5, 5]);
      expect(windows(parse(family, { ...slides, ...FULL_THEN_SLIDING, max_window_layers: 0 }))).toEqual([
        undefined,
        undefined,
        5,
        5,
      ]);
      expect(windows(parse(family, { ...slides, use_sliding_window: false }))).toEqual(Array(4).fill(undefined));
    }
  });

  it("qwen3 has heads of 128 where the file is silent", () => {
    expect(parse("qwen3")).toMatchObject({ headDim: 128, qkNorm: true });
  });

  it("smollm3 leaves positions out of every fourth layer, or of those that the file marks", () => {
    expect(ropes(parse("smollm3"))).toEqual([0, 0, 0, undefined]);
    expect(ropes(parse("smollm3", { no_rope_layer_interval: 2 }))).toEqual([0, undefined, 0, undefined]);
    expect(ropes(parse("smollm3", { no_rope_layers: [0, 1, 1, 1] }))).toEqual([undefined, 0, 0, 0]);
    expect(parse("smollm3")).toMatchObject({ tieWordEmbeddings: true, ropes: [{ theta: 2_000_000 }] });
  });

  it("smollm3 slides on the layers without positions", () => {
    const config = parse("smollm3", { use_sliding_window: true, sliding_window: 5 });
    expect(windows(config)).toEqual([undefined, undefined, undefined, 5]);
  });

  it("gemma3 has two ropes, and every sixth layer is a full one", () => {
    const config = parse("gemma3_text", { num_hidden_layers: 6, sliding_window: 5 });
    expect(windows(config)).toEqual([5, 5, 5, 5, 5, undefined]);
    expect(config.ropes).toEqual([{ theta: 1_000_000 }, { theta: 10_000 }]);
    expect(ropes(config)).toEqual([1, 1, 1, 1, 1, 0]);
    expect(config).toMatchObject({
      headDim: 256,
      queryScale: 1 / 16,
      embeddingScale: 4,
      hiddenAct: "gelu_pytorch_tanh",
    });
  });

  it("gemma3's older rope_scaling is about the full layers alone", () => {
    const config = parse("gemma3_text", { rope_scaling: { rope_type: "linear", factor: 8 }, rope_local_base_freq: 5 });
    expect(config.ropes).toEqual([{ theta: 1_000_000, scaling: { type: "linear", factor: 8 } }, { theta: 5 }]);
  });
});

describe("refusals", () => {
  it.each<[string, string, object, RegExp]>([
    ["gemma3 with images", "gemma3", {}, /model_type.*"gemma3" \(a model with images/],
    ["soft-capped logits", "gemma3_text", { final_logit_softcapping: 30 }, /final_logit_softcapping.*found 30/],
    ["soft-capped scores", "gemma3_text", { attn_logit_softcapping: 50 }, /attn_logit_softcapping.*found 50/],
    ["attention both ways", "gemma3_text", { use_bidirectional_attention: true }, /use_bidirectional_attention/],
    ["gemma's ropes in one", "gemma3_text", { rope_parameters: { rope_theta: 1e6 } }, /full_attention and sliding/],
    ["two ropes elsewhere", "qwen3", { rope_parameters: { full_attention: {} } }, /qwen3 has one rope/],
    ["yarn", "qwen3", { rope_scaling: { rope_type: "yarn", factor: 4 } }, /rope_scaling: type "yarn".*"linear"/],
    [
      "heads that turn in part",
      "llama",
      { partial_rotary_factor: 0.5 },
      /partial_rotary_factor: expected 1, found 0.5/,
    ],
    ["layers of another type", "qwen2", { layer_types: Array(4).fill("linear_attention") }, /found linear_attention/],
    ["too few layer types", "qwen3", { layer_types: ["full_attention"] }, /expected 4 entries.*found 1/],
    ["a window without a size", "qwen3", FULL_THEN_SLIDING, /sliding_window: .*use_sliding_window is false/],
    ["layer types of a mistral", "mistral", FULL_THEN_SLIDING, /layer_types: mistral has one window/],
    ["too few marks", "smollm3", { no_rope_layers: [1] }, /no_rope_layers: expected 4 entries.*found 1/],
    [
      "all at once",
      "gemma3_text",
      { hidden_activation: "gelu", sliding_window: null },
      /hidden_activation.*sliding_window/s,
    ],
  ])("%s", (_, family, keys, message) => {
    expect(() => parse(family, keys)).toThrow(message);
  });
});

it.each(["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma3_text"])(
  "%s is written with all keys that were read",
  (family) => {
    const own = { sliding_window: 7, no_rope_layer_interval: 3, query_pre_attn_scalar: 9, unknown_key: [1] };
    const config = parse(family, { ...own, dtype: "float32" });
    const written = toConfigJson({ ...config, vocabSize: 13 }, "BF16");
    expect(written).toMatchObject({ ...own, torch_dtype: "bfloat16", vocab_size: 13, model_type: family });
    expect(written).not.toHaveProperty("dtype");
    expect({ ...parseModelConfig(written), source: 0 }).toEqual({ ...config, source: 0, vocabSize: 13 });
  },
);
