/** @file How the model is sampled and trained where nobody says otherwise: by the tools, the demo and `teach` alike. */
import { type PhasePlan, parseTeachConfig, type Sampling, type TeachConfig, teachPlan } from "../agents/index.js";
import { LORA_TARGETS, type LoraSpec } from "../trainer/index.js";

const GREEDY = { temperature: 0, topP: 1 } as const;

/** What differs between the package's own small model and a pre-trained one. Both get a LoRA adapter. */
export interface Recipe {
  /** Settings of a teach config; what the user sets goes over them. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly trainable: LoraSpec;
  /** How pairs are made and trained on. */
  readonly phase: PhasePlan;
  /** Most new tokens of one reply in recursive reasoning. */
  readonly reasoningTokens: number;
  /** Of a train-iteration that names no steps. With fewer, a model may have lost one way of answering and not found the other. */
  readonly leastSteps: number;
  /** Pairs that are only scored, where answers cannot be checked. */
  readonly heldOutPairs: number;
}

const LORA = { lora_r: 16, lora_alpha: 32 };

/** A million parameters take rates a hundred times the published ones. Replay keeps the facts, which pairs alone would wash out. */
const NANO_SETTINGS = {
  ...LORA,
  phases: [
    {
      loss_type: "orpo",
      iterations: 3,
      topics: 192,
      num_train_epochs: 2,
      learning_rate: 5e-3,
      warmup_steps: 5,
    },
    {
      loss_type: "exo_pair",
      iterations: 2,
      topics: 96,
      num_train_epochs: 1,
      only_include_wrong_answers: true,
      learning_rate: 1e-4,
      warmup_steps: 5,
    },
  ],
  per_device_train_batch_size: 16,
  gradient_accumulation_steps: 1,
  max_new_tokens: 96,
  temperature: 1,
  think_for_rejected: true,
  replay_share: 1,
  max_prompt_length: 192,
  max_length: 512,
  max_grad_norm: 1,
};

/** The published beta; four times the rate that scales with the size, for the few steps that a CPU can take; short samples. */
const PRETRAINED_SETTINGS = {
  ...LORA,
  phases: [
    {
      loss_type: "orpo",
      iterations: 1,
      num_train_epochs: 3,
      learning_rate: 1e-3,
      warmup_steps: 2,
    },
    { loss_type: "exo_pair", iterations: 1, num_train_epochs: 1, warmup_steps: 2 },
  ],
  topics: 24,
  held_out_pairs: 16,
  roll_back: true,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 1,
  max_new_tokens: 128,
  temperature: 0.8,
  top_p: 0.95,
  think_for_rejected: true,
  replay_share: 0,
  max_tokens_per_micro_batch: 2048,
  max_prompt_length: 512,
  max_length: 1024,
};

const RECIPES = {
  nano: { settings: NANO_SETTINGS, reasoningTokens: 96, leastSteps: 24, heldOutPairs: 32 },
  pretrained: { settings: PRETRAINED_SETTINGS, reasoningTokens: 320, leastSteps: 4, heldOutPairs: 16 },
} as const;
export type RecipeName = keyof typeof RECIPES;

/** The first phase names its rate, so the size of the model does not matter to it. */
const ANY_SIZE = 1e6;

export function recipeOf(name: RecipeName): Recipe {
  const { settings, ...recipe } = RECIPES[name];
  const config: TeachConfig = parseTeachConfig(settings, name);
  const [phase] = teachPlan(config, { parameters: ANY_SIZE }).phases as [PhasePlan];
  const trainable: LoraSpec = { kind: "lora", r: LORA.lora_r, loraAlpha: LORA.lora_alpha, targetModules: LORA_TARGETS };
  return { ...recipe, settings, trainable, phase };
}

/** Greedy, so that the same question gives the same answer. */
export function reasoningSampling({ phase, reasoningTokens }: Recipe): Sampling {
  return { ...phase.sampling, ...GREEDY, maxNewTokens: reasoningTokens };
}
