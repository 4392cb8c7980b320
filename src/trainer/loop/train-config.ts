/** @file A training config: snake_case settings checked against each other and completed, camelCase once and for all. */
import { DEFAULT_SIMPO_GAMMA } from "../losses/index.js";
import { LORA_TARGETS, type TrainableSpec } from "../model/index.js";
import type { ScheduleName } from "../optim/index.js";
import type { DeviceChoice, LossName, PolicyOptions, PrecisionChoice, StepOptions } from "../run/policy.js";
import { type ReplyMask, type SectionMarkers, THINKING } from "../text/index.js";
import { settingProblems } from "./setting-problems.js";
import { readSettings, type TrainSettings } from "./train-settings.js";

export type Strategy = "no" | "steps" | "epoch";

export interface TrainConfig {
  /** A Hugging Face checkpoint directory, or a hub id that the caller resolves. */
  readonly model: string;
  /** A PEFT adapter to begin with, such as that of the phase before. */
  readonly adapter?: string;
  readonly outputDir: string;
  readonly overwriteOutputDir: boolean;
  /** true: the newest intact checkpoint of outputDir; text: this one. */
  readonly resume: boolean | string;
  /** Data files, for callers that read them. */
  readonly files: {
    readonly pairs?: string;
    readonly texts?: string;
    readonly evalPairs?: string;
    readonly evalTexts?: string;
  };
  readonly loss: LossName;
  readonly beta: number;
  readonly labelSmoothing: number;
  readonly simpoGamma: number;
  readonly nllOver: StepOptions["nllOver"];
  /** Which weights the DPO family compares with: those at the start of this training, or the bare model's. */
  readonly reference: "phase_start" | "base";
  readonly learningRate: number;
  readonly lrSchedulerType: ScheduleName;
  readonly warmupSteps: number;
  /** Share of all steps, where warmupSteps is 0. */
  readonly warmupRatio: number;
  readonly numTrainEpochs: number;
  /** Ends the training whatever the epochs say. */
  readonly maxSteps?: number;
  readonly perDeviceTrainBatchSize: number;
  readonly gradientAccumulationSteps: number;
  readonly maxGradNorm: number;
  readonly weightDecay: number;
  readonly maxTokensPerMicroBatch: number;
  readonly gradientCheckpointing: boolean;
  readonly seed: number;
  readonly maxPromptLength: number;
  readonly maxLength: number;
  /** sft: texts are joined and cut into blocks of maxLength tokens, as in pre-training. */
  readonly packing: boolean;
  /** What a prompt is that is a string: a user turn for the chat template, or text that is rendered already. */
  readonly promptFormat: "chat" | "raw";
  readonly mask: ReplyMask;
  readonly includeThinkingTokenInLabels: boolean;
  readonly markers: SectionMarkers;
  /** Whether markers are plain text or tokens of their own, added to the tokenizer, whose embedding rows are trained. */
  readonly thinkingMarkers: "text" | "tokens";
  readonly trainable: TrainableSpec;
  readonly saveStrategy: Strategy;
  readonly saveSteps: number;
  readonly saveTotalLimit?: number;
  readonly loggingSteps: number;
  readonly tensorboard: boolean;
  readonly evalStrategy: Strategy;
  readonly evalSteps: number;
  /** Rows held out where no evaluation data is given: a share below 1, or a number; 0 for none. */
  readonly evalSize: number;
  readonly perDeviceEvalBatchSize: number;
  readonly metricForBestModel: string;
  readonly greaterIsBetter: boolean;
  readonly device: DeviceChoice;
  readonly precision: PrecisionChoice;
  readonly threads?: number;
}

/**
 * Reads a config as it stands in a file. Throws one error that names every problem: unknown keys with the nearest valid
 * one, values that do not fit, settings that contradict each other, and settings that would have no effect.
 */
export function parseTrainConfig(input: unknown, source = "training config"): TrainConfig {
  const { settings, problems } = readSettings(input);
  const all = [...problems, ...settingProblems(settings, input)];
  if (all.length > 0) {
    const count = all.length === 1 ? "1 problem" : `${all.length} problems`;
    throw new Error(`${source}: ${count}${all.map((problem) => `\n  - ${problem}`).join("")}`);
  }
  return complete(settings as Required<Pick<TrainSettings, "model" | "output_dir" | "loss_type">> & TrainSettings);
}

function complete(s: Required<Pick<TrainSettings, "model" | "output_dir" | "loss_type">> & TrainSettings): TrainConfig {
  const loggingSteps = s.logging_steps ?? 1;
  const metric = s.metric_for_best_model ?? "loss";
  return {
    model: s.model,
    ...(s.adapter !== undefined && { adapter: s.adapter }),
    outputDir: s.output_dir,
    overwriteOutputDir: s.overwrite_output_dir ?? false,
    resume: s.resume_from_checkpoint ?? false,
    files: files(s),
    ...lossOptions(s),
    ...optimization(s),
    maxPromptLength: s.max_prompt_length ?? Math.min(512, (s.max_length ?? 2048) - 1),
    maxLength: s.max_length ?? 2048,
    packing: s.packing ?? false,
    promptFormat: s.prompt_format ?? "chat",
    mask: replyMask(s),
    includeThinkingTokenInLabels: s.include_thinking_token_in_labels ?? true,
    markers: { start: s.think_start_token ?? THINKING.start, end: s.think_end_token ?? THINKING.end },
    thinkingMarkers: s.thinking_markers ?? "text",
    trainable: trainable(s),
    saveStrategy: s.save_strategy ?? "steps",
    saveSteps: s.save_steps ?? 500,
    ...(s.save_total_limit !== undefined && { saveTotalLimit: s.save_total_limit }),
    loggingSteps,
    tensorboard: s.report_to !== "none",
    evalStrategy: s.eval_strategy ?? "no",
    evalSteps: s.eval_steps ?? loggingSteps,
    evalSize: s.eval_size ?? 0,
    perDeviceEvalBatchSize: s.per_device_eval_batch_size ?? 32,
    metricForBestModel: metric.startsWith("eval_") ? metric : `eval_${metric}`,
    greaterIsBetter: s.greater_is_better ?? !metric.endsWith("loss"),
    device: s.device ?? "auto",
    precision: s.precision ?? "auto",
    ...(s.threads !== undefined && { threads: s.threads }),
  };
}

function files(s: TrainSettings): TrainConfig["files"] {
  return {
    ...(s.pairs !== undefined && { pairs: s.pairs }),
    ...(s.texts !== undefined && { texts: s.texts }),
    ...(s.eval_pairs !== undefined && { evalPairs: s.eval_pairs }),
    ...(s.eval_texts !== undefined && { evalTexts: s.eval_texts }),
  };
}

/** Published settings of PRefLexOR where it has them (arXiv 2410.12375): ε = 5e-3 with EXO. */
function lossOptions(s: TrainSettings & { readonly loss_type: LossName }) {
  return {
    loss: s.loss_type,
    beta: s.beta ?? (s.loss_type === "simpo" ? 2 : 0.1),
    labelSmoothing: s.label_smoothing ?? (s.loss_type === "exo_pair" ? 5e-3 : 0),
    simpoGamma: s.simpo_gamma ?? DEFAULT_SIMPO_GAMMA,
    nllOver: s.nll_over ?? "prompt+chosen",
    reference: s.reference ?? "phase_start",
  } as const;
}

function optimization(s: TrainSettings & { readonly loss_type: LossName }) {
  return {
    learningRate: s.learning_rate ?? defaultRate(s.loss_type, s.full_finetuning === true),
    lrSchedulerType: s.lr_scheduler_type ?? "constant",
    warmupSteps: s.warmup_steps ?? 0,
    warmupRatio: s.warmup_ratio ?? 0,
    numTrainEpochs: s.num_train_epochs ?? 1,
    ...(s.max_steps !== undefined && s.max_steps > 0 && { maxSteps: s.max_steps }),
    perDeviceTrainBatchSize: s.per_device_train_batch_size ?? 1,
    gradientAccumulationSteps: s.gradient_accumulation_steps ?? 2,
    maxGradNorm: s.max_grad_norm ?? (s.loss_type === "exo_pair" ? 0.3 : 1),
    weightDecay: s.weight_decay ?? 0,
    maxTokensPerMicroBatch: s.max_tokens_per_micro_batch ?? 4096,
    gradientCheckpointing: s.gradient_checkpointing ?? false,
    seed: s.seed ?? 42,
  } as const;
}

/** PRefLexOR's rates for ORPO and EXO, TRL's usual ones for the rest. */
function defaultRate(loss: LossName, full: boolean): number {
  if (loss === "sft") return full ? 2e-5 : 2e-4;
  if (loss === "orpo") return full ? 5e-6 : 5e-5;
  return loss === "exo_pair" ? 5e-7 : 1e-6;
}

function replyMask(s: TrainSettings): ReplyMask {
  if (s.dynamic_answer_comparison === true) return "dynamic-answer";
  if (s.mask_thinking_tokens !== true) return "none";
  return { thinkingShare: s.thinking_token_mask_percentage ?? 0.2, seed: s.seed ?? 42 };
}

function trainable(s: TrainSettings): TrainableSpec {
  if (s.full_finetuning === true) return { kind: "full" };
  const targets = s.target_modules ?? "all-linear";
  return {
    kind: "lora",
    r: s.lora_r ?? 16,
    loraAlpha: s.lora_alpha ?? 32,
    targetModules: targets === "all-linear" ? LORA_TARGETS : targets,
    ...(s.lora_dropout !== undefined && s.lora_dropout > 0 && { loraDropout: s.lora_dropout }),
    ...(s.use_rslora === true && { useRslora: true }),
    ...(s.trainable_token_indices !== undefined && { trainableTokenIndices: s.trainable_token_indices }),
  };
}

/** How the policy of a training is opened. */
export function policyOptionsOf(config: TrainConfig): PolicyOptions {
  const { model, trainable: spec, seed, device, precision, gradientCheckpointing, threads } = config;
  return {
    model,
    trainable: spec,
    seed,
    device,
    precision,
    gradientCheckpointing,
    ...(threads !== undefined && { threads }),
  };
}

/** What every step of a training has in common. */
export function stepOptionsOf(config: TrainConfig): Omit<StepOptions, "learningRate"> {
  const { loss, beta, labelSmoothing, simpoGamma, maxGradNorm, weightDecay, nllOver } = config;
  return {
    loss,
    beta,
    labelSmoothing,
    simpoGamma,
    maxGradNorm,
    weightDecay,
    textWeight: 1,
    nllOver,
    maxTokens: config.maxTokensPerMicroBatch,
  };
}
