/** @file What a training will do before it does it: rows, steps, when it logs, evaluates and saves, and what makes it this training. */
import { createHash } from "node:crypto";
import { learningRateAt, warmupStepsOf } from "../optim/index.js";
import { needsReference } from "../run/index.js";
import type { PolicyInfo, StepOptions } from "../run/policy.js";
import { stepsPerEpoch } from "./optimizer-steps.js";
import { type Strategy, stepOptionsOf, type TrainConfig } from "./train-config.js";
import { rowsHash, type TrainingData, type TrainingRows, trainingRows } from "./training-data.js";

/** What must be equal for a resume; values are JSON. */
export type Identity = Readonly<Record<string, unknown>>;

export interface TrainingPlan {
  readonly rows: TrainingRows;
  readonly rowsPerStep: number;
  readonly perEpoch: number;
  readonly totalSteps: number;
  readonly identity: Identity;
  readonly identityHash: string;
  /** Settings of the tokenizer's side. They matter through the rows alone, and are kept to explain rows that differ. */
  readonly textSettings: Identity;
  /** In which order numbers are added up: another one gives the same training but for the last bits. */
  readonly arithmetic: Identity;
  readonly usesReference: boolean;
  optionsAt(index: number): StepOptions;
  isLogged(step: number): boolean;
  isEvaluated(step: number): boolean;
  isSaved(step: number): boolean;
}

export function planTraining(info: PolicyInfo, data: TrainingData, config: TrainConfig): TrainingPlan {
  const { perDeviceTrainBatchSize, gradientAccumulationSteps, numTrainEpochs, maxSteps } = config;
  const rows = trainingRows(data, { ...config, sft: config.loss === "sft" });
  if (config.evalStrategy !== "no" && rows.evaluation.length === 0) {
    throw new Error("eval_strategy asks for evaluation, but there are no rows for it: give eval_pairs or eval_size");
  }
  const rowsPerStep = perDeviceTrainBatchSize * gradientAccumulationSteps;
  const perEpoch = stepsPerEpoch(rows.train.length, rowsPerStep);
  const totalSteps = maxSteps ?? Math.ceil(numTrainEpochs * perEpoch);
  const schedule = scheduleOf(config, totalSteps);
  const identity = identityOf(info, rows, config, { rowsPerStep, totalSteps, warmupSteps: schedule.warmupSteps });
  const due = (strategy: Strategy, steps: number, step: number): boolean =>
    strategy === "steps" ? step % steps === 0 : strategy === "epoch" && step % perEpoch === 0;
  const last = (step: number): boolean => step === totalSteps;
  return {
    rows,
    rowsPerStep,
    perEpoch,
    totalSteps,
    identity,
    identityHash: createHash("sha256").update(JSON.stringify(identity)).digest("hex"),
    textSettings: textSettingsOf(config),
    arithmetic: {
      device: info.device,
      precision: info.precision,
      threads: config.threads ?? null,
      max_tokens_per_micro_batch: config.maxTokensPerMicroBatch,
      gradient_checkpointing: config.gradientCheckpointing,
    },
    usesReference: needsReference(config.loss),
    optionsAt: (index) => ({ ...stepOptionsOf(config), learningRate: learningRateAt(schedule, index + 1) }),
    isLogged: (step) => step % config.loggingSteps === 0 || last(step),
    isEvaluated: (step) =>
      due(config.evalStrategy, config.evalSteps, step) || (last(step) && config.evalStrategy === "epoch"),
    isSaved: (step) => due(config.saveStrategy, config.saveSteps, step) || (last(step) && config.saveStrategy !== "no"),
  };
}

function scheduleOf(config: TrainConfig, totalSteps: number) {
  const { lrSchedulerType: schedule, learningRate, warmupSteps, warmupRatio } = config;
  return {
    schedule,
    learningRate,
    warmupSteps: warmupSteps > 0 ? warmupSteps : warmupStepsOf(warmupRatio, totalSteps),
    totalSteps,
  };
}

function identityOf(
  info: PolicyInfo,
  rows: TrainingRows,
  config: TrainConfig,
  { rowsPerStep, totalSteps, warmupSteps }: Readonly<Record<"rowsPerStep" | "totalSteps" | "warmupSteps", number>>,
): Identity {
  const compares = config.loss !== "sft";
  return {
    model_hash: info.modelHash,
    dataset_hash: rowsHash(rows.train),
    trainable: config.trainable,
    seed: config.seed,
    "per_device_train_batch_size × gradient_accumulation_steps": rowsPerStep,
    loss_type: config.loss,
    ...(compares && { beta: config.beta, label_smoothing: config.labelSmoothing, simpo_gamma: config.simpoGamma }),
    ...(config.loss === "orpo" && { nll_over: config.nllOver }),
    ...(needsReference(config.loss) && { reference: config.reference }),
    learning_rate: config.learningRate,
    lr_scheduler_type: config.lrSchedulerType,
    warmup_steps: warmupSteps,
    // A constant rate does not know how long the training is, so it may be made longer.
    ...(config.lrSchedulerType !== "constant" && { "steps of the schedule": totalSteps }),
    max_grad_norm: config.maxGradNorm,
    weight_decay: config.weightDecay,
  };
}

function textSettingsOf(config: TrainConfig): Identity {
  const {
    maxPromptLength,
    maxLength,
    packing,
    promptFormat,
    mask,
    includeThinkingTokenInLabels,
    markers,
    thinkingMarkers,
  } = config;
  return {
    max_prompt_length: maxPromptLength,
    max_length: maxLength,
    packing,
    prompt_format: promptFormat,
    mask,
    include_thinking_token_in_labels: includeThinkingTokenInLabels,
    markers,
    thinking_markers: thinkingMarkers,
    eval_size: config.evalSize,
  };
}

/** Every difference of two identities, one line each. */
export function identityDifferences(saved: Identity, present: Identity): string[] {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(present)])];
  return names
    .map((name) => ({ name, was: JSON.stringify(saved[name]), is: JSON.stringify(present[name]) }))
    .filter(({ was, is }) => was !== is)
    .map(({ name, was, is }) => `${name}: was ${was ?? "absent"}, is ${is ?? "absent"}`);
}
