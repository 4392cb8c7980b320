/** @file How a run stands: a mark whose shape says it too, and what it does at the moment. */
import type { RunItem } from "../tools/views/types.js";
import { count } from "./format.js";

const MARKS: Readonly<Record<RunItem["status"], string>> = {
  working: "M8 2a6 6 0 1 0 6 6h-2.2A3.8 3.8 0 1 1 8 4.2z",
  completed: "M3 8.6 6.6 12 13.4 4.8 11.9 3.4 6.5 9.1 4.4 7.1z",
  failed: "M4.4 3 8 6.6 11.6 3 13 4.4 9.4 8 13 11.6 11.6 13 8 9.4 4.4 13 3 11.6 6.6 8 3 4.4z",
  cancelled: "M3 3h10v10H3z",
  interrupted: "M4 3h3v10H4zM9 3h3v10H9z",
  open: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11m0 2.2a3.3 3.3 0 1 1 0 6.6 3.3 3.3 0 0 1 0-6.6",
};

export function Status({ status }: { readonly status: RunItem["status"] }) {
  return (
    <span class={`status ${status}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={MARKS[status]} />
      </svg>
      {status}
    </span>
  );
}

/** Where a run works, as a bar; or why it ended. */
export function Activity({ run: { activity, outcome, status } }: { readonly run: RunItem }) {
  if (outcome !== undefined) return <p class={`outcome ${outcome.status}`}>{outcome.message}</p>;
  if (status !== "working" || activity === undefined) return null;
  const { stage, round, done, total, note } = activity;
  const where = `${stage}${round === undefined ? "" : `, round ${round}`}`;
  return (
    <div class="activity">
      <span class="activity-text">
        {where}
        {note !== undefined && <span class="soft"> {note}</span>}
      </span>
      {total > 0 && (
        <>
          <progress max={total} value={done} aria-label={where} />
          <span class="soft nums">
            {count(done)} of {count(total)}
          </span>
        </>
      )}
    </div>
  );
}
