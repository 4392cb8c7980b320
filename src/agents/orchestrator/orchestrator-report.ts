/** @file The report of an orchestrated run: its numbers from the tools, its verdict from whoever planned it. */
import { z } from "zod";
import { SUBMIT_REPORT } from "./orchestrator-prompt.js";
import type { OrchestratorTask } from "./orchestrator-task.js";
import { type AskedAnswer, factOf, mean, sum, type Training } from "./run-facts.js";
import type { ToolRecord } from "./tool-records.js";

/** What the model hands in. */
export const handInSchema = z
  .object({
    verdict: z
      .enum(["improved", "unchanged", "worse", "unknown"])
      .describe("How the answers after the last training compare with the baseline; unknown where they cannot"),
    reason: z.string().trim().min(1).describe("Why, with the numbers that it rests on, and why you stopped"),
  })
  .meta({ title: SUBMIT_REPORT, description: "Ends the run with your verdict." });
export type HandIn = z.infer<typeof handInSchema>;

export type Answer = Omit<AskedAnswer, "question">;

export interface OrchestratorReport extends HandIn {
  /** Undefined where nothing was ingested. */
  readonly corpus?: {
    readonly path: string;
    readonly documents: number;
    readonly passages: number;
    readonly teacher: string;
  };
  readonly pairs: {
    readonly made: number;
    /** Those that can be trained on. */
    readonly usable: number;
    readonly topics: readonly string[];
    /** Questions that came to nothing, by reason. */
    readonly failures: Readonly<Record<string, number>>;
    readonly file?: string;
  };
  readonly steps: number;
  /** Of the first step of the first training and of the last step of the last; losses of two kinds do not compare. */
  readonly loss?: { readonly first: number; readonly last: number };
  readonly trainings: readonly Training[];
  /** Every question of the task, with the last answer before the first training and the last one after the last. */
  readonly answers: readonly { readonly question: string; readonly before?: Answer; readonly after?: Answer }[];
  /** Mean scores over the questions that have both answers. */
  readonly score?: { readonly before: number; readonly after: number; readonly questions: number };
  readonly calls: {
    readonly tools: Readonly<Record<string, number>>;
    readonly failed: number;
    readonly model: number;
  };
  /** The model that planned. */
  readonly planner: string;
  /** By its hand-in, by prose in place of one, or because a limit was reached. */
  readonly ended: "report" | "prose" | "limit";
}

export interface RunOutcome extends Pick<OrchestratorReport, "planner" | "ended"> {
  readonly records: readonly ToolRecord[];
  readonly modelCalls: number;
  readonly handIn: HandIn;
}

export function reportOf(task: OrchestratorTask, outcome: RunOutcome): OrchestratorReport {
  const { records, handIn, planner, ended, modelCalls } = outcome;
  const facts = records.flatMap((record) => factOf(record) ?? []);
  const ingested = facts.findLast((fact) => fact.kind === "ingested");
  const made = facts.flatMap((fact) => (fact.kind === "pairs" ? [fact] : []));
  const trainings = facts.flatMap((fact) => (fact.kind === "trained" ? [fact.result] : []));
  const { answers, score } = answersOf(task, facts);
  const [first, last] = [trainings[0], trainings.at(-1)];
  const file = made.at(-1)?.file;
  return {
    ...handIn,
    ...(ingested && { corpus: { path: ingested.path, ...ingested.result } }),
    pairs: {
      made: sum(made.map(({ result }) => result.made)),
      usable: sum(made.map(({ result }) => result.usable)),
      topics: [...new Set(made.flatMap(({ result }) => result.topic ?? []))],
      failures: added(made.map(({ result }) => result.failures)),
      ...(file !== undefined && { file }),
    },
    steps: sum(trainings.map(({ steps }) => steps)),
    ...(first && last && { loss: { first: first.loss.first, last: last.loss.last } }),
    trainings,
    answers,
    ...(score && { score }),
    calls: {
      tools: added(records.map(({ name }) => ({ [name]: 1 }))),
      failed: records.filter(({ ok }) => !ok).length,
      model: modelCalls,
    },
    planner,
    ended,
  };
}

/** An answer counts as one after training only where no further training followed it. */
export function answersOf(
  { questions }: Pick<OrchestratorTask, "questions">,
  facts: readonly NonNullable<ReturnType<typeof factOf>>[],
): Pick<OrchestratorReport, "answers" | "score"> {
  const isTraining = facts.map(({ kind }) => kind === "trained");
  const [first, last] = [isTraining.indexOf(true), isTraining.lastIndexOf(true)];
  const answerIn = (part: typeof facts, question: string): Answer | undefined => {
    const found = part.findLast((fact) => fact.kind === "answered" && fact.result.question === question);
    if (found?.kind !== "answered") return undefined;
    const { question: _, ...answer } = found.result;
    return answer;
  };
  const answers = questions.map((question) => {
    const before = answerIn(first < 0 ? facts : facts.slice(0, first), question);
    const after = last < 0 ? undefined : answerIn(facts.slice(last), question);
    return { question, ...(before && { before }), ...(after && { after }) };
  });
  const both = answers.flatMap(({ before, after }) => (before && after ? [{ before, after }] : []));
  if (both.length === 0) return { answers };
  const score = {
    before: mean(both.map(({ before }) => before.score)),
    after: mean(both.map(({ after }) => after.score)),
    questions: both.length,
  };
  return { answers, score };
}

function added(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [key, count] of counts.flatMap((each) => Object.entries(each))) total[key] = (total[key] ?? 0) + count;
  return total;
}
