/** @file What to say of a run in a sentence, and which call comes next. */
import type { RunItem } from "./views/index.js";

export function nextStep({
  id,
  kind,
  status,
  pairs,
}: Pick<RunItem, "id" | "kind" | "status"> & Partial<Pick<RunItem, "pairs">>): string {
  const run = `run: "${id}"`;
  switch (status) {
    case "working":
      return `call get-run with ${run} and wait_seconds: 30 again, or stop-run with ${run} to end it`;
    case "completed":
      return `call explain-metrics with ${run}, evaluate with ${run} and against: "base", ask it with recursive-reason and ${run}, then export-adapter with ${run}`;
    case "cancelled":
    case "interrupted":
      return kind === "teach"
        ? `call start-run with resume: "${id}" to go on with it, or export-adapter with ${run} for what it has`
        : `call export-adapter with ${run} for what it has`;
    case "failed":
      if (pairs === 0) return "correct what the outcome names, and call start-run with dry_run: true";
      return `correct what the outcome names and call start-run with resume: "${id}", or start-run anew; explain-metrics with ${run} reads its curves`;
    case "open":
      return `call generate-preference-pair for more pairs, train-iteration to train on them, or explain-metrics with ${run} to read the curves`;
  }
}

export function runText(item: RunItem): string {
  const { id, status, activity, outcome, round, pairs, step = 0, loss } = item;
  const doing =
    activity === undefined
      ? ""
      : `: ${activity.stage}${activity.round === undefined ? "" : ` of round ${activity.round}`}, ${activity.done} of ${activity.total}` +
        (activity.note === undefined ? "" : ` (${activity.note})`);
  const counts = [
    `${pairs} pairs`,
    `${step} optimizer steps`,
    ...(loss === undefined ? [] : [`loss ${loss.toFixed(4)}`]),
  ];
  const where = round === undefined || activity?.round !== undefined ? "" : ` after round ${round}`;
  return `${id} is ${status}${doing}${where}${outcome === undefined ? "" : `: ${outcome.message}`}; ${counts.join(", ")}`;
}
