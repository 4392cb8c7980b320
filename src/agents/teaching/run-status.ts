/** @file Whether a run is under way and how it ended, as its directory tells anyone who looks, in this process or another. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeWhole } from "../write-whole.js";
import { readJson } from "./read-json.js";
import { openRunDirectory } from "./run-directory.js";
import { lockHolder } from "./run-lock.js";

export const ACTIVITY_FILE = "activity.json";
export const OUTCOME_FILE = "outcome.json";

/** What a run does at the moment; written over at most once a second. No result depends on it. */
export const activitySchema = z.object({
  /** ISO time. */
  at: z.string(),
  stage: z.string(),
  phase: z.string().optional(),
  round: z.number().int().nonnegative().optional(),
  done: z.number(),
  total: z.number(),
  note: z.string().optional(),
});
export type Activity = z.infer<typeof activitySchema>;

/** How a run ended that did not come to its end. What was finished says so in state.json. */
export const outcomeSchema = z.object({
  at: z.string(),
  status: z.enum(["failed", "cancelled"]),
  message: z.string(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

/**
 * `working`: a process holds its lock. `completed`: it came to its end. `failed`, `cancelled`: the outcome says why.
 * `interrupted`: its process is gone and nothing says why; it can be gone on with. `open`: a run of single tool calls, which has no end.
 */
export const RUN_STATUSES = ["working", "completed", "failed", "cancelled", "interrupted", "open"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export interface RunStanding {
  readonly status: RunStatus;
  /** Where it works. */
  readonly activity?: Activity;
  /** Where it failed or was cancelled. */
  readonly outcome?: Outcome;
}

/** Throws where the directory is no run. */
export async function runStanding(directory: string): Promise<RunStanding> {
  const { path, kind } = await openRunDirectory(directory);
  const [holder, activity, outcome, state] = await Promise.all([
    lockHolder(path),
    readAs(join(path, ACTIVITY_FILE), activitySchema),
    readAs(join(path, OUTCOME_FILE), outcomeSchema),
    readAs(join(path, "state.json"), z.object({ finished: z.boolean().optional() })),
  ]);
  if (kind === "tools") return { status: "open" };
  if (holder !== undefined) return { status: "working", ...(activity && { activity }) };
  const demoEnded = kind === "demo" && (await readJson(join(path, "summary.json"))) !== undefined;
  if (state?.finished === true || demoEnded) return { status: "completed" };
  if (outcome !== undefined) return { status: outcome.status, outcome };
  return { status: "interrupted" };
}

/** At least so long between two writes, so that a fast stage does not wear the disk. */
const WRITE_INTERVAL_MS = 1000;

export interface ActivityLog {
  /** Keeps only the latest; never throws, for a full disk must not end a run over this. */
  report(activity: Omit<Activity, "at">): void;
  /** Writes what is left. */
  close(): Promise<void>;
}

/** Tells in the run's directory what it does. Takes away the outcome of an earlier part: the run goes on. */
export async function openActivityLog(directory: string): Promise<ActivityLog> {
  await rm(join(directory, OUTCOME_FILE), { force: true });
  let latest: Activity | undefined;
  let timer: NodeJS.Timeout | undefined;
  let written = Number.NEGATIVE_INFINITY;
  let writing: Promise<void> = Promise.resolve();
  const write = (): void => {
    timer = undefined;
    written = performance.now();
    const activity = latest;
    if (activity === undefined) return;
    latest = undefined;
    writing = writing
      .then(() => writeWhole(join(directory, ACTIVITY_FILE), `${JSON.stringify(activity)}\n`))
      .catch(() => undefined);
  };
  return {
    report: (activity) => {
      latest = { at: new Date().toISOString(), ...activity };
      timer ??= setTimeout(write, Math.max(0, written + WRITE_INTERVAL_MS - performance.now())).unref();
    },
    close: async () => {
      clearTimeout(timer);
      write();
      await writing;
    },
  };
}

export const writeOutcome = (directory: string, outcome: Omit<Outcome, "at">): Promise<void> =>
  writeWhole(join(directory, OUTCOME_FILE), `${JSON.stringify({ at: new Date().toISOString(), ...outcome })}\n`);

/** Undefined where the file is missing or says something else: a standing tells what can be told. */
async function readAs<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  return schema.safeParse(await readJson(file)).data;
}
