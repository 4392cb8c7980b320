/** @file What a self-teaching run has come to, from the results of its tools alone. */
import { z } from "zod";
import type { ToolRecord } from "./tool-records.js";

export const TOOLS = {
  ingest: "ingest-corpus",
  retrieve: "retrieve-context",
  pairs: "generate-preference-pair",
  train: "train-iteration",
  reason: "recursive-reason",
} as const;

const whole = z.number().int();
const counts = z.record(z.string(), z.number());
const reading = z.object({ first: z.number(), last: z.number() });

/** The parts of the tools' results that matter here; what else they hold is left alone. */
const ingestedSchema = z.object({ passages: whole, documents: whole, teacher: z.string() });
const pairsSchema = z.object({
  made: whole,
  failures: z.array(z.object({ reason: z.string(), count: whole })),
  dropped: counts,
  pairsFile: z.string(),
});
const trainedSchema = z.object({
  steps: whole,
  loss: reading,
  rewardMargin: reading.optional(),
  lossType: z.string(),
  pairs: whole,
  dropped: counts,
  totalSteps: whole,
  checkpoint: z.string(),
});
const reasonedSchema = z.object({
  answer: z.string(),
  best: whole,
  rounds: z.array(z.object({ thinking: z.string(), score: z.number() })),
});

export type Training = z.infer<typeof trainedSchema>;

export interface MadePairs {
  readonly topic?: string;
  readonly made: number;
  /** Those of them that can be trained on. */
  readonly usable: number;
  readonly failures: Readonly<Record<string, number>>;
}

export interface AskedAnswer {
  readonly question: string;
  readonly answer: string;
  /** Of the best round, from 0 to 1. */
  readonly score: number;
  readonly thinks: boolean;
}

/** One record as what it means; undefined for failures and for tools that change and measure nothing. */
export type Fact =
  | { readonly kind: "ingested"; readonly path: string; readonly result: z.infer<typeof ingestedSchema> }
  | { readonly kind: "pairs"; readonly result: MadePairs; readonly file: string }
  | { readonly kind: "trained"; readonly result: Training }
  | { readonly kind: "answered"; readonly result: AskedAnswer };

export function factOf(record: ToolRecord): Fact | undefined {
  if (!record.ok) return undefined;
  const { name, args } = record;
  if (name === TOOLS.ingest) {
    if (args["remove"] === true) return undefined;
    return { kind: "ingested", path: String(args["path"]), result: read(ingestedSchema, record) };
  }
  if (name === TOOLS.pairs) return pairsFact(read(pairsSchema, record), args["topic"]);
  if (name === TOOLS.train) return { kind: "trained", result: read(trainedSchema, record) };
  if (name === TOOLS.reason) return answeredFact(read(reasonedSchema, record), String(args["question"]));
  return undefined;
}

function pairsFact({ made, failures, dropped, pairsFile }: z.infer<typeof pairsSchema>, topic: unknown): Fact {
  const result = {
    ...(typeof topic === "string" && { topic }),
    made,
    usable: made - sum(Object.values(dropped)),
    failures: Object.fromEntries(failures.map(({ reason, count }) => [reason, count])),
  };
  return { kind: "pairs", result, file: pairsFile };
}

function answeredFact({ answer, best, rounds }: z.infer<typeof reasonedSchema>, question: string): Fact {
  const round = rounds[best - 1];
  const result = { question, answer, score: round?.score ?? 0, thinks: (round?.thinking ?? "").trim() !== "" };
  return { kind: "answered", result };
}

/** A tool of this name whose result is another one's belongs to another server. */
function read<T extends z.ZodType>(schema: T, record: ToolRecord & { readonly ok: true }): z.infer<T> {
  const parsed = schema.safeParse(record.data);
  if (!parsed.success) {
    throw new Error(
      `the result of ${record.name} is not that of this package's tool of that name: ${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data;
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** 0 where there are none. */
export const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : sum(values) / values.length);
