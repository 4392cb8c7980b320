/** @file Where a self-teaching run stands, for whoever decides what comes next: rounds, open questions, usable topics, calls left. */
import type { OrchestratorTask } from "./orchestrator-task.js";
import { type AskedAnswer, type Fact, factOf, mean, sum, TOOLS, type Training } from "./run-facts.js";
import type { ToolRecord } from "./tool-records.js";

/** Failures of one call after which it is not made again. */
export const MOST_ATTEMPTS = 2;

export interface Measured {
  readonly score: number;
  /** Share of the replies that think. */
  readonly thinking: number;
  /** Share of those that think and then answer. */
  readonly complete: number;
  readonly n: number;
}

export interface RunProgress {
  readonly ingested: boolean;
  /** Answers of each evaluation: before the first training, then after each round. The last may be under way. */
  readonly evaluations: readonly Measured[];
  /** Questions that the evaluation under way still has to ask. */
  readonly open: readonly string[];
  /** Trainings since the last evaluation but one: those of the round that is evaluated or under way. */
  readonly roundTrainings: readonly Training[];
  readonly rounds: number;
  readonly trainings: number;
  /** Pairs since the last training. */
  readonly newPairs: number;
  /** Calls for pairs since the last training, in whatever way they ended. */
  readonly pairCalls: number;
  readonly usablePairs: number;
  /** Topics that did not come to nothing. */
  readonly topics: readonly string[];
  readonly callsLeft: number;
}

export function progressOf(task: OrchestratorTask, records: readonly ToolRecord[]): RunProgress {
  const lastTraining = records.findLastIndex(({ name, ok }) => ok && name === TOOLS.train);
  const since = records.slice(lastTraining + 1);
  const parts = partsOf(records);
  const evaluations = parts.evaluations.map(measured);
  const usable = (part: readonly ToolRecord[]): number =>
    sum(factsOf(part).map((fact) => (fact.kind === "pairs" ? fact.result.usable : 0)));
  return {
    ingested: factsOf(records).some(({ kind }) => kind === "ingested"),
    evaluations,
    open: task.questions.filter((question) => !since.some((record) => isSettled(record, question, since))),
    roundTrainings: parts.trainings.at(-1) ?? [],
    rounds: parts.trainings.length,
    trainings: sum(parts.trainings.map(({ length }) => length)),
    newPairs: usable(since),
    pairCalls: since.filter(({ name }) => name === TOOLS.pairs).length,
    usablePairs: usable(records),
    topics: topicsOf(task, records),
    callsLeft: task.limits.toolCalls - records.length,
  };
}

const factsOf = (records: readonly ToolRecord[]): Fact[] => records.flatMap((record) => factOf(record) ?? []);

/** Answered, or given up. */
function isSettled({ ok, name, args }: ToolRecord, question: string, part: readonly ToolRecord[]): boolean {
  if (name !== TOOLS.reason || args["question"] !== question) return false;
  return ok || part.filter((other) => other.args["question"] === question && !other.ok).length >= MOST_ATTEMPTS;
}

/** Trainings and evaluations take turns: what stands between two of the one kind belongs together. */
function partsOf(records: readonly ToolRecord[]): { trainings: Training[][]; evaluations: AskedAnswer[][] } {
  const trainings: Training[][] = [];
  const evaluations: AskedAnswer[][] = [[]];
  let before: "trained" | "answered" = "answered";
  for (const fact of factsOf(records)) {
    if (fact.kind !== "trained" && fact.kind !== "answered") continue;
    if (fact.kind === "trained") {
      if (before === "answered") {
        trainings.push([]);
        evaluations.push([]);
      }
      trainings.at(-1)?.push(fact.result);
    } else evaluations.at(-1)?.push(fact.result);
    before = fact.kind;
  }
  return { trainings, evaluations };
}

function measured(answers: readonly AskedAnswer[]): Measured {
  return {
    score: mean(answers.map(({ score }) => score)),
    thinking: mean(answers.map(({ thinks }) => (thinks ? 1 : 0))),
    complete: mean(answers.map(({ thinks, answer }) => (thinks && answer.trim() !== "" ? 1 : 0))),
    n: answers.length,
  };
}

/** The task's topics and what retrieval has shown beside them, without those that a call came back from with nothing. */
function topicsOf(task: OrchestratorTask, records: readonly ToolRecord[]): string[] {
  const spent = new Set(
    records.flatMap((record) => {
      const topic = record.name === TOOLS.pairs ? record.args["topic"] : undefined;
      if (typeof topic !== "string") return [];
      const fact = factOf(record);
      return fact?.kind === "pairs" && fact.result.made >= Number(record.args["count"] ?? 1) ? [] : [topic];
    }),
  );
  return [...new Set([...task.topics, ...records.flatMap(shownTopics)])].filter((topic) => !spent.has(topic));
}

/** Names of the documents that a retrieval found, in words: "notes/gecko-adhesion.md" is about gecko adhesion. */
function shownTopics(record: ToolRecord): string[] {
  if (!record.ok || record.name !== TOOLS.retrieve || !Array.isArray(record.data["passages"])) return [];
  return record.data["passages"].flatMap((passage: { readonly source?: unknown }) => {
    const file =
      String(passage.source ?? "")
        .split(/[\\/]/)
        .at(-1) ?? "";
    const name = file
      .replace(/\.\w+$/, "")
      .replace(/[-_]+/g, " ")
      .trim();
    return name === "" ? [] : [name];
  });
}
