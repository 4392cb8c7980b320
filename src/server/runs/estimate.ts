/** @file What a run will cost before it starts: pairs and steps from its plan, memory from the step's graph, time from earlier runs or from measured rates. */
import { cpus } from "node:os";
import { NANO_PLAN } from "../../agents/base-model.js";
import {
  checkPlan,
  type PhasePlan,
  type PlanFacts,
  pairsOf,
  roundSteps,
  roundsOf,
  type TeachPlan,
  teachPlan,
} from "../../agents/index.js";
import type { Estimate, TrainingWork } from "../../tools/run-keeper.js";
import { phaseFor, recipeOf } from "../../tools/run-settings.js";
import { expectedTensors } from "../../trainer/checkpoint/index.js";
import {
  availableMemory,
  estimateTrainingMemory,
  type LossName,
  openCheckpointDir,
  resolveModel,
  type TrainableSpec,
} from "../../trainer/index.js";
import type { Config } from "../config.js";
import { messageOf } from "../log.js";
import { recipeNameOf } from "../models.js";
import type { CheckedRequest } from "./check-request.js";
import { type MeasuredRates, measuredRates } from "./measured-rates.js";

/** Throws where the plan is impossible, as the run would. */
export async function estimateRun(request: CheckedRequest, config: Config): Promise<Estimate> {
  const { modelPath, teachConfig } = request;
  const parameters = modelPath === undefined ? undefined : await parametersOf(modelPath);
  const plan = teachPlan(teachConfig, { parameters: parameters ?? ANY_SIZE } satisfies PlanFacts);
  const isWorld = request.documents === undefined;
  // A run has a judge where nothing checks its answers, and texts to replay where it asks for them.
  checkPlan({ judge: true, replay: true, ...(isWorld && { environment: true }) }, plan);
  const work = workOf(plan, isWorld ? await worldQuestions(teachConfig.run.evaluation_questions) : 0);
  const memory = await memoryOf(modelPath, plan.phases, teachConfig.trainable, teachConfig.run.gradient_checkpointing);
  const rates = await measuredRates(config.home, request.config.model);
  const threads = teachConfig.run.threads ?? config.threads;
  const time = rates ? measuredTime(work, rates) : modelledTime(work, plan, parameters, threads);
  return {
    rounds: roundsOf(plan),
    pairs: work.pairs,
    steps: work.steps,
    ...memory.figures,
    ...time,
    notes: [
      ...memory.notes,
      ...(modelPath === undefined
        ? [`${request.config.model} is not on this machine: it is fetched when the run starts`]
        : []),
      ...(sendsText(request) ? ["the time that the teacher's provider takes is not in it"] : []),
      ...(isWorld ? [] : [`${request.documents} document(s) are read and indexed first`]),
    ],
  };
}

/** Held-out questions of the built-in world, each split cut to `most`. */
async function worldQuestions(most = Number.POSITIVE_INFINITY): Promise<number> {
  const { createMaterialsWorld } = await import("../../agents/environments/index.js");
  const world = createMaterialsWorld({ seed: NANO_PLAN.seed });
  return (["unseen-combination", "unseen-material"] as const).reduce(
    (sum, split) => sum + Math.min(most, world.questions(split).length),
    0,
  );
}

/** A train-iteration: steps on pairs that are there. */
export async function estimateSteps({ pairs, steps, loss }: TrainingWork, config: Config): Promise<Estimate> {
  const model = await resolveModel(config.model, { ...config.hub, localFilesOnly: true }).catch(() => undefined);
  const parameters = model && (await parametersOf(model.path));
  const name = recipeNameOf(config.model);
  const phase = phaseFor(name, loss as LossName, parameters ?? ANY_SIZE);
  const work: Work = { pairs: 0, sampled: 0, steps, trained: steps * phase.batchPairs, asked: 0 };
  const memory = await memoryOf(model?.path, [phase], recipeOf(name).trainable, false);
  const rates = await measuredRates(config.home, config.model);
  const time = rates ? measuredTime(work, rates) : modelledTime(work, { phases: [phase] }, parameters, config.threads);
  return { rounds: 1, pairs, steps, ...memory.figures, ...time, notes: [...memory.notes] };
}

const ANY_SIZE = 1e6;

const sendsText = ({ config }: CheckedRequest): boolean => /^(?!preflexor:)[\w-]+:/.test(config.teacher ?? "");

/** What is done, in counts. */
interface Work {
  /** That are made and trained on. */
  readonly pairs: number;
  /** Replies that the student samples for pairs, held-out ones included. */
  readonly sampled: number;
  readonly steps: number;
  /** Pairs of all steps, each as often as it is trained on. */
  readonly trained: number;
  /** Held-out questions that are answered. */
  readonly asked: number;
}

function workOf(plan: TeachPlan, questions: number): Work {
  const sum = (of: (phase: PhasePlan) => number): number =>
    plan.phases.reduce((all, phase) => all + phase.iterations * of(phase), 0);
  const [first] = plan.phases;
  const evaluations = plan.evaluateEvery === 0 ? 0 : 1 + Math.ceil(roundsOf(plan) / plan.evaluateEvery);
  return {
    pairs: sum(pairsOf),
    sampled:
      sum((phase) => pairsOf(phase) * (phase.rejectedFromStudent ? phase.samples : 0)) +
      plan.heldOutPairs * (first?.samples ?? 1),
    steps: sum((phase) => roundSteps(pairsOf(phase), phase)),
    trained: sum((phase) => roundSteps(pairsOf(phase), phase) * phase.batchPairs),
    asked: evaluations * questions,
  };
}

async function parametersOf(path: string): Promise<number> {
  const { config } = await openCheckpointDir(path);
  return expectedTensors(config).reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
}

interface Memory {
  readonly figures: Pick<Estimate, "memoryBytes" | "freeBytes">;
  readonly notes: readonly string[];
}

/** The largest step of all phases, with rows as long as they may be. */
async function memoryOf(
  model: string | undefined,
  phases: readonly PhasePlan[],
  trainable: TrainableSpec,
  gradientCheckpointing = false,
): Promise<Memory> {
  const freeBytes = availableMemory();
  if (model === undefined) return { figures: { memoryBytes: null, freeBytes }, notes: [] };
  try {
    const totals = await Promise.all(
      phases.map(async (phase) => {
        const row = longestRowOf(phase);
        const options = { model, trainable, seed: 0, gradientCheckpointing };
        return (await estimateTrainingMemory(options, phase.loss, row, freeBytes)).oneRow.total;
      }),
    );
    const memoryBytes = Math.max(...totals);
    const tight = `it needs more memory than is free: set gradient_checkpointing, or a smaller max_length`;
    return { figures: { memoryBytes, freeBytes }, notes: memoryBytes > freeBytes ? [tight] : [] };
  } catch (error) {
    // It is advice: what cannot be estimated can still be run.
    return { figures: { memoryBytes: null, freeBytes }, notes: [`memory: no estimate (${messageOf(error)})`] };
  }
}

/** Prompt once, and both replies. */
function longestRowOf({ maxPromptLength, maxLength, loss }: PhasePlan) {
  const reply = maxLength - maxPromptLength;
  const time = loss === "sft" ? maxLength : maxPromptLength + 2 * reply;
  return { time, labels: time, pairs: loss === "sft" ? 0 : 1 };
}

type Time = Pick<Estimate, "seconds" | "basis">;

/** Runs differ in lengths and in what else the machine does. */
const MEASURED_SPREAD = 1.5;
const MODELLED_SPREAD = 3;
/** Process, model, corpus. */
const START_S = 8;

function measuredTime(work: Work, { trainedPair, madePair, answer, steps, runs }: MeasuredRates): Time {
  const seconds =
    START_S +
    work.trained * trainedPair +
    work.pairs * (madePair ?? trainedPair) +
    work.asked * (answer ?? trainedPair);
  return {
    seconds: between(seconds, MEASURED_SPREAD),
    basis: `measured: ${steps} optimizer steps of ${runs} earlier run(s) with this model on this machine; a factor of ${MEASURED_SPREAD} either way`,
  };
}

/**
 * Parameters times tokens that one thread gets through in a second: `npm run bench -- train` and `-- generate` with
 * SmolLM2-135M-Instruct on 2 threads gave 234 trained tokens and, eight rows at once, 142 sampled ones.
 */
const TRAINED = (234 * 135e6) / 2;
const SAMPLED = (142 * 135e6) / 2;
/** What a step and a pair take however small the model is. */
const STEP_S = 0.15;
const PAIR_S = 0.05;

function modelledTime(
  work: Work,
  { phases }: Pick<TeachPlan, "phases">,
  parameters: number | undefined,
  threads?: number,
): Time {
  if (parameters === undefined) return { seconds: null, basis: "none: the model is not on this machine yet" };
  const [phase] = phases as readonly [PhasePlan];
  const reply = Math.min(phase.sampling.maxNewTokens, phase.maxLength);
  const row = Math.min(phase.maxPromptLength, 256) + 2 * reply;
  const cores = Math.max(1, threads ?? Math.ceil(cpus().length / 2));
  const trained = (work.trained * row * parameters) / (TRAINED * cores) + STEP_S * work.steps;
  const sampled =
    ((work.sampled + work.asked) * reply * parameters) / (SAMPLED * cores) + PAIR_S * (work.pairs + work.asked);
  return {
    seconds: between(START_S + trained + sampled, MODELLED_SPREAD),
    basis:
      `a rough model, since no earlier run with this model is here: ${Math.round(parameters / 1e6)} M parameters on ${cores} thread(s), at the rates that ` +
      `were measured for a model of 135 M; a factor of ${MODELLED_SPREAD} either way`,
  };
}

const between = (seconds: number, spread: number): { low: number; high: number } => ({
  low: Math.round(seconds / spread),
  high: Math.ceil(seconds * spread),
});
