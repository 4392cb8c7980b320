/** @file adapter_config.json of PEFT: written with every field that consumers look at; what we cannot use is refused by name. */
import { z } from "zod";

/** The generation of PEFT whose fields are written. */
const PEFT_VERSION = "0.17.1";

/** A plain LoRA of one rank; names follow PEFT. */
export interface AdapterConfig {
  readonly baseModelNameOrPath: string;
  readonly revision?: string;
  readonly r: number;
  readonly loraAlpha: number;
  readonly loraDropout?: number;
  readonly targetModules: readonly string[];
}

/** The content of adapter_config.json. */
export function toAdapterConfigJson(config: AdapterConfig): Record<string, unknown> {
  return {
    alpha_pattern: {},
    base_model_name_or_path: config.baseModelNameOrPath,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.loraAlpha,
    lora_dropout: config.loraDropout ?? 0,
    modules_to_save: null,
    peft_type: "LORA",
    peft_version: PEFT_VERSION,
    r: config.r,
    rank_pattern: {},
    revision: config.revision ?? null,
    target_modules: [...config.targetModules],
    task_type: "CAUSAL_LM",
    trainable_token_indices: null,
    use_dora: false,
    use_rslora: false,
  };
}

const rawSchema = z.looseObject({
  base_model_name_or_path: z.string().nullish(),
  revision: z.string().nullish(),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().default(0),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
});

type RawConfig = z.infer<typeof rawSchema>;

/** Fields that change what an adapter computes, and the only values that a plain LoRA has. */
const PLAIN_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  task_type: ["CAUSAL_LM", null],
  bias: ["none"],
  fan_in_fan_out: [false],
  use_rslora: [false],
  use_dora: [false],
  use_qalora: [false],
  lora_bias: [false],
};

/** Fields that must be empty: null, {} or []. */
const EMPTY_FIELDS = [
  "modules_to_save",
  "rank_pattern",
  "alpha_pattern",
  "trainable_token_indices",
  "layer_replication",
  "target_parameters",
  "alora_invocation_tokens",
];

/** The AdapterConfig of a parsed adapter_config.json; `problems` receives what is malformed or cannot be used. */
export function parseAdapterConfig(json: unknown, problems: string[]): AdapterConfig | undefined {
  const parsed = rawSchema.safeParse(json);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${issue.path.join(".") || "(root)"}: ${issue.message}`);
    return undefined;
  }
  const raw = parsed.data;
  problems.push(...featureProblems(raw));
  return {
    baseModelNameOrPath: raw.base_model_name_or_path ?? "",
    ...(raw.revision == null ? {} : { revision: raw.revision }),
    r: raw.r,
    loraAlpha: raw.lora_alpha,
    loraDropout: raw.lora_dropout,
    targetModules: [raw.target_modules ?? []].flat(),
  };
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
