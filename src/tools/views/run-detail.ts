/** @file All that is told of one run in figures: settings without secrets, checkpoints, adapter, failures, closing table. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { teachSchemas } from "../../agents/index.js";
import { foldLines, type LineFold } from "../../agents/teaching/growing-lines.js";
import { accuracyChange, changeRows, endsOf, preferenceChange } from "../../agents/teaching/log-changes.js";
import { FAILURES_FILE } from "../../agents/teaching/run-journal.js";
import { type SectionMarkers, THINKING } from "../../trainer/index.js";
import { itemOf } from "./list-items.js";
import { type MetricsRead, MOST_POINTS, readMetrics } from "./run-metrics.js";
import { runPlace } from "./run-place.js";
import type { RunDetail, RunItem } from "./types.js";

/** Throws {@link NoSuchRunError} where there is no such run, and with the problem where its folder cannot be read as one. */
export async function runDetail(home: string, id: string): Promise<RunDetail> {
  const directory = await runPlace(home, id);
  const [{ item, summary }, metrics, failures, adapter] = await Promise.all([
    itemOf(directory, id),
    readMetrics(directory),
    foldLines(join(directory, FAILURES_FILE), FAILURES),
    trainedDirectory(directory),
  ]);
  return {
    ...item,
    directory,
    request: withoutSecrets(summary.request),
    checkpoints: summary.checkpoints,
    ...(adapter !== undefined && { adapter }),
    failures: Object.fromEntries(failures ?? []),
    markers: markersOf(summary.request),
    table: tableOf(item, metrics),
  };
}

const failureSchema = z.object({ reason: z.string() });
/** Reasons are few: they are short words of this program, made to be counted. */
const MOST_REASONS = 100;

const FAILURES: LineFold<Map<string, number>> = {
  make: () => new Map(),
  line(counts, { bytes }) {
    const reason = reasonOf(bytes?.toString() ?? "");
    if (counts.has(reason) || counts.size < MOST_REASONS) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  },
};

function reasonOf(line: string): string {
  try {
    return failureSchema.parse(JSON.parse(line)).reason;
  } catch {
    return "a line that cannot be read";
  }
}

/** The adapter, or the model where all weights were trained. */
export async function trainedDirectory(directory: string): Promise<string | undefined> {
  for (const name of ["adapter", "model"]) {
    const path = join(directory, name);
    if ((await lstat(path).catch(() => undefined))?.isDirectory()) return path;
  }
  return undefined;
}

const SECRET_NAME = /(?:^|[_-])(?:token|secret|password|credential|api[_-]?key|authorization)s?$/i;

/** Settings hold no keys; what looks like one, or carries one in an address, is not shown all the same. */
function withoutSecrets(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(request).map(([name, value]) => [name, shownSetting(name, value)]));
}

function shownSetting(name: string, value: unknown): unknown {
  // Such as max_new_tokens and think_start_token.
  if (SECRET_NAME.test(name) && !Object.hasOwn(teachSchemas, name)) return "(not shown)";
  if (typeof value === "string") return value.replace(/(\w:\/\/)[^/\s@]+@/g, "$1");
  if (Array.isArray(value)) return value.map((one) => shownSetting("", one));
  return typeof value === "object" && value !== null ? withoutSecrets(value as Record<string, unknown>) : value;
}

const markersSchema = z.object({
  think_start_token: z.string().min(1).default(THINKING.start),
  think_end_token: z.string().min(1).default(THINKING.end),
});

function markersOf(request: Readonly<Record<string, unknown>>): SectionMarkers {
  const read = markersSchema.safeParse(request);
  return read.success ? { start: read.data.think_start_token, end: read.data.think_end_token } : THINKING;
}

function tableOf({ model, pairs, step }: RunItem, read: MetricsRead): (readonly [string, string])[] {
  const log = { ...read, steps: read.steps.points(MOST_POINTS), heldOut: read.heldOut.points(MOST_POINTS) };
  return [
    ...(model === undefined ? [] : [["model", model] as const]),
    ["pairs", String(pairs)],
    ["optimizer steps", String(step ?? read.steps.total)],
    ...changeRows({
      loss: endsOf(log, "loss"),
      heldOutLoss: endsOf({ steps: log.heldOut }, "eval_loss"),
      rewardMargin: endsOf(log, "rewards/margins"),
      accuracy: changeOf(log, "unseen-combination"),
      unseenMaterials: changeOf(log, "unseen-material"),
      preferenceAccuracy: preferenceChange(log),
    }),
  ];
}

/** Null also where the verdicts of two evaluations do not belong together. */
function changeOf(log: Pick<MetricsRead, "evaluations">, split: string): ReturnType<typeof accuracyChange> {
  try {
    return accuracyChange(log, split);
  } catch {
    return null;
  }
}
