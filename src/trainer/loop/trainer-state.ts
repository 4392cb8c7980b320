/** @file trainer_state.json: transformers' fields, and under `preflexor` what a resume needs besides them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readVerified } from "../checkpoint/index.js";
import { cursorAfter } from "./optimizer-steps.js";
import type { TrainConfig } from "./train-config.js";
import type { LogEntry } from "./train-events.js";
import type { Identity, TrainingPlan } from "./training-plan.js";

/** How far a training is. The loop owns one and changes it. */
export interface Progress {
  step: number;
  tokens: number;
  history: LogEntry[];
  /** Metrics of the steps since the last log. */
  pending: Readonly<Record<string, number>>[];
  /** The step is taken and its evaluation is not. */
  evaluationDue: boolean;
  best: { readonly metric: number; readonly step: number } | undefined;
  /** Name of the checkpoint with the best evaluation, among those that were saved. */
  bestCheckpoint: string | undefined;
  /** Kinds of diagnoses that were given. */
  said: string[];
  referenceId: string | undefined;
}

export const freshProgress = (): Progress => ({
  step: 0,
  tokens: 0,
  history: [],
  pending: [],
  evaluationDue: false,
  best: undefined,
  bestCheckpoint: undefined,
  said: [],
  referenceId: undefined,
});

const FORMAT = "preflexor-training/1";
const metrics = z.record(z.string(), z.number());
const entry = metrics.and(z.object({ epoch: z.number(), step: z.number() }));
const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();

const stateSchema = z.object({
  log_history: z.array(entry),
  num_input_tokens_seen: z.number(),
  best_metric: nullable(z.number()),
  best_global_step: nullable(z.number()),
  best_model_checkpoint: nullable(z.string()),
  preflexor: z.object({
    format: z.literal(FORMAT),
    cursor: z.object({ step: z.number().int(), pass: z.number().int(), rows_used: z.number().int() }),
    identity: z.record(z.string(), z.unknown()),
    identity_hash: z.string(),
    text_settings: z.record(z.string(), z.unknown()),
    arithmetic: z.record(z.string(), z.unknown()),
    reference_id: nullable(z.string()),
    pending_metrics: z.array(metrics),
    evaluation_due: z.boolean(),
    diagnoses: z.array(z.string()),
  }),
});

/** The file's content. Nothing in it depends on when or where the training ran. */
export function toTrainerState(progress: Progress, plan: TrainingPlan, config: TrainConfig): Record<string, unknown> {
  const { pass, used, epoch } = cursorAfter(progress.step, plan.rows.train.length, plan.rowsPerStep);
  return {
    best_global_step: progress.best?.step ?? null,
    best_metric: progress.best?.metric ?? null,
    best_model_checkpoint: progress.bestCheckpoint ?? null,
    epoch,
    eval_steps: config.evalSteps,
    global_step: progress.step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: progress.history,
    logging_steps: config.loggingSteps,
    max_steps: plan.totalSteps,
    num_input_tokens_seen: progress.tokens,
    num_train_epochs: Math.ceil(plan.totalSteps / plan.perEpoch),
    save_steps: config.saveSteps,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: config.perDeviceTrainBatchSize,
    trial_name: null,
    trial_params: null,
    preflexor: {
      format: FORMAT,
      cursor: { step: progress.step, pass, rows_used: used },
      identity: plan.identity,
      identity_hash: plan.identityHash,
      text_settings: plan.textSettings,
      arithmetic: plan.arithmetic,
      reference_id: progress.referenceId ?? null,
      pending_metrics: progress.pending,
      evaluation_due: progress.evaluationDue,
      diagnoses: progress.said,
    },
  };
}

export interface SavedTraining {
  readonly progress: Progress;
  readonly identity: Identity;
  readonly textSettings: Identity;
  readonly arithmetic: Identity;
}

/** Checks every byte of a checkpoint and reads where its training was. Throws where it is damaged, or no training's. */
export async function readTraining(directory: string): Promise<SavedTraining> {
  const { path } = await readVerified(directory);
  const result = stateSchema.safeParse(JSON.parse(await readFile(join(path, "trainer_state.json"), "utf8")));
  if (!result.success) {
    const where = result.error.issues.map((issue) => issue.path.join(".")).join(", ");
    throw new Error(
      `${directory} was not written by a training that can be continued: see ${where} in trainer_state.json`,
    );
  }
  const { preflexor: own, ...state } = result.data;
  const { best_metric: metric, best_global_step: step } = state;
  return {
    identity: own.identity,
    textSettings: own.text_settings,
    arithmetic: own.arithmetic,
    progress: {
      step: own.cursor.step,
      tokens: state.num_input_tokens_seen,
      history: state.log_history,
      pending: own.pending_metrics,
      evaluationDue: own.evaluation_due,
      best: metric === null || step === null ? undefined : { metric, step },
      bestCheckpoint: state.best_model_checkpoint ?? undefined,
      said: own.diagnoses,
      referenceId: own.reference_id ?? undefined,
    },
  };
}
