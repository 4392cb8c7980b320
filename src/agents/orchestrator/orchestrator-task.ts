/** @file What an orchestrator is asked to do: a corpus, held-out questions, and the limits that end it. */
import { z } from "zod";

const whole = (least: number, most: number) => z.number().int().min(least).max(most);

const limitsSchema = z.strictObject({
  /** Calls of tools, also those that fail. */
  toolCalls: whole(1, 10_000).default(80),
  /** Turns of the model that plans. */
  modelCalls: whole(1, 10_000).default(120),
  /** Calls of train-iteration. */
  trainings: whole(0, 1000).default(6),
});

const taskSchema = z.strictObject({
  /** As ingest-corpus takes it: an absolute path, a glob, or "materials-world". */
  corpus: z.string().trim().min(1),
  /** Asked before and after, and never trained on: the orchestrator cannot see to that, whoever names them can. */
  questions: z.array(z.string().trim().min(1)).min(1).max(100),
  /** What pairs shall be about; without any, passages are drawn by chance. */
  topics: z.array(z.string().trim().min(1)).default([]),
  /** Pairs, trainings and answers, at most so many times. */
  rounds: whole(1, 100).default(2),
  pairsPerRound: whole(1, 10_000).default(24),
  /** Optimizer steps of one training; by default the tool decides. */
  stepsPerTraining: whole(1, 10_000).optional(),
  /** Most answers that recursive-reason makes to one question. */
  answerRounds: whole(1, 10).default(2),
  limits: limitsSchema.prefault({}),
});

export type OrchestratorTask = z.output<typeof taskSchema>;
export type OrchestratorTaskInput = z.input<typeof taskSchema>;
export type OrchestratorLimits = OrchestratorTask["limits"];

/** Throws one error that names every problem. */
export function parseOrchestratorTask(input: unknown): OrchestratorTask {
  const parsed = taskSchema.safeParse(input);
  if (!parsed.success) throw new Error(`the orchestrator's task: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** How a refusal for want of calls begins. */
export const LIMIT_REACHED = "a limit is reached";
