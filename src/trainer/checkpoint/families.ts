/** @file The model families: what transformers assumes where a config.json is silent, and which features follow from its keys. */
import type { RawConfig } from "./raw-config.js";
import { LAYER_TYPES, type LayerType, readRope, readRopePerLayerType } from "./rope-config.js";
import type { LayerConfig, ModelConfig, ModelType } from "./types.js";

type Feature =
  | "qkvBias"
  | "outputBias"
  | "mlpBias"
  | "qkNorm"
  | "normOffset"
  | "sandwichNorms"
  | "embeddingScale"
  | "queryScale"
  | "ropes"
  | "layers";

/** The part of a ModelConfig in which families differ. */
export type Features = Pick<ModelConfig, Feature>;

export interface Family {
  /** The class of transformers for it. */
  readonly architecture: string;
  /** Keys of config.json where they are absent, as the family's class in transformers has them. */
  readonly defaults: Partial<RawConfig>;
  /** Features that differ from {@link PLAIN}. What cannot be computed here goes to `problems`, by key. */
  readonly features: (raw: RawConfig, headDim: number, problems: string[]) => Partial<Features> & Rotated;
}

type Rotated = Pick<Features, "ropes" | "layers">;

/** What most families have. */
export const PLAIN = {
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  qkNorm: false,
  normOffset: 0,
  sandwichNorms: false,
  embeddingScale: 1,
} as const satisfies Partial<Features>;

const SHARED: Partial<RawConfig> = { rms_norm_eps: 1e-6, tie_word_embeddings: false, hidden_act: "silu" };
const QWEN: Partial<RawConfig> = {
  ...SHARED,
  max_position_embeddings: 32_768,
  num_key_value_heads: 32,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

export const FAMILIES: { readonly [K in ModelType]: Family } = {
  llama: {
    architecture: "LlamaForCausalLM",
    defaults: { ...SHARED, max_position_embeddings: 2048, bos_token_id: 1, eos_token_id: 2 },
    features: (raw, _, problems) => ({
      ...biases(raw),
      mlpBias: raw.mlp_bias,
      ropes: [readRope(raw, problems)],
      layers: layers(raw, () => ({ window: undefined, rope: 0 })),
    }),
  },

  mistral: {
    architecture: "MistralForCausalLM",
    defaults: {
      ...SHARED,
      max_position_embeddings: 131_072,
      num_key_value_heads: 8,
      sliding_window: 4096,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    features: (raw, _, problems) => {
      if (raw.layer_types != null)
        problems.push("layer_types: mistral has one window for all layers, expected no such key");
      const window = raw.sliding_window ?? undefined;
      return { ropes: [readRope(raw, problems)], layers: layers(raw, () => ({ window, rope: 0 })) };
    },
  },

  qwen2: {
    architecture: "Qwen2ForCausalLM",
    defaults: QWEN,
    features: (raw, _, problems) => ({ qkvBias: true, ...qwenLayers(raw, problems) }),
  },

  qwen3: {
    architecture: "Qwen3ForCausalLM",
    defaults: { ...QWEN, head_dim: 128 },
    features: (raw, _, problems) => ({ ...biases(raw), qkNorm: true, ...qwenLayers(raw, problems) }),
  },

  smollm3: {
    architecture: "SmolLM3ForCausalLM",
    defaults: {
      ...SHARED,
      max_position_embeddings: 32_768,
      num_key_value_heads: 4,
      tie_word_embeddings: true,
      rope_theta: 2_000_000,
      no_rope_layer_interval: 4,
      bos_token_id: 128_000,
      eos_token_id: 128_001,
    },
    features: (raw, _, problems) => {
      const rotated = rotatedLayers(raw, problems);
      const slides = (i: number): boolean =>
        raw.use_sliding_window === true && raw.sliding_window != null && !rotated(i);
      const window = windows(raw, layerTypes(raw, slides, problems), raw.sliding_window, problems);
      return {
        ...biases(raw),
        mlpBias: raw.mlp_bias,
        ropes: [readRope(raw, problems)],
        layers: layers(raw, (i) => ({ window: window(i), rope: rotated(i) ? 0 : undefined })),
      };
    },
  },

  gemma3_text: {
    architecture: "Gemma3ForCausalLM",
    defaults: {
      ...SHARED,
      max_position_embeddings: 131_072,
      num_key_value_heads: 4,
      head_dim: 256,
      hidden_activation: "gelu_pytorch_tanh",
      tie_word_embeddings: true,
      query_pre_attn_scalar: 256,
      sliding_window: 4096,
      sliding_window_pattern: 6,
      rope_theta: 1_000_000,
      rope_local_base_freq: 10_000,
      bos_token_id: 2,
      eos_token_id: 1,
    },
    features: (raw, headDim, problems) => {
      for (const key of ["final_logit_softcapping", "attn_logit_softcapping"] as const) {
        if (raw[key] != null) problems.push(`${key}: soft-capping is not supported, expected null, found ${raw[key]}`);
      }
      if (raw.use_bidirectional_attention) problems.push("use_bidirectional_attention: expected false, found true");
      const types = layerTypes(raw, (i) => (i + 1) % (raw.sliding_window_pattern ?? 6) !== 0, problems);
      const window = windows(raw, types, raw.sliding_window, problems);
      const ropes = readRopePerLayerType(raw, problems);
      return {
        ...biases(raw),
        qkNorm: true,
        normOffset: 1,
        sandwichNorms: true,
        embeddingScale: Math.fround(Math.sqrt(raw.hidden_size)), // as transformers has it in float32
        queryScale: (raw.query_pre_attn_scalar ?? headDim) ** -0.5,
        ropes: LAYER_TYPES.map((type) => ropes[type]),
        layers: layers(raw, (i) => ({ window: window(i), rope: LAYER_TYPES.indexOf(types(i)) })),
      };
    },
  },
};

type PerLayer<T> = (layer: number) => T;

const layers = (raw: RawConfig, of: PerLayer<LayerConfig>): LayerConfig[] =>
  Array.from({ length: raw.num_hidden_layers }, (_, i) => of(i));

const biases = ({ attention_bias }: RawConfig): Pick<Features, "qkvBias" | "outputBias"> => ({
  qkvBias: attention_bias,
  outputBias: attention_bias,
});

function qwenLayers(raw: RawConfig, problems: string[]): Rotated {
  const size = raw.use_sliding_window ? raw.sliding_window : undefined;
  const types = layerTypes(raw, (i) => size != null && i >= (raw.max_window_layers ?? 28), problems);
  const window = windows(raw, types, size, problems);
  return { ropes: [readRope(raw, problems)], layers: layers(raw, (i) => ({ window: window(i), rope: 0 })) };
}

/** Each layer's type, as listed in layer_types or, where they are not listed, by `slides`. */
function layerTypes(raw: RawConfig, slides: PerLayer<boolean>, problems: string[]): PerLayer<LayerType> {
  const listed = raw.layer_types;
  if (listed == null) return (i) => (slides(i) ? "sliding_attention" : "full_attention");
  const unknown = [...new Set(listed)].filter((type) => !LAYER_TYPES.some((known) => known === type));
  if (unknown.length > 0) {
    problems.push(`layer_types: expected ${LAYER_TYPES.join(" or ")}, found ${unknown.join(", ")}`);
  }
  if (listed.length !== raw.num_hidden_layers) {
    problems.push(`layer_types: expected ${raw.num_hidden_layers} entries (num_hidden_layers), found ${listed.length}`);
  }
  return (i) => (listed[i] === "sliding_attention" ? "sliding_attention" : "full_attention");
}

function windows(
  raw: RawConfig,
  types: PerLayer<LayerType>,
  window: number | null | undefined,
  problems: string[],
): PerLayer<number | undefined> {
  const sliding = Array.from({ length: raw.num_hidden_layers }, (_, i) => types(i)).includes("sliding_attention");
  if (sliding && window == null) {
    const hint = raw.use_sliding_window === false ? " (use_sliding_window is false)" : "";
    problems.push(`sliding_window: layers of sliding_attention need a number, found none${hint}`);
  }
  return (i) => (types(i) === "sliding_attention" ? (window ?? undefined) : undefined);
}

/** SmolLM3: every n-th layer has no positions, or those that no_rope_layers marks with 0. */
function rotatedLayers(raw: RawConfig, problems: string[]): PerLayer<boolean> {
  const { no_rope_layers: marks, num_hidden_layers: count } = raw;
  if (marks == null) return (i) => (i + 1) % (raw.no_rope_layer_interval ?? 4) !== 0;
  if (marks.length < count)
    problems.push(`no_rope_layers: expected ${count} entries (num_hidden_layers), found ${marks.length}`);
  return (i) => marks[i] !== 0;
}
