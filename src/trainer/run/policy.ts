/** @file What a language model that is being trained can do; everything above the trainer sees only this. */
import type { GenerateOptions, GenerateRequest, Generation } from "../decode/index.js";
import type { PreferenceLoss } from "../losses/index.js";
import type { TrainableSpec } from "../model/index.js";
import type { DeviceChoice, Precision, PrecisionChoice } from "../runtime/index.js";
import type { LabelledTokens, TokenizedPair } from "../text/types.js";

export type {
  GenerateOptions,
  GenerateRequest,
  Generation,
  SamplingOptions,
  SamplingParameters,
  TokenChunk,
} from "../decode/index.js";
export type { DeviceChoice, Precision, PrecisionChoice } from "../runtime/index.js";

export interface PolicyOptions {
  /** A Hugging Face checkpoint directory. */
  readonly model: string;
  readonly trainable: TrainableSpec;
  /** Directory of the tokenizer that goes with what is saved; default the model's own. */
  readonly tokenizer?: string;
  /** What an adapter names as its base; default: hub id and commit where the path tells them, else the directory's name. */
  readonly baseModel?: BaseModel;
  /** Seeds LoRA's A and its dropout; sampling takes a seed per request. */
  readonly seed: number;
  /** Intra-op threads of ONNX Runtime; default: half of the logical cores, at least 2. */
  readonly threads?: number;
  /** Default "auto". */
  readonly device?: DeviceChoice;
  /** What the layers compute in; default "auto". What is trained, the losses and the optimizer are float32 always. */
  readonly precision?: PrecisionChoice;
  /** Recomputes activations in backward instead of keeping them: the same gradients, a lower peak, about a third more work. */
  readonly gradientCheckpointing?: boolean;
  /** What sampling computes with; default "float32" on the CPU, elsewhere the layers' precision. Scoring and training keep their own. */
  readonly rolloutWeights?: RolloutWeights;
  /** Folder for quantized weights, made once for a checkpoint and found again by its content; default: beside the system's caches. */
  readonly cacheFolder?: string;
  /** How sampling cuts up its work, for measurements and tests: no token depends on it. */
  readonly generation?: {
    /** Tokens of a row between two looks at messages, at most; default 16, less where these take long. */
    readonly maxChunk?: number;
    /** Whether pages of earlier prompts are found again; default true. */
    readonly prefixCache?: boolean;
  };
  /** PEFT adapter directories by the names under which {@link SamplingOptions.adapter} asks for them. */
  readonly adapters?: Readonly<Record<string, string>>;
}

/** "int8" and "int4" are blocks of 32 with one scale, as llama.cpp's Q8_0 and Q4_0; the head of "int4" has 8 bits. */
export type RolloutWeights = "float32" | "float16" | "int8" | "int4";

export interface BaseModel {
  /** A hub id, or a name that people know the model by. */
  readonly name: string;
  /** Commit on the hub. */
  readonly revision?: string;
}

/** One batch of an optimizer step: pairs for the preference loss, texts for the plain NLL (base rows, replay). */
export interface TrainBatch {
  readonly pairs: readonly TokenizedPair[];
  readonly texts: readonly LabelledTokens[];
  /** Scores of `pairs`, in their order, under the reference; needed where the loss has a reference. */
  readonly reference?: readonly PairScore[];
}

/** "sft" and "orpo", or one of the DPO family. */
export type LossName = "sft" | "orpo" | PreferenceLoss;

/** Whose weights score: as trained so far, as {@link Policy.markReference} found them, or the bare model (LoRA's B = 0). */
export type Weights = "current" | "reference" | "base";

export interface ScoreOptions {
  readonly weights?: Weights;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

export interface StepOptions {
  readonly loss: LossName;
  readonly learningRate: number;
  /** Weight of the odds-ratio term (lambda in the ORPO paper), inverse temperature of the DPO family. */
  readonly beta: number;
  /** ε of the DPO family; default 0. exo_pair needs more than 0, robust less than 0.5. */
  readonly labelSmoothing?: number;
  /** Target margin γ of simpo; default 0.5. */
  readonly simpoGamma?: number;
  readonly maxGradNorm: number;
  readonly weightDecay: number;
  /** Weight of the mean NLL of `texts`, beside the loss of the pairs. */
  readonly textWeight: number;
  /** ORPO's NLL over prompt and chosen (TRL) or over the chosen reply alone. */
  readonly nllOver: "prompt+chosen" | "chosen";
  /** Upper bound of tokens in one micro-batch; gradients of micro-batches are summed before the one update. */
  readonly maxTokens: number;
}

export interface PlannedStep {
  readonly batch: TrainBatch;
  readonly options: StepOptions;
}

/**
 * Metrics of one step, under TRL's names. Preference metrics are absent where the batch had no pairs. In float16 also
 * `loss_scale`, and `skipped_steps`: how often the step overflowed and was tried again with half the scale.
 */
export type StepMetrics = Readonly<Record<string, number>>;

/** Sum and count of log-probabilities over the labelled tokens of one reply. */
export interface ReplyScore {
  readonly sum: number;
  readonly count: number;
}

export interface PairScore {
  readonly chosen: ReplyScore;
  readonly rejected: ReplyScore;
}

/**
 * A model, its adapter and its optimizer state. All calls go to the engine process, one at a time, in order; only calls of
 * `generate` that meet there are decoded together.
 */
export interface Policy {
  /** As of the last finished call. */
  readonly info: PolicyInfo;
  /** One optimizer step over the whole batch. Nothing changes where it is cancelled, or loss or gradients are not finite. */
  trainStep(batch: TrainBatch, options: StepOptions, signal?: AbortSignal): Promise<StepMetrics>;
  /**
   * The same as one {@link Policy.trainStep} after the other, for steps of one loss: on a GPU they go there in one run,
   * and the trained vectors cross the bus once. All of them are taken or none.
   */
  trainSteps?(steps: readonly PlannedStep[], signal?: AbortSignal): Promise<StepMetrics[]>;
  scorePairs(pairs: readonly TokenizedPair[], options?: ScoreOptions): Promise<PairScore[]>;
  /** Log-probability of each labelled token but the first, by text. */
  scoreTexts?(texts: readonly LabelledTokens[], options?: ScoreOptions): Promise<Float32Array[]>;
  /** Takes the present weights as the reference; until then it is the weights that the policy was opened with. */
  markReference(): Promise<void>;
  generate(requests: readonly GenerateRequest[], options: GenerateOptions): Promise<Generation[]>;
  /**
   * Durable checkpoint: adapter (PEFT) or full weights with tokenizer files, theta, m, v, reference, and `state` with
   * global_step as trainer_state.json. Returns its path.
   */
  saveCheckpoint(directory: string, state: Readonly<Record<string, unknown>>): Promise<string>;
  /** Continues from a checkpoint; returns what was saved as `state`. Refuses one of another base model. */
  loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>>;
  /** Writes a PEFT adapter directory (LoRA) or a model directory (full). */
  saveAdapter(directory: string): Promise<void>;
  /** Takes the matrices of a PEFT adapter directory of the same rank and targets; the optimizer starts anew. */
  loadAdapter(directory: string): Promise<void>;
  /** Moments of Adam and the count of steps begin anew, as where another phase begins; what is trained stays. */
  resetOptimizer(): Promise<void>;
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
  /** Why this device, in words. */
  readonly deviceReason: string;
  readonly precision: Precision;
  /** Why this precision, in words. */
  readonly precisionReason: string;
  /** Names of {@link PolicyOptions.adapters}. */
  readonly adapters?: readonly string[];
  /** Time spent on making sessions so far. */
  readonly sessionMs: number;
  readonly rolloutWeights: RolloutWeights;
  /** Positions that the model has: prompt and reply together. */
  readonly contextLength: number;
  /** Largest resident size of the engine process so far, in MiB. */
  readonly peakRssMb?: number;
}
