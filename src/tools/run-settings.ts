/** @file How the model is sampled and trained, by the tools and the demo alike. */
import type { Sampling, TrainingPlan } from "../agents/index.js";
import { LORA_TARGETS, type LoraSpec } from "../trainer/index.js";

const GREEDY = { temperature: 0, topP: 1 } as const;

/** What differs between the package's own small model and a pre-trained one. Both get a LoRA adapter. */
export interface Recipe {
  readonly trainable: LoraSpec;
  /** The student's own replies, with the spread that makes pairs differ. */
  readonly sampling: Sampling;
  /** Most new tokens of one reply in recursive reasoning. */
  readonly reasoningTokens: number;
  readonly training: Omit<TrainingPlan, "seed" | "maxSteps">;
  /** Of a train-iteration that names no steps. With fewer, a model may have lost one way of answering and not found the other. */
  readonly leastSteps: number;
  /** Tokens of a prompt, and of prompt and reply together. */
  readonly maxPromptLength: number;
  readonly maxLength: number;
  /** Of one round of the demo. */
  readonly rounds: number;
  readonly pairs: number;
  /** Rounds between two evaluations. */
  readonly evaluateEvery: number;
  /** Pairs that are only scored, where answers cannot be checked. */
  readonly heldOutPairs: number;
}

const STEP = { loss: "orpo", maxGradNorm: 1, weightDecay: 0, nllOver: "prompt+chosen" } as const;

const lora = (r: number, loraAlpha: number): LoraSpec => ({ kind: "lora", r, loraAlpha, targetModules: LORA_TARGETS });

/** A million parameters take rates a hundred times the published ones. Replay keeps the facts, which pairs alone would wash out. */
const NANO: Recipe = {
  trainable: lora(16, 32),
  sampling: { maxNewTokens: 96, temperature: 1, topP: 1 },
  reasoningTokens: 96,
  training: {
    epochs: 2,
    batchPairs: 16,
    step: { ...STEP, learningRate: 5e-3, beta: 0.1, textWeight: 1, maxTokens: 4096 },
    warmupSteps: 5,
    replayRows: 16,
  },
  leastSteps: 24,
  maxPromptLength: 128,
  maxLength: 256,
  rounds: 3,
  pairs: 192,
  evaluateEvery: 1,
  heldOutPairs: 32,
};

/** The published beta; twenty times the published rate, for the few steps that a CPU can take; short samples. */
const PRETRAINED: Recipe = {
  trainable: lora(16, 32),
  sampling: { maxNewTokens: 128, temperature: 0.8, topP: 0.95 },
  reasoningTokens: 320,
  training: {
    epochs: 3,
    batchPairs: 2,
    step: { ...STEP, learningRate: 1e-3, beta: 0.1, textWeight: 0, maxTokens: 2048 },
    warmupSteps: 2,
  },
  leastSteps: 4,
  maxPromptLength: 512,
  maxLength: 1024,
  rounds: 1,
  pairs: 24,
  evaluateEvery: 1,
  heldOutPairs: 16,
};

const RECIPES = { nano: NANO, pretrained: PRETRAINED } as const;
export type RecipeName = keyof typeof RECIPES;

export const recipeOf = (name: RecipeName): Recipe => RECIPES[name];

/** Greedy, so that the same question gives the same answer. */
export function reasoningSampling({ sampling, reasoningTokens }: Recipe): Sampling {
  return { ...sampling, ...GREEDY, maxNewTokens: reasoningTokens };
}
