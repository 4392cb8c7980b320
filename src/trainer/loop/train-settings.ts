/** @file The keys of a training config file, as Hugging Face, TRL and PEFT write them, and what each may hold. */
import { z } from "zod";
import { PREFERENCE_LOSSES } from "../losses/index.js";
import { SCHEDULES } from "../optim/index.js";
import { nearest } from "../text/index.js";

const LOSS_TYPES = ["sft", "orpo", ...PREFERENCE_LOSSES] as const;

const found = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);

type Refusal = ({ input }: { readonly input?: unknown }) => string;
const refusal = (expected: string): Refusal => {
  return ({ input }) => `expected ${expected}, found ${found(input)}`;
};

/** One message for one value, whichever of the checks it fails. */
function number(expected: string, fits: (value: number) => boolean) {
  const error = refusal(expected);
  return z.number({ error }).refine(fits, { error });
}

const whole = (least: number) =>
  number(`a whole number from ${least}`, (value) => Number.isSafeInteger(value) && value >= least);
const positive = () => number("a number above 0", (value) => value > 0);
const atLeast0 = () => number("a number from 0", (value) => value >= 0);
const share = () => number("a share from 0 to 1", (value) => value >= 0 && value <= 1);
const shareBelow1 = () => number("a share from 0 to below 1", (value) => value >= 0 && value < 1);
const flag = () => z.boolean({ error: refusal("true or false") });
const text = () => {
  const error = refusal("text");
  return z.string({ error }).trim().min(1, { error });
};

function oneOf<const T extends readonly [string, ...string[]]>(names: T) {
  const error: Refusal = ({ input }) => {
    const guess = typeof input === "string" ? nearest(input, names) : undefined;
    return `expected one of ${names.join(", ")}, found ${found(input)}${guess === undefined ? "" : `: did you mean "${guess}"?`}`;
  };
  return z.enum(names, { error });
}

const list = <T extends z.ZodType>(item: T, expected: string) => z.array(item, { error: refusal(expected) }).min(1);
const STRATEGIES = ["no", "steps", "epoch"] as const;

/** Every key is optional here; what is required, and what excludes what, `train-config.ts` says. */
export const settingsSchema = z.object({
  // Model and data
  model: text(),
  adapter: text(),
  output_dir: text(),
  overwrite_output_dir: flag(),
  resume_from_checkpoint: z.union([flag(), text()], { error: refusal("true, false or a checkpoint directory") }),
  pairs: text(),
  texts: text(),
  eval_pairs: text(),
  eval_texts: text(),
  // Loss
  loss_type: oneOf(LOSS_TYPES),
  beta: positive(),
  label_smoothing: shareBelow1(),
  simpo_gamma: atLeast0(),
  nll_over: oneOf(["prompt+chosen", "chosen"]),
  reference: oneOf(["phase_start", "base"]),
  // Optimization
  learning_rate: positive(),
  lr_scheduler_type: oneOf(SCHEDULES),
  warmup_steps: whole(0),
  warmup_ratio: shareBelow1(),
  num_train_epochs: positive(),
  max_steps: number("a whole number from 1, or -1 for none", (n) => n === -1 || (Number.isSafeInteger(n) && n >= 1)),
  per_device_train_batch_size: whole(1),
  gradient_accumulation_steps: whole(1),
  max_grad_norm: positive(),
  weight_decay: atLeast0(),
  max_tokens_per_micro_batch: whole(1),
  gradient_checkpointing: flag(),
  seed: whole(0),
  // Text
  max_prompt_length: whole(1),
  max_length: whole(2),
  packing: flag(),
  prompt_format: oneOf(["chat", "raw"]),
  dynamic_answer_comparison: flag(),
  mask_thinking_tokens: flag(),
  thinking_token_mask_percentage: share(),
  include_thinking_token_in_labels: flag(),
  thinking_markers: oneOf(["text", "tokens"]),
  think_start_token: text(),
  think_end_token: text(),
  // What is trained
  full_finetuning: flag(),
  lora_r: whole(1),
  lora_alpha: positive(),
  lora_dropout: shareBelow1(),
  target_modules: z.union([list(text(), "a list of names"), z.literal("all-linear")], {
    error: refusal('a list of layer names such as ["q_proj", "v_proj"], or "all-linear"'),
  }),
  use_rslora: flag(),
  trainable_token_indices: list(whole(0), "a list of token ids"),
  // Saving, logging, evaluation
  save_strategy: oneOf(STRATEGIES),
  save_steps: whole(1),
  save_total_limit: whole(1),
  logging_steps: whole(1),
  report_to: oneOf(["none", "tensorboard"]),
  eval_strategy: oneOf(STRATEGIES),
  eval_steps: whole(1),
  eval_size: number("a share below 1 or a number of rows", (n) => n > 0 && (n < 1 || Number.isSafeInteger(n))),
  per_device_eval_batch_size: whole(1),
  metric_for_best_model: text(),
  greater_is_better: flag(),
  // Machine
  device: oneOf(["auto", "cpu", "cuda", "webgpu"]),
  precision: oneOf(["auto", "float32", "float16", "bfloat16"]),
  threads: whole(1),
});

export type SettingName = keyof typeof settingsSchema.shape;
/** What the file says; a key that it does not name is absent. */
export type TrainSettings = { readonly [K in SettingName]?: z.infer<(typeof settingsSchema.shape)[K]> };
export const SETTING_NAMES = Object.keys(settingsSchema.shape) as readonly SettingName[];

export interface ReadSettings {
  readonly settings: TrainSettings;
  readonly problems: readonly string[];
}

/** Checks each key on its own; keys with problems are left out of `settings`. A key set to null counts as absent. */
export function readSettings(input: unknown): ReadSettings {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return { settings: {}, problems: [`expected an object of settings, found ${found(input)}`] };
  }
  const settings: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(input)) {
    if (!isSettingName(key)) {
      const guess = nearest(key.replaceAll("-", "_"), SETTING_NAMES);
      problems.push(`unknown key "${key}"${guess === undefined ? "" : `: did you mean "${guess}"?`}`);
    } else if (value !== null && value !== undefined) {
      const result = settingsSchema.shape[key].safeParse(value);
      if (result.success) settings[key] = result.data;
      else problems.push(`${key}: ${result.error.issues[0]?.message ?? "is not valid"}`);
    }
  }
  return { settings, problems };
}

const isSettingName = (key: string): key is SettingName => Object.hasOwn(settingsSchema.shape, key);
