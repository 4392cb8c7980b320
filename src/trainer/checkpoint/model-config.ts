/** @file config.json of a Hugging Face checkpoint, to and from ModelConfig; what the decoder cannot do is refused by name. */
import { z } from "zod";
import type { Llama3RopeScaling, ModelConfig } from "./types.js";

const size = z.number().int().positive();
const tokenId = z.number().int().nonnegative();

/** Defaults are those of transformers' LlamaConfig. Keys that are not listed do not change what a Llama decoder computes. */
const configSchema = z.object({
  model_type: z.string(),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  max_position_embeddings: size.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.string().default("silu"),
  pretraining_tp: z.number().default(1),
  quantization_config: z.unknown().optional(),
  bos_token_id: tokenId.nullish(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});

type RawConfig = z.infer<typeof configSchema>;

const llama3Schema = z.object({
  factor: z.number().positive(),
  low_freq_factor: z.number().positive(),
  high_freq_factor: z.number().positive(),
  original_max_position_embeddings: size,
});

/** The ModelConfig of a parsed config.json. Throws one error with everything that is missing, malformed or unsupported. */
export function parseModelConfig(json: unknown): ModelConfig {
  const parsed = configSchema.safeParse(json);
  const problems: string[] = [];
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${issue.path.join(".") || "(root)"}: ${issue.message}`);
    const modelType = (json as { model_type?: unknown } | null)?.model_type;
    if (typeof modelType === "string" && modelType !== "llama") problems.unshift(wrongModelType(modelType));
    throw refusal(problems);
  }
  const raw = parsed.data;
  const headDim = raw.head_dim ?? raw.hidden_size / raw.num_attention_heads;
  const numKeyValueHeads = raw.num_key_value_heads ?? raw.num_attention_heads;
  problems.push(...featureProblems(raw, headDim, numKeyValueHeads));
  const rope = readRope(raw, problems);
  if (problems.length > 0) throw refusal(problems);
  return {
    modelType: "llama",
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: raw.num_attention_heads,
    numKeyValueHeads,
    headDim,
    maxPositionEmbeddings: raw.max_position_embeddings,
    rmsNormEps: raw.rms_norm_eps,
    ...rope,
    tieWordEmbeddings: raw.tie_word_embeddings,
    attentionBias: raw.attention_bias,
    mlpBias: raw.mlp_bias,
    ...(raw.bos_token_id == null ? {} : { bosTokenId: raw.bos_token_id }),
    eosTokenIds: [raw.eos_token_id ?? []].flat(),
  };
}

function featureProblems(raw: RawConfig, headDim: number, numKeyValueHeads: number): string[] {
  const problems: string[] = [];
  if (raw.model_type !== "llama") problems.push(wrongModelType(raw.model_type));
  if (raw.hidden_act !== "silu") problems.push(`hidden_act: expected "silu", found "${raw.hidden_act}"`);
  if (raw.pretraining_tp !== 1) problems.push(`pretraining_tp: expected 1, found ${raw.pretraining_tp}`);
  if (raw.quantization_config != null) {
    problems.push("quantization_config: quantized weights are not supported; take the F32, F16 or BF16 checkpoint");
  }
  if (!Number.isInteger(headDim)) {
    problems.push(`hidden_size ${raw.hidden_size} is not a multiple of num_attention_heads ${raw.num_attention_heads}`);
  } else if (headDim % 2 !== 0) problems.push(`head_dim: rotary embedding needs an even size, found ${headDim}`);
  if (raw.num_attention_heads % numKeyValueHeads !== 0) {
    problems.push(
      `num_attention_heads ${raw.num_attention_heads} is not a multiple of num_key_value_heads ${numKeyValueHeads}`,
    );
  }
  return problems;
}

function wrongModelType(found: string): string {
  return `model_type: expected "llama", found "${found}"; other architectures are not supported yet`;
}

/** rope_theta and rope_scaling as they stand beside each other, or both inside the newer rope_parameters. */
function readRope(raw: RawConfig, problems: string[]): { ropeTheta: number; ropeScaling?: Llama3RopeScaling } {
  const key = raw.rope_parameters ? "rope_parameters" : "rope_scaling";
  const rope = raw.rope_parameters ?? raw.rope_scaling ?? {};
  const theta = z.number().positive().nullish().safeParse(rope["rope_theta"]);
  if (!theta.success) problems.push(`${key}.rope_theta: expected a positive number`);
  const ropeTheta = theta.data ?? raw.rope_theta ?? 10_000;
  const type = rope["rope_type"] ?? rope["type"] ?? "default";
  if (type === "default") return { ropeTheta };
  if (type !== "llama3") {
    problems.push(`${key}: type ${JSON.stringify(type)} is not supported; "default" and "llama3" are`);
    return { ropeTheta };
  }
  const scaling = llama3Schema.safeParse(rope);
  if (!scaling.success) {
    for (const issue of scaling.error.issues) problems.push(`${key}.${issue.path.join(".")}: ${issue.message}`);
    return { ropeTheta };
  }
  const ropeScaling: Llama3RopeScaling = {
    type: "llama3",
    factor: scaling.data.factor,
    lowFreqFactor: scaling.data.low_freq_factor,
    highFreqFactor: scaling.data.high_freq_factor,
    originalMaxPositionEmbeddings: scaling.data.original_max_position_embeddings,
  };
  return { ropeTheta, ropeScaling };
}

function refusal(problems: readonly string[]): Error {
  const list = problems.map((problem) => `\n  - ${problem}`).join("");
  return new Error(`config.json does not describe a model that can be used here:${list}\nChoose a Llama checkpoint.`);
}

const TORCH_DTYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** The content of a config.json that transformers reads back as the same model. */
export function toConfigJson(config: ModelConfig, dtype: "F32" | "F16" | "BF16"): Record<string, unknown> {
  const scaling = config.ropeScaling;
  return {
    architectures: ["LlamaForCausalLM"],
    attention_bias: config.attentionBias,
    attention_dropout: 0,
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : (config.eosTokenIds[0] ?? null),
    head_dim: config.headDim,
    hidden_act: "silu",
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositionEmbeddings,
    mlp_bias: config.mlpBias,
    model_type: "llama",
    num_attention_heads: config.numAttentionHeads,
    num_hidden_layers: config.numHiddenLayers,
    num_key_value_heads: config.numKeyValueHeads,
    rms_norm_eps: config.rmsNormEps,
    rope_scaling: scaling
      ? {
          rope_type: scaling.type,
          factor: scaling.factor,
          low_freq_factor: scaling.lowFreqFactor,
          high_freq_factor: scaling.highFreqFactor,
          original_max_position_embeddings: scaling.originalMaxPositionEmbeddings,
        }
      : null,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tieWordEmbeddings,
    torch_dtype: TORCH_DTYPES[dtype],
    vocab_size: config.vocabSize,
  };
}
