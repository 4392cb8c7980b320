/** @file Runs as a list is asked for them again and again: what has not changed on disk is not read again. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { type RunSummary, runNames, runStanding, runSummary } from "../../agents/index.js";
import { runPlace } from "./run-place.js";
import type { BrokenRun, RunItem, RunList } from "./types.js";

/** Whatever of a run changes, one of these does; checkpoints and graphs come and go as entries of the folder itself. */
const TELLING = [
  ".",
  "run.json",
  "run.lock",
  "state.json",
  "progress.json",
  "activity.json",
  "outcome.json",
  "summary.json",
  "pairs.jsonl",
  "metrics.jsonl",
  "failures.jsonl",
  "reasoning.jsonl",
  "adapter",
] as const;

/** More runs than this are read anew each time. */
const MOST_REMEMBERED = 2000;

interface Remembered {
  readonly versions: string;
  readonly summary: RunSummary;
  readonly item: RunItem;
}
const remembered = new Map<string, Remembered>();

/** All runs of a home, the one that was written last first. A folder that cannot be read as a run says why, and stops nobody. */
export async function listRunItems(home: string): Promise<RunList> {
  const runs: RunItem[] = [];
  const broken: BrokenRun[] = [];
  for (const id of await runNames(home)) {
    try {
      runs.push((await itemOf(await runPlace(home, id), id)).item);
    } catch (error) {
      broken.push({ id, problem: (error as Error).message });
    }
  }
  runs.sort((a, b) => b.changed.localeCompare(a.changed) || (a.id < b.id ? 1 : -1));
  return { runs, broken };
}

/** What of a run is in the list, and the summary behind it. Throws where the directory is no run. */
export async function itemOf(path: string, id: string): Promise<Omit<Remembered, "versions">> {
  const versions = await versionsOf(path);
  const known = remembered.get(path);
  const same = known?.versions === versions ? known : undefined;
  if (same !== undefined && same.item.status !== "working") return same;
  // Whether the holder of a lock still lives is written nowhere.
  const [summary, standing] = await Promise.all([same?.summary ?? runSummary(path), runStanding(path)]);
  const item: RunItem = { ...shownOf(summary), id, ...standing };
  remembered.delete(path);
  remembered.set(path, { versions, summary, item });
  const [oldest] = remembered.keys();
  if (remembered.size > MOST_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
  return { summary, item };
}

function shownOf(summary: RunSummary): Omit<RunItem, "id" | "status"> {
  const { kind, created, changed, model, phase, round, step, pairs, loss, bytes } = summary;
  return {
    kind,
    created,
    changed,
    ...(model !== undefined && { model }),
    ...(phase !== undefined && phase !== "" && { phase }),
    ...(round !== undefined && { round }),
    ...(step !== undefined && { step }),
    pairs,
    ...(loss !== undefined && { loss }),
    bytes,
  };
}

async function versionsOf(path: string): Promise<string> {
  const infos = await Promise.all(
    TELLING.map((name) => lstat(join(path, name), { bigint: true }).catch(() => undefined)),
  );
  return infos.map((info) => (info === undefined ? "-" : `${info.ino}.${info.size}.${info.mtimeNs}`)).join(" ");
}
