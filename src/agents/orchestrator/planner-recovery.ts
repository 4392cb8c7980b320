/** @file What the planner does after an error: what the error text names, as any model would read it. */
import { LIMIT_REACHED, type OrchestratorTask } from "./orchestrator-task.js";
import { type CallMove, ingest, lookUp, pairs, train } from "./planner-moves.js";
import { TOOLS } from "./run-facts.js";
import { MOST_ATTEMPTS, type RunProgress } from "./run-progress.js";
import type { ToolRecord } from "./tool-records.js";

/** A move that answers the last record, a failure; undefined where the call is given up and the policy goes on without it. */
export function recover(
  task: OrchestratorTask,
  records: readonly ToolRecord[],
  progress: RunProgress,
): CallMove | undefined {
  const failed = records.at(-1);
  if (failed === undefined || failed.ok || failed.error.startsWith(LIMIT_REACHED)) return undefined;
  const other = toolsNamedIn(failed.error).find((name) => name !== failed.name);
  const sameError = records.filter((record) => !record.ok && record.error === failed.error).length;
  if (other !== undefined && sameError <= MOST_ATTEMPTS) return moveTo(other, failed, task, progress);
  // Another topic is tried by the policy.
  if (failed.name === TOOLS.pairs && failed.args["topic"] !== undefined) return undefined;
  const attempts = records.filter((record) => !record.ok && isSameCall(record, failed)).length;
  if (attempts >= MOST_ATTEMPTS) return undefined;
  return { kind: "call", name: failed.name, args: failed.args, why: "once more, as the error names no other tool" };
}

/** Tools that a text tells its reader to call. */
export function toolsNamedIn(text: string): string[] {
  const known = new Set<string>(Object.values(TOOLS));
  return Array.from(text.matchAll(/\bcall ([a-z]+(?:-[a-z]+)+)/gi), ([, name = ""]) => name).filter((name) =>
    known.has(name),
  );
}

function moveTo(
  name: string,
  { args }: ToolRecord,
  task: OrchestratorTask,
  progress: RunProgress,
): CallMove | undefined {
  if (name === TOOLS.ingest) return ingest(task);
  if (name === TOOLS.pairs) return pairs(task, progress);
  if (name === TOOLS.train) return train(task, progress, "the error asks for it");
  if (name === TOOLS.retrieve) return lookUp(String(args["topic"] ?? args["question"] ?? task.questions[0]));
  return undefined;
}

const isSameCall = (one: ToolRecord, other: ToolRecord): boolean =>
  one.name === other.name && JSON.stringify(one.args) === JSON.stringify(other.args);
