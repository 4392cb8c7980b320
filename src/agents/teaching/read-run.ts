/** @file What a run directory says of a run: counts, steps and evaluations, read back from its journals. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { EvaluationResult } from "./events.js";
import { FAILURES_FILE, METRICS_FILE, readRunPairs, TIMING_FILE } from "./run-journal.js";

const typeSchema = z.object({ type: z.string(), right: z.number(), n: z.number(), chance: z.number() });
const evaluationSchema = z.object({
  kind: z.literal("evaluation"),
  round: z.number(),
  split: z.string(),
  accuracy: z.number(),
  n: z.number(),
  chance: z.number(),
  byType: z.array(typeSchema),
  markable: z.number(),
  thinkingRight: z.number(),
  verdicts: z.array(z.number()),
});
const preferenceSchema = z.object({
  kind: z.literal("preference-accuracy"),
  round: z.number(),
  accuracy: z.number(),
  n: z.number(),
});
const numbersSchema = z.looseObject({
  kind: z.enum(["step", "held-out"]),
  round: z.number(),
  step: z.number(),
});
const lineSchema = z.union([evaluationSchema, preferenceSchema, numbersSchema]);
/** The runs of single tool calls have no rounds. */
const shownLineSchema = z.union([
  evaluationSchema,
  preferenceSchema,
  numbersSchema.extend({ round: z.number().default(0) }),
]);
const failureSchema = z.object({ round: z.number(), topic: z.string(), reason: z.string() });

export interface LoggedNumbers {
  readonly step: number;
  readonly round: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface RunLog {
  readonly pairs: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly steps: readonly LoggedNumbers[];
  /** Loss and metrics on the held-out pairs. */
  readonly heldOut: readonly LoggedNumbers[];
  readonly evaluations: readonly { readonly round: number; readonly result: EvaluationResult }[];
  readonly preferenceAccuracies: readonly Omit<z.infer<typeof preferenceSchema>, "kind">[];
  /** Time of everything that was journalled. */
  readonly milliseconds: number;
}

/** One line of metrics.jsonl, of any kind of run. Throws where it is none. */
export function readLogLine(text: string): LogLine {
  const line = shownLineSchema.parse(JSON.parse(text));
  if (line.kind === "evaluation") return { kind: line.kind, ...loggedEvaluation(line) };
  if (line.kind === "preference-accuracy") return line;
  return { kind: line.kind, ...loggedNumbers(line) };
}

export type LogLine =
  | ({ readonly kind: "step" | "held-out" } & LoggedNumbers)
  | { readonly kind: "evaluation"; readonly round: number; readonly result: EvaluationResult }
  | z.infer<typeof preferenceSchema>;

/** Throws with file and line where a journal is damaged; files that are missing count as empty. */
export async function readRunLog(directory: string): Promise<RunLog> {
  const [pairs, metrics, failed, times] = await Promise.all([
    readRunPairs(directory),
    readLines(join(directory, METRICS_FILE), lineSchema),
    readLines(join(directory, FAILURES_FILE), failureSchema),
    readLines(join(directory, TIMING_FILE), z.object({ ms: z.number() })),
  ]);
  const failures: Record<string, number> = {};
  for (const { reason } of failed) failures[reason] = (failures[reason] ?? 0) + 1;
  const numbers = (wanted: string): LoggedNumbers[] =>
    metrics.flatMap((line) => (line.kind === wanted ? [loggedNumbers(line as z.infer<typeof numbersSchema>)] : []));
  return {
    pairs: pairs.length,
    failures,
    steps: numbers("step"),
    heldOut: numbers("held-out"),
    evaluations: metrics.flatMap((line) => (line.kind === "evaluation" ? [loggedEvaluation(line)] : [])),
    preferenceAccuracies: metrics.flatMap((line) => (line.kind === "preference-accuracy" ? [line] : [])),
    milliseconds: times.reduce((sum, { ms }) => sum + ms, 0),
  };
}

function loggedEvaluation({ kind: _kind, round, ...result }: z.infer<typeof evaluationSchema>) {
  return { round, result };
}

function loggedNumbers({ kind: _kind, round, step, ...rest }: z.infer<typeof numbersSchema>): LoggedNumbers {
  const numbers = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return { step, round, metrics: Object.fromEntries(numbers) };
}

async function readLines<T>(file: string, schema: z.ZodType<T>): Promise<T[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return text
    .split("\n")
    .map((line, i) => [line, i + 1] as const)
    .filter(([line]) => line !== "")
    .map(([line, number]) => {
      try {
        return schema.parse(JSON.parse(line));
      } catch (cause) {
        throw new Error(`${file} line ${number} is damaged: remove the line, or start a new run`, { cause });
      }
    });
}
