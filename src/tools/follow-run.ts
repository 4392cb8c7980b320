/** @file A run as a task: the task lasts as long as the run, tells what it does, and ends it when it is cancelled. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { runText } from "./run-text.js";
import type { TaskCall } from "./tasks/task-call.js";
import type { ToolContext } from "./tool-context.js";
import { StoppedError } from "./tool-result.js";
import { type RunDetail, runDetail } from "./views/index.js";

/** What the task keeps on the disk, so that a later server follows the same run instead of starting another. */
const begunSchema = z.object({ run: z.string() });

/** A run changes by the second at most. */
const LOOK_MS = 1000;

/** The run that an earlier server began for this task, gone on with where its process is gone too; undefined where none was begun. */
export async function runOfTask(context: ToolContext, task: TaskCall): Promise<string | undefined> {
  const begun = begunSchema.safeParse(task.began);
  if (!begun.success) return undefined;
  const { run } = begun.data;
  const { status } = await runDetail(context.home, run);
  if (status === "interrupted") await context.runs.resume(run, task.signal);
  return run;
}

/**
 * Waits until the run has ended. A task that is cancelled stops the run, in order; a server that stops leaves it alone, for
 * the next one to follow.
 */
export async function followRun(context: ToolContext, task: TaskCall, run: string): Promise<RunDetail> {
  try {
    for (;;) {
      const detail = await runDetail(context.home, run);
      if (detail.status !== "working") return detail;
      task.tell(runText(detail));
      await sleep(LOOK_MS, undefined, { signal: task.signal });
    }
  } catch (error) {
    if (!task.signal.aborted || context.signal.aborted) throw error;
    const { status } = await context.runs.stop(run, context.signal);
    const kept = status === "working" ? "it is saving what it has" : "what it has is kept";
    throw new StoppedError(
      `the run ${run} is stopped, and ${kept}: call get-run to look at it, or start-run with resume`,
    );
  }
}
