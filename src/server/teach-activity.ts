/** @file What a run does and how it ended, told in its directory from the events of teaching: the same from the command line and from a server. */
import { type ActivityLog, lockRun, openActivityLog, type TeachEvent, writeOutcome } from "../agents/index.js";
import type { CommandFrame } from "./command-frame.js";
import { environmentSecrets } from "./config.js";
import { messageOf } from "./log.js";
import { redactor } from "./redact.js";

/** Takes the run for this process until the command ends, and opens where it tells what it does. */
export async function holdRun(directory: string, { onEnd }: Pick<CommandFrame, "onEnd">): Promise<ActivityLog> {
  onEnd(await lockRun(directory));
  const activity = await openActivityLog(directory);
  onEnd(() => activity.close());
  activity.report({ stage: "start", done: 0, total: 1 });
  return activity;
}

/** Does the work; where that ends early, the run says so before it is given back. */
export async function withOutcome<T>(directory: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const outcome = signal.aborted
      ? ({ status: "cancelled", message: "stopped by a signal; what was finished is kept" } as const)
      : ({ status: "failed", message: redactor(environmentSecrets())(messageOf(error)) } as const);
    // A disk that is full must not hide why the run failed.
    await writeOutcome(directory, outcome).catch(() => undefined);
    throw error;
  }
}

/** Passes the events on; what they say of the stage goes to the activity. */
export async function* toldIn<R>(
  activity: Pick<ActivityLog, "report">,
  events: AsyncGenerator<TeachEvent, R>,
): AsyncGenerator<TeachEvent, R> {
  let at: Parameters<ActivityLog["report"]>[0] = { stage: "start", done: 0, total: 1 };
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
    at = activityAfter(at, next.value);
    activity.report(at);
    yield next.value;
  }
}

type At = Parameters<ActivityLog["report"]>[0];

function activityAfter(at: At, event: TeachEvent): At {
  const { note: _, ...same } = at;
  switch (event.kind) {
    case "stage":
      return { stage: event.stage, phase: event.phase, round: event.round, done: 0, total: event.total };
    case "progress":
      return { ...same, done: event.done, total: event.total, ...(event.note !== undefined && { note: event.note }) };
    case "step":
      return { ...same, done: at.done + 1, note: `step ${event.step}: loss ${event.metrics["loss"]?.toFixed(4)}` };
    default:
      return at;
  }
}
