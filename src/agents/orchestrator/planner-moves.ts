/** @file The moves of the planner that is a program: calls of the five tools, and the report. */
import type { HandIn } from "./orchestrator-report.js";
import type { OrchestratorTask } from "./orchestrator-task.js";
import { TOOLS } from "./run-facts.js";
import type { Measured, RunProgress } from "./run-progress.js";

export interface CallMove {
  readonly kind: "call";
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** One sentence. */
  readonly why: string;
}

export interface ReportMove {
  readonly kind: "report";
  readonly handIn: HandIn;
}

export type PlannerMove = CallMove | ReportMove;

const call = (name: string, args: CallMove["args"], why: string): CallMove => ({ kind: "call", name, args, why });

export const ingest = ({ corpus }: OrchestratorTask): CallMove =>
  call(TOOLS.ingest, { path: corpus }, "everything else needs a corpus");

export const lookUp = (query: string): CallMove =>
  call(TOOLS.retrieve, { query }, "what the corpus holds about it, for another topic");

export const ask = ({ answerRounds }: OrchestratorTask, question: string, why: string): CallMove =>
  call(TOOLS.reason, { question, rounds: answerRounds }, why);

/** Of one call, as the tool has it. */
export const MOST_PAIRS = 32;
/** Fewer on one topic than a round has room for, so that there are several. */
const LEAST_TOPICS = 3;

/** The next of the topics in turn, or none. */
export function pairs({ pairsPerRound }: OrchestratorTask, { topics, pairCalls, newPairs }: RunProgress): CallMove {
  const missing = Math.max(1, pairsPerRound - newPairs);
  const topic = topics[pairCalls % Math.max(1, topics.length)];
  if (topic === undefined) {
    const count = Math.min(missing, MOST_PAIRS);
    return call(TOOLS.pairs, { count }, `${missing} pairs are missing: ${count} of them wherever chance draws`);
  }
  const share = Math.ceil(pairsPerRound / Math.max(LEAST_TOPICS, topics.length));
  const count = Math.min(missing, share, MOST_PAIRS);
  return call(TOOLS.pairs, { topic, count }, `${missing} pairs are missing: ${count} of them about ${topic}`);
}

/** From this share of replies that think and then answer on, a model has the form that ORPO teaches. */
const HAS_FORM = 0.5;

/** On new pairs by the loss that the answers call for, on the same pairs by the loss of the training before. */
export function train({ stepsPerTraining }: OrchestratorTask, progress: RunProgress, reason: string): CallMove {
  const { evaluations, newPairs, roundTrainings } = progress;
  const hasForm = evaluations.length > 1 && (evaluations.at(-1) as Measured).complete >= HAS_FORM;
  const before = newPairs > 0 ? undefined : roundTrainings.at(-1)?.lossType;
  const loss = before ?? (hasForm ? "exo_pair" : "orpo");
  const meaning = loss === "orpo" ? "ORPO teaches the form" : `${loss} refines what the model answers by itself`;
  const steps = stepsPerTraining === undefined ? {} : { steps: stepsPerTraining };
  return call(TOOLS.train, { loss, ...steps }, `${reason}: ${meaning}`);
}

/** A smaller difference is none, on a few questions. */
export const GAIN = 0.05;

export function report({ evaluations, rounds, trainings }: RunProgress, stop: string): ReportMove {
  const [before, after] = [evaluations[0], evaluations.length > 1 ? evaluations.at(-1) : undefined];
  if (before === undefined || after === undefined || before.n === 0 || after.n === 0) {
    return { kind: "report", handIn: { verdict: "unknown", reason: `Stopped: ${stop}. There is nothing to compare.` } };
  }
  const gain = after.score - before.score;
  const verdict = Math.abs(gain) < GAIN ? "unchanged" : gain > 0 ? "improved" : "worse";
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  const reason =
    `Stopped after ${counted(rounds, "round")} and ${counted(trainings, "training")}: ${stop}. Mean score ` +
    `${before.score.toFixed(2)} before, ${after.score.toFixed(2)} after; replies that think and then answer ${percent(before.complete)} ` +
    `before, ${percent(after.complete)} after; on ${counted(after.n, "question")}, which is too few to prove anything. ` +
    "The score is support by passages, not truth.";
  return { kind: "report", handIn: { verdict, reason } };
}

const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
