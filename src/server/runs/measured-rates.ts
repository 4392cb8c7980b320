/** @file How fast earlier runs with the same model were, from the times that they kept. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import {
  openRunDirectory,
  parseTeachConfig,
  placeOf,
  readRunPairs,
  runNames,
  runsFolder,
  type TeachPlan,
  teachPlan,
} from "../../agents/index.js";
import { METRICS_FILE, TIMING_FILE } from "../../agents/teaching/run-journal.js";

/** Seconds. */
export interface MeasuredRates {
  /** Of one pair in one optimizer step. */
  readonly trainedPair: number;
  /** From question to stored pair. */
  readonly madePair?: number;
  /** Of one held-out question. */
  readonly answer?: number;
  /** That were looked at. */
  readonly steps: number;
  readonly runs: number;
}

const lineSchema = z.object({ round: z.number(), kind: z.string(), ms: z.number() });
type Line = z.infer<typeof lineSchema>;

/** With fewer, one slow step decides. */
const LEAST_STEPS = 3;
/** The newest say most about the machine as it is. */
const MOST_RUNS = 5;

/** Undefined where no run of this home says enough. */
export async function measuredRates(home: string, model: string): Promise<MeasuredRates | undefined> {
  const found: RunTimes[] = [];
  for (const name of (await runNames(home)).toReversed()) {
    const times = await timesOf(join(runsFolder(home), name), model).catch(() => undefined);
    if (times !== undefined && times.trained.length >= LEAST_STEPS) found.push(times);
    if (found.length === MOST_RUNS) break;
  }
  if (found.length === 0) return undefined;
  const trained = found.flatMap((times) => times.trained);
  const made = median(found.flatMap((times) => times.made));
  const answer = median(found.flatMap((times) => times.answers));
  return {
    trainedPair: median(trained) as number,
    ...(made !== undefined && { madePair: made }),
    ...(answer !== undefined && { answer }),
    steps: trained.length,
    runs: found.length,
  };
}

interface RunTimes {
  readonly trained: readonly number[];
  readonly made: readonly number[];
  readonly answers: readonly number[];
}

/** A line's time runs from the line before, so the first step of a round also holds the making of its pairs. */
async function timesOf(directory: string, model: string): Promise<RunTimes | undefined> {
  const { kind, request } = await openRunDirectory(directory);
  if (kind !== "teach" || request["model"] !== model) return undefined;
  const plan = teachPlan(parseTeachConfig(request), { parameters: 1e6 });
  const [lines, pairs, asked] = await Promise.all([
    timing(directory),
    readRunPairs(directory),
    questionsAsked(directory),
  ]);
  const trained = lines.flatMap((line, i) => {
    const before = lines[i - 1];
    return line.kind === "step" && before?.kind === "step" && before.round === line.round ? [perPair(line, plan)] : [];
  });
  const usual = median(trained);
  const made = lines.flatMap((line, i) => {
    const before = lines[i - 1];
    const count = pairs.filter(({ provenance }) => provenance.round === line.round).length;
    if (
      usual === undefined ||
      line.kind !== "step" ||
      count === 0 ||
      (before?.kind === "step" && before.round === line.round)
    )
      return [];
    return [Math.max(0, line.ms / 1000 - usual * batchOf(line, plan)) / count];
  });
  const answers = lines.flatMap(({ kind: of, ms }, i) => {
    const n = asked[i];
    return of === "evaluation" && n !== undefined && n > 0 ? [ms / 1000 / n] : [];
  });
  return { trained, made, answers };
}

const batchOf = ({ round }: Line, plan: TeachPlan): number => placeOf(plan, round)?.phase.batchPairs ?? 1;
const perPair = (line: Line, plan: TeachPlan): number => line.ms / 1000 / batchOf(line, plan);

/** Of each line of metrics.jsonl, which has as many as timing.jsonl. */
async function questionsAsked(directory: string): Promise<(number | undefined)[]> {
  const text = await readFile(join(directory, METRICS_FILE), "utf8");
  const rows = text.split("\n").filter((line) => line !== "");
  return rows.map((row) => (JSON.parse(row) as { readonly n?: number }).n);
}

async function timing(directory: string): Promise<Line[]> {
  const text = await readFile(join(directory, TIMING_FILE), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => lineSchema.parse(JSON.parse(line)));
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
