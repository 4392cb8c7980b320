/** @file What a language model that is being trained can do; everything above the trainer sees only this. */
import type { TrainableSpec } from "../model/index.js";
import type { LabelledTokens, TokenizedPair } from "../text/types.js";

export interface PolicyOptions {
  /** A Hugging Face checkpoint directory. */
  readonly model: string;
  readonly trainable: TrainableSpec;
  /** Seeds LoRA's A and nothing else; sampling takes a seed per request. */
  readonly seed: number;
  /** Intra-op threads of ONNX Runtime; default: half of the logical cores, at least 2. */
  readonly threads?: number;
}

/** One batch of an optimizer step: pairs for the preference loss, texts for the plain NLL (base rows, replay). */
export interface TrainBatch {
  readonly pairs: readonly TokenizedPair[];
  readonly texts: readonly LabelledTokens[];
}

export interface StepOptions {
  readonly loss: "sft" | "orpo";
  readonly learningRate: number;
  /** Weight of the odds-ratio term (lambda in the ORPO paper, `beta` in TRL). */
  readonly beta: number;
  readonly maxGradNorm: number;
  readonly weightDecay: number;
  /** Weight of the mean NLL of `texts`, beside the loss of the pairs. */
  readonly textWeight: number;
  /** ORPO's NLL over prompt and chosen (TRL) or over the chosen reply alone. */
  readonly nllOver: "prompt+chosen" | "chosen";
  /** Upper bound of tokens in one micro-batch; gradients of micro-batches are summed before the one update. */
  readonly maxTokens: number;
}

/** Metrics of one step, under TRL's names. Preference metrics are absent where the batch had no pairs. */
export type StepMetrics = Readonly<Record<string, number>>;

export interface GenerateRequest {
  /** Token ids of the rendered prompt, with any pre-filled reply at its end. */
  readonly ids: Int32Array;
  /** Seed of this request's noise: the same tokens whatever else is in the batch. */
  readonly seed: number;
}

export interface SamplingOptions {
  readonly maxNewTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly stopTokenIds: readonly number[];
  /** "off" samples the bare base model (LoRA's B = 0). */
  readonly adapter?: "on" | "off";
}

export interface GenerateOptions extends SamplingOptions {
  readonly signal?: AbortSignal;
  /** Called now and then with the number of finished requests. */
  readonly onProgress?: (finished: number, total: number) => void;
}

export interface Generation {
  /** New tokens, without the stop token. */
  readonly ids: Int32Array;
  readonly finish: "stop" | "length";
  /** Log-probability of each new token (stop token included) under the untruncated distribution at temperature 1. */
  readonly logps: Float32Array;
}

/** Sum and count of log-probabilities over the labelled tokens of one reply. */
export interface ReplyScore {
  readonly sum: number;
  readonly count: number;
}

export interface PairScore {
  readonly chosen: ReplyScore;
  readonly rejected: ReplyScore;
}

/** A model, its adapter and its optimizer state. All calls go to the engine process, one at a time, in order. */
export interface Policy {
  readonly info: PolicyInfo;
  trainStep(batch: TrainBatch, options: StepOptions): Promise<StepMetrics>;
  scorePairs(pairs: readonly TokenizedPair[]): Promise<PairScore[]>;
  generate(requests: readonly GenerateRequest[], options: GenerateOptions): Promise<Generation[]>;
  /** Durable checkpoint: adapter (PEFT) or full weights, theta, m, v, and `extra` as JSON. Returns its path. */
  saveCheckpoint(directory: string, extra: Readonly<Record<string, unknown>>): Promise<string>;
  /** Continues from a checkpoint; returns what was saved as `extra`. Refuses one of another base model. */
  loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>>;
  /** Writes a PEFT adapter directory (LoRA) or a model directory (full). */
  saveAdapter(directory: string): Promise<void>;
  /** Takes the matrices of a PEFT adapter directory of the same rank and targets; the optimizer starts anew. */
  loadAdapter(directory: string): Promise<void>;
  /** Steps taken so far. */
  stepCount(): Promise<number>;
  close(): Promise<void>;
}

export interface PolicyInfo {
  readonly model: string;
  readonly modelHash: string;
  readonly parameters: number;
  readonly trainedParameters: number;
  readonly device: string;
  readonly sessionMs: number;
}
