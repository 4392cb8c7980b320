/** @file config.json of a Hugging Face checkpoint, to and from ModelConfig; what the decoder cannot do is refused by name. */
import { FAMILIES, PLAIN } from "./families.js";
import { type RawConfig, rawConfigSchema } from "./raw-config.js";
import type { Activation, ModelConfig, ModelType } from "./types.js";

const ACTIVATIONS: readonly Activation[] = ["silu", "gelu_pytorch_tanh"];
export const MODEL_TYPES = Object.keys(FAMILIES) as readonly ModelType[];

/** The ModelConfig of a parsed config.json. Throws one error with everything that is missing, malformed or unsupported. */
export function parseModelConfig(json: unknown): ModelConfig {
  const source = recordOf(json);
  const found = source["model_type"];
  const modelType = MODEL_TYPES.find((known) => known === found);
  const problems = modelType === undefined && found !== undefined ? [wrongModelType(found)] : [];
  const family = FAMILIES[modelType ?? "llama"];
  const parsed = rawConfigSchema.safeParse({ ...family.defaults, ...source });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${issue.path.join(".") || "(root)"}: ${issue.message}`);
    throw refusal(problems);
  }
  const raw = parsed.data;
  const headDim = raw.head_dim ?? raw.hidden_size / raw.num_attention_heads;
  const numKeyValueHeads = raw.num_key_value_heads ?? raw.num_attention_heads;
  const actKey = family.defaults.hidden_activation === undefined ? "hidden_act" : "hidden_activation";
  const hiddenAct = raw[actKey];
  if (!ACTIVATIONS.some((known) => known === hiddenAct)) {
    const known = ACTIVATIONS.map((name) => JSON.stringify(name)).join(" or ");
    problems.push(`${actKey}: expected ${known}, found ${JSON.stringify(hiddenAct)}`);
  }
  problems.push(...commonProblems(raw, headDim, numKeyValueHeads));
  const features = family.features(raw, headDim, problems);
  if (problems.length > 0) throw refusal(problems);
  return {
    modelType: modelType as ModelType,
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: raw.num_attention_heads,
    numKeyValueHeads,
    headDim,
    maxPositionEmbeddings: raw.max_position_embeddings,
    rmsNormEps: raw.rms_norm_eps,
    hiddenAct: hiddenAct as Activation,
    tieWordEmbeddings: raw.tie_word_embeddings,
    ...PLAIN,
    queryScale: 1 / Math.sqrt(headDim),
    ...features,
    ...(raw.bos_token_id == null ? {} : { bosTokenId: raw.bos_token_id }),
    eosTokenIds: [raw.eos_token_id ?? []].flat(),
    source,
  };
}

/** The keys that a JSON object has a value for; none where it is no object. */
function recordOf(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined));
}

/** What no family can do without. */
function commonProblems(raw: RawConfig, headDim: number, numKeyValueHeads: number): string[] {
  const problems: string[] = [];
  if ((raw.pretraining_tp ?? 1) !== 1) problems.push(`pretraining_tp: expected 1, found ${raw.pretraining_tp}`);
  if ((raw.partial_rotary_factor ?? 1) !== 1) {
    problems.push(`partial_rotary_factor: expected 1, found ${raw.partial_rotary_factor}`);
  }
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

function wrongModelType(found: unknown): string {
  const hint = found === "gemma3" ? " (a model with images; its text-only siblings are gemma3_text)" : "";
  return `model_type: expected ${MODEL_TYPES.join(", ")}; found ${JSON.stringify(found)}${hint}`;
}

function refusal(problems: readonly string[]): Error {
  const list = problems.map((problem) => `\n  - ${problem}`).join("");
  const families = MODEL_TYPES.join(", ");
  return new Error(
    `config.json does not describe a model that can be used here:${list}\nChoose a checkpoint of one of these families: ${families}.`,
  );
}

const TORCH_DTYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/**
 * The content of a config.json that transformers reads back as the same model: the one that was read, with the dtype
 * that is written now, and with vocabulary, head and special tokens as they are in `config`.
 */
export function toConfigJson(config: ModelConfig, dtype: "F32" | "F16" | "BF16"): Record<string, unknown> {
  const { dtype: _newer, ...source } = config.source;
  return {
    ...source,
    architectures: [FAMILIES[config.modelType].architecture],
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : (config.eosTokenIds[0] ?? null),
    tie_word_embeddings: config.tieWordEmbeddings,
    torch_dtype: TORCH_DTYPES[dtype],
    vocab_size: config.vocabSize,
  };
}
