/** @file The training loop: steps, logs, evaluations and checkpoints of one policy on one set of rows, as events. */
import { join } from "node:path";
import type { PairScore, Policy, TrainBatch } from "../run/policy.js";
import type { LabelledTokens, TokenizedPair } from "../text/index.js";
import {
  checkpointPath,
  prepareOutput,
  pruneCheckpoints,
  refuseOtherTraining,
  removeStaging,
  resumePoint,
} from "./checkpoints.js";
import { diagnoseData, diagnoseLog } from "./diagnosis.js";
import { evaluate } from "./evaluate.js";
import { type MetricsFiles, openMetricsFiles } from "./metrics-files.js";
import { cursorAfter, optimizerSteps, type TakenStep } from "./optimizer-steps.js";
import { type ReferenceScores, referenceScores } from "./reference-cache.js";
import type { TrainConfig } from "./train-config.js";
import type { LogEntry, TrainEvent, TrainResult } from "./train-events.js";
import { freshProgress, type Progress, toTrainerState } from "./trainer-state.js";
import { type TrainingData, tokensOf } from "./training-data.js";
import { identityDifferences, planTraining, type TrainingPlan } from "./training-plan.js";

type Row = TokenizedPair | LabelledTokens;

export interface TrainHooks {
  /** Stops between or within steps; the steps that were taken are then saved, unless save_strategy is "no". */
  readonly signal?: AbortSignal;
  /** Milliseconds, for the times in events and event files. */
  readonly now?: () => number;
}

interface Training {
  readonly policy: Policy;
  readonly config: TrainConfig;
  readonly plan: TrainingPlan;
  readonly progress: Progress;
  readonly files: MetricsFiles;
  readonly signal: AbortSignal | undefined;
  readonly now: () => number;
  readonly resumedFrom: string | undefined;
  reference: ReferenceScores | undefined;
  /** The newest checkpoint, read or written. */
  checkpoint: string | undefined;
}

/**
 * Trains and yields what happens. Throws where data or output directory do not suit the config, where `signal` aborts,
 * and where a step has no finite result: then nothing is written any more, and the error names the last good checkpoint.
 */
export async function* trainOn(
  policy: Policy,
  data: TrainingData,
  config: TrainConfig,
  hooks: TrainHooks = {},
): AsyncGenerator<TrainEvent, TrainResult> {
  const { signal, now = Date.now } = hooks;
  const started = now();
  const plan = planTraining(policy.info, data, config);
  const { left = [], evalLeft = [], unit = "row" } = data;
  if (left.length > 0) yield { kind: "rows-left-out", of: "training", unit, rows: left };
  if (evalLeft.length > 0) yield { kind: "rows-left-out", of: "evaluation", unit, rows: evalLeft };
  const training = yield* begin({ policy, config, plan, signal, now });
  const { progress } = training;
  yield {
    kind: "started",
    rows: plan.rows.train.length,
    evaluationRows: plan.rows.evaluation.length,
    rowsPerStep: plan.rowsPerStep,
    step: progress.step,
    totalSteps: plan.totalSteps,
    info: policy.info,
    ...(training.resumedFrom !== undefined && { resumedFrom: training.resumedFrom }),
  };
  yield* say(training, diagnoseData(data, plan.rows.train.length));
  try {
    training.reference = yield* reference(training);
    yield* steps(training);
  } catch (error) {
    if (!signal?.aborted) throw withCheckpoint(error, training);
    if (config.saveStrategy !== "no" && progress.step > 0) yield* save(training, false);
    throw error;
  }
  const result = await finish(training, now() - started);
  yield { kind: "finished", result };
  return result;
}

const OTHER_BITS = "the results may differ in their last bits from those of an unbroken run";

type Begin = Pick<Training, "policy" | "config" | "plan" | "signal" | "now">;

/** A new output directory, or the policy and the files as a checkpoint has them. */
async function* begin(parts: Begin): AsyncGenerator<TrainEvent, Training> {
  const { policy, config, plan, now } = parts;
  let progress = freshProgress();
  let resumedFrom: string | undefined;
  if (config.resume === false) {
    await prepareOutput(config);
    if (plan.usesReference && config.reference === "phase_start") await policy.markReference();
  } else {
    const point = yield* resumePoint(config);
    refuseOtherTraining(point, plan);
    const other = identityDifferences(point.saved.arithmetic, plan.arithmetic);
    if (other.length > 0) yield { kind: "notice", message: `${OTHER_BITS} (${other.join("; ")})` };
    await policy.loadCheckpoint(point.path);
    progress = point.saved.progress;
    resumedFrom = point.path;
  }
  await removeStaging(config.outputDir);
  const { step, history } = progress;
  const files = await openMetricsFiles(config.outputDir, { step, history, tensorboard: config.tensorboard, now });
  return { ...parts, progress, files, resumedFrom, reference: undefined, checkpoint: resumedFrom };
}

async function* reference({ policy, config, plan, progress, signal }: Training) {
  if (!plan.usesReference || plan.rows.kind !== "pairs") return undefined;
  const scores = yield* referenceScores(policy, [...plan.rows.train, ...plan.rows.evaluation], {
    weights: config.reference === "base" ? "base" : "reference",
    file: join(config.outputDir, "reference-logps.jsonl"),
    ...(progress.referenceId !== undefined && { id: progress.referenceId }),
    ...(signal !== undefined && { signal }),
  });
  progress.referenceId = scores.id;
  return scores;
}

async function* steps(training: Training): AsyncGenerator<TrainEvent> {
  const { policy, config, plan, progress, signal, now } = training;
  if (progress.evaluationDue) yield* evaluateAndSave(training);
  const rows: readonly Row[] = plan.rows.train;
  const { rowsPerStep, totalSteps, optionsAt: options } = plan;
  const batch = (chosen: readonly Row[]): TrainBatch => batchOf(training, chosen);
  let from = now();
  const together = (index: number): number => (policy.info.device === "cuda" ? quietSteps(plan, index) : 1);
  const stepPlan = { rows, rowsPerStep, totalSteps, taken: progress.step, seed: config.seed, batch, options, together };
  for await (const taken of optimizerSteps<Row>(policy, stepPlan, signal)) {
    yield* record(training, taken, now() - from);
    yield* evaluateAndSave(training);
    from = now();
  }
}

/** Steps that may go to a GPU in one run: an abort waits for them. */
const MOST_TOGETHER = 8;

/** Steps from `index` on up to the next that is evaluated or saved. */
function quietSteps({ isEvaluated, isSaved }: TrainingPlan, index: number): number {
  let count = 1;
  while (count < MOST_TOGETHER && !isEvaluated(index + count) && !isSaved(index + count)) count += 1;
  return count;
}

function batchOf({ plan, reference: scores }: Training, rows: readonly Row[]): TrainBatch {
  if (plan.rows.kind === "texts") return { pairs: [], texts: rows as readonly LabelledTokens[] };
  const pairs = rows as readonly TokenizedPair[];
  if (scores === undefined) return { pairs, texts: [] };
  return { pairs, texts: [], reference: pairs.map((pair): PairScore => scores.of(pair)) };
}

/** Takes a step into the progress, and logs where it is time. */
async function* record(training: Training, taken: TakenStep<Row>, milliseconds: number): AsyncGenerator<TrainEvent> {
  const { plan, progress, files } = training;
  const tokens = taken.rows.reduce((sum, row) => sum + tokensOf(row), 0);
  progress.step = taken.index + 1;
  progress.tokens += tokens;
  progress.pending.push(finite(taken.metrics));
  progress.evaluationDue = plan.isEvaluated(progress.step);
  const { step } = progress;
  await files.time(step, milliseconds, tokens);
  const { totalSteps } = plan;
  const entry = plan.isLogged(step) ? logEntry(training) : undefined;
  if (entry !== undefined) await append(training, entry);
  yield { kind: "step", step, totalSteps, epoch: epochOf(training), metrics: taken.metrics, tokens, milliseconds };
  if (entry === undefined) return;
  yield { kind: "log", entry };
  yield* say(training, diagnoseLog(progress.history, training.config, progress.said));
}

/** Means over the steps since the last log; rate and norm are the last step's, as in transformers. */
function logEntry(training: Training): LogEntry {
  const { pending } = training.progress;
  const names = [...new Set(pending.flatMap((metrics) => Object.keys(metrics)))];
  const last = pending.at(-1) ?? {};
  const values = names.map((name) => {
    const found = pending.flatMap((metrics) => metrics[name] ?? []);
    const kept = name === "learning_rate" || name === "grad_norm" ? last[name] : undefined;
    return [name, kept ?? found.reduce((a, b) => a + b, 0) / found.length] as const;
  });
  training.progress.pending = [];
  return { epoch: epochOf(training), step: training.progress.step, ...Object.fromEntries(values) };
}

const epochOf = ({ plan, progress }: Training): number =>
  cursorAfter(progress.step, plan.rows.train.length, plan.rowsPerStep).epoch;

/** JSON has no other numbers. */
const finite = (metrics: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));

async function append({ progress, files }: Training, entry: LogEntry): Promise<void> {
  progress.history.push(entry);
  await files.add(entry);
}

async function* evaluateAndSave(training: Training): AsyncGenerator<TrainEvent> {
  const { policy, config, plan, progress, signal, reference: scores } = training;
  const { step } = progress;
  if (progress.evaluationDue) {
    const options = { ...config, batchSize: config.perDeviceEvalBatchSize, reference: scores, signal };
    const metrics = yield* evaluate(policy, plan.rows, options);
    const entry = { epoch: epochOf(training), step, ...finite(metrics) };
    progress.evaluationDue = false;
    const best = isBest(training, entry);
    if (best !== undefined) progress.best = { metric: best, step };
    await append(training, entry);
    yield { kind: "evaluation", step, entry, best: best !== undefined };
  }
  if (plan.isSaved(step)) yield* save(training, true);
}

/** The value of the metric that decides, where it is the best so far. */
function isBest({ config, progress }: Training, entry: LogEntry): number | undefined {
  const value = entry[config.metricForBestModel];
  if (value === undefined) {
    const names = Object.keys(entry).filter((name) => name.startsWith("eval_"));
    throw new Error(`metric_for_best_model: expected one of ${names.join(", ")}, found ${config.metricForBestModel}`);
  }
  const { best } = progress;
  if (best === undefined) return value;
  return (config.greaterIsBetter ? value > best.metric : value < best.metric) ? value : undefined;
}

/** A `planned` checkpoint may become the best one; one that an abort leaves is the same training a little earlier. */
async function* save(training: Training, planned: boolean): AsyncGenerator<TrainEvent> {
  const { policy, config, plan, progress, resumedFrom } = training;
  const { step } = progress;
  const path = checkpointPath(config.outputDir, step);
  if (!planned && training.checkpoint === path) return;
  if (planned && progress.best?.step === step) progress.bestCheckpoint = `checkpoint-${step}`;
  await policy.saveCheckpoint(path, toTrainerState(progress, plan, config));
  training.checkpoint = path;
  const protect = [path, progress.bestCheckpoint];
  const removed = await pruneCheckpoints(config.outputDir, { limit: config.saveTotalLimit, protect, resumedFrom });
  yield { kind: "checkpoint", step, path, removed };
}

async function* say({ progress }: Training, diagnoses: ReturnType<typeof diagnoseLog>): AsyncGenerator<TrainEvent> {
  for (const diagnosis of diagnoses) {
    if (progress.said.includes(diagnosis.kind)) continue;
    progress.said.push(diagnosis.kind);
    yield { kind: "diagnosis", diagnosis };
  }
}

function withCheckpoint(error: unknown, { checkpoint, progress }: Training): unknown {
  if (!(error instanceof Error)) return error;
  const last =
    checkpoint === undefined
      ? "There is no checkpoint yet; nothing that was trained is kept."
      : `The last good checkpoint is ${checkpoint}; resume from it.`;
  return new Error(`training stopped after step ${progress.step}: ${error.message}\n${last}`, { cause: error });
}

async function finish({ policy, config, progress, ...training }: Training, milliseconds: number): Promise<TrainResult> {
  const trained = join(config.outputDir, config.trainable.kind === "lora" ? "adapter" : "model");
  await policy.saveAdapter(trained);
  return {
    steps: progress.step,
    epoch: epochOf({ policy, config, progress, ...training }),
    trained,
    ...(training.checkpoint !== undefined && { checkpoint: training.checkpoint }),
    logHistory: progress.history,
    milliseconds,
  };
}
