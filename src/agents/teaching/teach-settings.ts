/** @file The keys of a teach config file, as PRefLexOR, TRL, PEFT and Hugging Face write them, and what each may hold. */
import { z } from "zod";
import { nearest, type SettingName, settingsSchema } from "../../trainer/index.js";
import { REJECTED_RULES } from "./teach-plan.js";

const found = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);
const refusal =
  (expected: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    `expected ${expected}, found ${found(input)}`;

function number(expected: string, fits: (value: number) => boolean) {
  const error = refusal(expected);
  return z.number({ error }).refine(fits, { error });
}

const whole = (least: number) =>
  number(`a whole number from ${least}`, (value) => Number.isSafeInteger(value) && value >= least);
const atLeast0 = () => number("a number from 0", (value) => value >= 0);
const flag = () => z.boolean({ error: refusal("true or false") });
const text = () =>
  z
    .string({ error: refusal("text") })
    .trim()
    .min(1, { error: refusal("text") });
const texts = (expected: string) => z.array(text(), { error: refusal(expected) }).min(1, { error: refusal(expected) });

/** A numeral in a list is a number of examples gone astray, such as the 0 of `--topics 0`. */
const topics = () =>
  texts("a list of topics").refine((list) => list.every((topic) => !/^[-+.\d]+$/.test(topic)), {
    error: refusal("topics in words, or a number of examples alone"),
  });

/** Settings of the trainer that a phase may set, under the trainer's own names and rules. */
const OF_TRAINER = [
  "loss_type",
  "beta",
  "label_smoothing",
  "simpo_gamma",
  "nll_over",
  "reference",
  "learning_rate",
  "warmup_steps",
  "num_train_epochs",
  "per_device_train_batch_size",
  "gradient_accumulation_steps",
  "max_grad_norm",
  "weight_decay",
  "max_tokens_per_micro_batch",
  "max_prompt_length",
  "max_length",
  "dynamic_answer_comparison",
  "mask_thinking_tokens",
  "thinking_token_mask_percentage",
  "include_thinking_token_in_labels",
  "think_start_token",
  "think_end_token",
] as const satisfies readonly SettingName[];

/** Settings of the trainer that hold for a whole run: which weights are trained, and on what. */
const MODEL_KEYS = [
  "model",
  "adapter",
  "output_dir",
  "seed",
  "full_finetuning",
  "lora_r",
  "lora_alpha",
  "lora_dropout",
  "target_modules",
  "use_rslora",
  "gradient_checkpointing",
  "save_total_limit",
  "report_to",
  "device",
  "precision",
  "threads",
] as const satisfies readonly SettingName[];

/** The keys of one phase; at the top level they hold for every phase that does not set its own. */
export const phaseSchema = z.object({
  ...pick(OF_TRAINER),
  name: text(),
  iterations: whole(1),
  topics: z.union([whole(1), topics()], {
    error: refusal("a number of examples or a list of topics"),
  }),
  n_questions_for_each: whole(1),
  number_nodes_to_get: whole(1),
  retrieval_k: whole(1),
  retrieve_for_answers: flag(),
  reflection: flag(),
  get_rejected_from_trained_model: flag(),
  only_include_wrong_answers: flag(),
  student_samples: whole(1),
  rejected_rule: z.enum(REJECTED_RULES, { error: refusal(`one of ${REJECTED_RULES.join(", ")}`) }),
  think_for_rejected: flag(),
  generate_each_iteration: flag(),
  min_pairs: whole(1),
  n_steps: whole(1),
  save_steps: whole(0),
  prompt_suffix: z.string({ error: refusal("text") }),
  max_new_tokens: whole(1),
  temperature: atLeast0(),
  top_p: number("a number above 0, at most 1", (value) => value > 0 && value <= 1),
  replay_share: atLeast0(),
  replay_weight: atLeast0(),
  replay_chosen: flag(),
  roll_back: flag(),
  early_stopping_patience: whole(0),
});

export const runSchema = z.object({
  ...pick(MODEL_KEYS),
  corpus: text(),
  teacher: text(),
  teacher_base_url: text(),
  judge: text(),
  offline: flag(),
  concurrency: whole(1),
  token_budget: whole(1),
  timeout_seconds: whole(1),
  held_out_pairs: whole(0),
  demo_prompts: texts("a list of prompts"),
  demo_tokens: whole(1),
  evaluate_every: whole(0),
  evaluation_questions: whole(0),
  push_to_hub: text(),
});

export type PhaseSettings = { readonly [K in keyof typeof phaseSchema.shape]?: z.infer<(typeof phaseSchema.shape)[K]> };
export type RunSettings = { readonly [K in keyof typeof runSchema.shape]?: z.infer<(typeof runSchema.shape)[K]> };
export type TeachSettingName = keyof typeof phaseSchema.shape | keyof typeof runSchema.shape;

export const teachSchemas: Readonly<Record<TeachSettingName, z.ZodType>> = { ...runSchema.shape, ...phaseSchema.shape };

export interface TeachSettings {
  readonly run: RunSettings;
  /** Of the top level, for every phase that does not set its own. */
  readonly shared: PhaseSettings;
  /** What each sets itself. */
  readonly phases: readonly PhaseSettings[];
}

function pick<const K extends readonly SettingName[]>(names: K): Pick<typeof settingsSchema.shape, K[number]> {
  return Object.fromEntries(names.map((name) => [name, settingsSchema.shape[name]])) as Pick<
    typeof settingsSchema.shape,
    K[number]
  >;
}

type Found = Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Found =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads every key on its own and names all problems; a key set to null counts as absent. */
export function readTeachSettings(input: unknown): { readonly settings: TeachSettings; readonly problems: string[] } {
  if (!isRecord(input))
    return {
      settings: { run: {}, shared: {}, phases: [] },
      problems: [`expected an object of settings, found ${found(input)}`],
    };
  // A loss alone is a run of one phase.
  const { phases = input["loss_type"] === undefined ? DEFAULT_PHASES : [{}], ...top } = input;
  const problems: string[] = [];
  const known = readKeys(top, teachSchemas, "", problems);
  const of = (keys: object): Found => Object.fromEntries(Object.entries(known).filter(([key]) => key in keys));
  return {
    settings: {
      run: of(runSchema.shape) as RunSettings,
      shared: of(phaseSchema.shape) as PhaseSettings,
      phases: readPhases(phases, problems) as PhaseSettings[],
    },
    problems,
  };
}

/** The two phases of PRefLexOR (Buehler 2024, arXiv 2410.12375). */
const DEFAULT_PHASES = ["orpo", "exo_pair"] as const;

/** A phase may be the bare name of its loss. */
function readPhases(input: unknown, problems: string[]): Found[] {
  if (!Array.isArray(input) || input.length === 0) {
    problems.push(`phases: expected a list of losses or of phases, found ${found(input)}`);
    return [];
  }
  return input.map((each: unknown, i) => {
    const own = typeof each === "string" ? { loss_type: each } : each;
    if (isRecord(own)) return readKeys(own, phaseSchema.shape, `phases[${i}].`, problems);
    problems.push(`phases[${i}]: expected the name of a loss or an object of settings, found ${found(each)}`);
    return {};
  });
}

function readKeys(
  input: Found,
  schemas: Readonly<Record<string, z.ZodType>>,
  prefix: string,
  problems: string[],
): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(input)) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
    if (schema === undefined && Object.hasOwn(runSchema.shape, key)) {
      problems.push(`${prefix}${key}: holds for the whole run; give it beside phases, not in one`);
    } else if (schema === undefined) {
      const guess = nearest(key.replaceAll("-", "_"), Object.keys(schemas));
      problems.push(`unknown key "${prefix}${key}"${guess === undefined ? "" : `: did you mean "${guess}"?`}`);
    } else if (value !== null && value !== undefined) {
      const result = schema.safeParse(value);
      if (result.success) settings[key] = result.data;
      else problems.push(`${prefix}${key}: ${result.error.issues[0]?.message ?? "is not valid"}`);
    }
  }
  return settings;
}
