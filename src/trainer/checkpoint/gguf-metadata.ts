/** @file What a GGUF file says about a decoder, and what llama.cpp's decoder of that name cannot compute. */
import { GGUF_FAMILIES } from "./gguf-names.js";
import type { GgufValue } from "./gguf-writer.js";
import type { Llama3RopeScaling, ModelConfig, RopeConfig } from "./types.js";

export type GgufMetadata = Readonly<Record<string, GgufValue>>;

const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
const float32 = (value: number): GgufValue => ({ type: "float32", value });

/** llama.cpp makes every n-th layer of these a special one, whatever the file says. */
const GLOBAL_EVERY = 6;
const UNROTATED_EVERY = 4;
/** Layers of the one gemma3 whose scores llama.cpp scales by hidden size over heads. */
const LAYERS_27B = 62;

/** Keys of the architecture, by llama.cpp's names. */
export function modelMetadata(config: ModelConfig): GgufMetadata {
  const { architecture } = GGUF_FAMILIES[config.modelType];
  const sliding = architecture === "gemma3" ? config.layers.find(({ window }) => window !== undefined) : undefined;
  const local = sliding?.rope === undefined ? undefined : config.ropes[sliding.rope];
  const values: Record<string, GgufValue> = {
    vocab_size: uint32(config.vocabSize),
    context_length: uint32(contextLength(config)),
    embedding_length: uint32(config.hiddenSize),
    block_count: uint32(config.numHiddenLayers),
    feed_forward_length: uint32(config.intermediateSize),
    "attention.head_count": uint32(config.numAttentionHeads),
    "attention.head_count_kv": uint32(config.numKeyValueHeads),
    "attention.key_length": uint32(config.headDim),
    "attention.value_length": uint32(config.headDim),
    "attention.layer_norm_rms_epsilon": float32(config.rmsNormEps),
    ...(sliding?.window !== undefined && { "attention.sliding_window": uint32(sliding.window) }),
    "rope.dimension_count": uint32(config.headDim),
    ...(local !== undefined && { "rope.freq_base_swa": float32(local.theta) }),
    ...ropeMetadata(globalRope(config)),
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${architecture}.${key}`, value]));
}

/** The rope of layers that see everything, or the only one. */
function globalRope({ layers, ropes }: ModelConfig): RopeConfig | undefined {
  const layer = layers.find(({ window, rope }) => window === undefined && rope !== undefined);
  return ropes[layer?.rope ?? 0];
}

function ropeMetadata(rope: RopeConfig | undefined): Record<string, GgufValue> {
  if (rope === undefined) return {};
  const base = { "rope.freq_base": float32(rope.theta) };
  if (rope.scaling?.type !== "linear") return base;
  return {
    ...base,
    "rope.scaling.type": { type: "string", value: "linear" },
    "rope.scaling.factor": float32(rope.scaling.factor),
  };
}

/** Only gemma3 has windows in llama.cpp: another model with one sees the same as long as all fits into it. */
function contextLength({ modelType, layers, maxPositionEmbeddings }: ModelConfig): number {
  if (modelType === "gemma3_text") return maxPositionEmbeddings;
  return Math.min(maxPositionEmbeddings, ...layers.flatMap(({ window }) => window ?? []));
}

/** Divisors of the rotary frequencies, [headDim / 2], of llama3 scaling; undefined where the file needs none. */
export function ropeFactors(config: ModelConfig): Float32Array | undefined {
  const rope = globalRope(config);
  const scaling = rope?.scaling;
  if (rope === undefined || scaling?.type !== "llama3") return undefined;
  return Float32Array.from({ length: config.headDim / 2 }, (_, i) =>
    llama3Factor(2 * Math.PI * rope.theta ** ((2 * i) / config.headDim), scaling),
  );
}

/** By how much a frequency of that wavelength is divided. */
function llama3Factor(wavelength: number, scaling: Llama3RopeScaling): number {
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxPositionEmbeddings: original } = scaling;
  const turns = original / wavelength; // in the original context
  if (turns > high) return 1;
  if (turns < low) return factor;
  const smooth = (turns - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}

/** What llama.cpp's decoder would compute differently, each by its key in config.json. */
export function modelProblems(config: ModelConfig): string[] {
  const { architecture } = GGUF_FAMILIES[config.modelType];
  const gemma = architecture === "gemma3";
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  expect(config.hiddenAct === (gemma ? "gelu_pytorch_tanh" : "silu"), `hidden_act: ${config.hiddenAct} is not its own`);
  const biases = config.outputBias || config.mlpBias || (config.qkvBias && architecture !== "qwen2");
  expect(!biases || architecture === "llama", "attention_bias, mlp_bias: it has no biases there");
  const scale =
    gemma && config.numHiddenLayers === LAYERS_27B ? config.hiddenSize / config.numAttentionHeads : config.headDim;
  expect(Math.abs(config.queryScale * Math.sqrt(scale) - 1) < 1e-6, `query_pre_attn_scalar: expected ${scale}`);
  expect(
    architecture === "llama" || ropeFactors(config) === undefined,
    "rope_scaling: llama3 scaling is for llama only",
  );
  config.layers.forEach(({ window, rope }, i) => {
    const unrotated = architecture === "smollm3" && (i + 1) % UNROTATED_EVERY === 0;
    expect(
      (rope === undefined) === unrotated,
      `no_rope_layers: layer ${i} should ${unrotated ? "not " : ""}be rotated`,
    );
    const windowed = (i + 1) % GLOBAL_EVERY !== 0;
    if (gemma)
      expect((window !== undefined) === windowed, `layer_types: layer ${i} should ${windowed ? "" : "not "}slide`);
    const scaling = rope === undefined ? undefined : config.ropes[rope]?.scaling;
    if (gemma && window !== undefined)
      expect(scaling === undefined, `rope_scaling: layer ${i} slides, and should not be scaled`);
  });
  return problems;
}
