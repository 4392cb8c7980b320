/** @file adapter_config.json of PEFT: written with every field that PEFT writes; what we cannot use is refused by name. */
import { z } from "zod";

/** The release of PEFT whose fields are written. */
const PEFT_VERSION = "0.21.2";

/** A plain LoRA of one rank; names follow PEFT. */
export interface AdapterConfig {
  readonly baseModelNameOrPath: string;
  readonly revision?: string;
  readonly r: number;
  readonly loraAlpha: number;
  readonly loraDropout?: number;
  /** Scale alpha / √r instead of alpha / r. */
  readonly useRslora?: boolean;
  /** Names of layers; a pattern ("all-linear", a regular expression) stands here as the layers that it has met. */
  readonly targetModules: readonly string[];
  /** Token ids whose rows are trained, by the module that holds the rows. */
  readonly trainableTokenIndices?: TokenIndices;
}

export interface TokenIndices {
  readonly embed_tokens: readonly number[];
  /** Where the head is not tied and its rows are trained too. */
  readonly lm_head?: readonly number[];
}

/** The content of adapter_config.json. */
export function toAdapterConfigJson(config: AdapterConfig): Record<string, unknown> {
  return {
    alora_invocation_tokens: null,
    alpha_pattern: {},
    arrow_config: null,
    auto_mapping: null,
    base_model_name_or_path: config.baseModelNameOrPath,
    bias: "none",
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    kasa_config: null,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: config.loraAlpha,
    lora_bias: false,
    lora_dropout: config.loraDropout ?? 0,
    lora_ga_config: null,
    megatron_config: null,
    megatron_core: "megatron.core",
    modules_to_save: null,
    monteclora_config: null,
    peft_type: "LORA",
    peft_version: PEFT_VERSION,
    qalora_group_size: 16,
    r: config.r,
    rank_pattern: {},
    revision: config.revision ?? null,
    target_modules: [...config.targetModules],
    target_parameters: null,
    task_type: "CAUSAL_LM",
    trainable_token_indices: tokenIndicesJson(config.trainableTokenIndices),
    use_bdlora: null,
    use_dora: false,
    use_qalora: false,
    use_rslora: config.useRslora ?? false,
    velora_config: null,
  };
}

/** A list means the embedding alone. */
function tokenIndicesJson(indices: TokenIndices | undefined): unknown {
  if (indices === undefined) return null;
  return indices.lm_head === undefined ? [...indices.embed_tokens] : indices;
}

const idList = z.array(z.number().int().nonnegative());

const rawSchema = z.looseObject({
  base_model_name_or_path: z.string().nullish(),
  revision: z.string().nullish(),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).lt(1).default(0),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  use_rslora: z.boolean().nullish(),
  trainable_token_indices: z.union([idList, z.record(z.string(), idList)]).nullish(),
});

type RawConfig = z.infer<typeof rawSchema>;

/** Fields that change what an adapter computes, and the only values that a plain LoRA has. */
const PLAIN_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  task_type: ["CAUSAL_LM", null],
  bias: ["none"],
  fan_in_fan_out: [false],
  use_dora: [false],
  use_qalora: [false],
  lora_bias: [false],
  // Of the other ways to start, some take their part out of the base model's weights, which are then other weights.
  init_lora_weights: [true, false, null, "gaussian", "eva", "orthogonal"],
};

/** Fields that must be empty: null, {} or []. */
const EMPTY_FIELDS = [
  "modules_to_save",
  "rank_pattern",
  "alpha_pattern",
  "layer_replication",
  "target_parameters",
  "alora_invocation_tokens",
  "arrow_config",
  "kasa_config",
  "monteclora_config",
  "use_bdlora",
];

/**
 * The AdapterConfig of a parsed adapter_config.json; `problems` receives what is malformed or cannot be used.
 * `modulePaths` are the layers that have tensors: they say what a pattern in target_modules stood for.
 */
export function parseAdapterConfig(
  json: unknown,
  problems: string[],
  modulePaths: readonly string[] = [],
): AdapterConfig | undefined {
  const parsed = rawSchema.safeParse(json);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${issue.path.join(".") || "(root)"}: ${issue.message}`);
    return undefined;
  }
  const raw = parsed.data;
  problems.push(...featureProblems(raw));
  const indices = tokenIndices(raw.trainable_token_indices, problems);
  return {
    baseModelNameOrPath: raw.base_model_name_or_path ?? "",
    ...(raw.revision == null ? {} : { revision: raw.revision }),
    r: raw.r,
    loraAlpha: raw.lora_alpha,
    loraDropout: raw.lora_dropout,
    ...(raw.use_rslora ? { useRslora: true } : {}),
    targetModules: targetModules(raw.target_modules, modulePaths),
    ...(indices === undefined ? {} : { trainableTokenIndices: indices }),
  };
}

const leafOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

/** PEFT takes a list of names or of whole paths, a regular expression, or "all-linear"; the names of layers say the same. */
function targetModules(value: string | string[] | null | undefined, paths: readonly string[]): string[] {
  if (Array.isArray(value) && value.every((name) => name === leafOf(name))) return value;
  return [...new Set(paths.map(leafOf))].sort();
}

function tokenIndices(
  value: number[] | Record<string, number[]> | null | undefined,
  problems: string[],
): TokenIndices | undefined {
  if (value == null || Object.keys(value).length === 0) return undefined;
  if (Array.isArray(value)) return { embed_tokens: value };
  const byModule = new Map(Object.entries(value).map(([path, ids]) => [leafOf(path), ids]));
  const { embed_tokens: embedding, lm_head: head, ...others } = Object.fromEntries(byModule);
  if (Object.keys(others).length > 0 || embedding === undefined) {
    problems.push(
      `trainable_token_indices: expected embed_tokens, or embed_tokens and lm_head, found ${Object.keys(value).join(", ")}`,
    );
    return undefined;
  }
  return head === undefined ? { embed_tokens: embedding } : { embed_tokens: embedding, lm_head: head };
}

function featureProblems(raw: RawConfig): string[] {
  const problems: string[] = [];
  for (const [field, allowed] of Object.entries(PLAIN_VALUES)) {
    const required = field === "peft_type";
    const value = raw[field];
    if (value === undefined ? required : !allowed.includes(value)) {
      problems.push(`${field}: expected ${JSON.stringify(allowed[0])}, found ${JSON.stringify(value) ?? "nothing"}`);
    }
  }
  for (const field of EMPTY_FIELDS) {
    const value = raw[field];
    const empty = value == null || (typeof value === "object" && Object.keys(value).length === 0);
    if (!empty) problems.push(`${field}: not supported, found ${JSON.stringify(value)}`);
  }
  return problems;
}
