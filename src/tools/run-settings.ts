/** @file How the model is sampled and trained, by the tools and the demo alike. */
import type { Sampling, TrainingPlan } from "../agents/index.js";

const GREEDY = { temperature: 0, topP: 1 } as const;

/** What differs between a small model that is trained whole and a pre-trained one that gets a LoRA adapter. */
export interface Recipe {
  /** The student's own replies, with the spread that makes pairs differ. */
  readonly sampling: Sampling;
  /** Most new tokens of one reply in recursive reasoning. */
  readonly reasoningTokens: number;
  readonly training: Omit<TrainingPlan, "seed" | "maxSteps">;
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

/** All weights of the package's model: replay keeps its facts, which the preference loss alone would wash out. */
const FULL: Recipe = {
  sampling: { maxNewTokens: 120, temperature: 0.8, topP: 0.95 },
  reasoningTokens: 120,
  training: {
    epochs: 4,
    batchPairs: 8,
    step: { ...STEP, learningRate: 1e-3, beta: 0.25, textWeight: 1, maxTokens: 8192, nllOver: "chosen" },
    warmupSteps: 8,
    replayRows: 16,
  },
  maxPromptLength: 256,
  maxLength: 512,
  rounds: 4,
  pairs: 192,
  evaluateEvery: 2,
  heldOutPairs: 32,
};

/** LoRA on a pre-trained model: the published beta, ten times the published rate for the few steps a CPU can take, short samples. */
const LORA: Recipe = {
  sampling: { maxNewTokens: 128, temperature: 0.8, topP: 0.95 },
  reasoningTokens: 320,
  training: {
    epochs: 2,
    batchPairs: 2,
    step: { ...STEP, learningRate: 5e-4, beta: 0.1, textWeight: 0, maxTokens: 2048 },
    warmupSteps: 2,
  },
  maxPromptLength: 512,
  maxLength: 1024,
  rounds: 1,
  pairs: 24,
  evaluateEvery: 1,
  heldOutPairs: 16,
};

export function recipeOf(trainable: "full" | "lora"): Recipe {
  return trainable === "full" ? FULL : LORA;
}

/** Greedy, so that the same question gives the same answer. */
export function reasoningSampling({ sampling, reasoningTokens }: Recipe): Sampling {
  return { ...sampling, ...GREEDY, maxNewTokens: reasoningTokens };
}
