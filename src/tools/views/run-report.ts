/** @file All views of one run together, as its report shows them. */
import { graphView } from "./graph-view.js";
import { pairsSample } from "./pairs-page.js";
import { reasoningViews } from "./reasoning-log.js";
import { runDetail } from "./run-detail.js";
import { runMetrics } from "./run-metrics.js";
import type { RunReport } from "./types.js";

/** More pairs than this nobody reads. */
const PAIRS_SHOWN = 24;

/** Pairs are drawn evenly from the run. Throws as `runDetail`. */
export async function runReport(home: string, id: string): Promise<RunReport> {
  const [run, metrics, pairs, graph, reasoning] = await Promise.all([
    runDetail(home, id),
    runMetrics(home, id),
    pairsSample(home, id, PAIRS_SHOWN),
    graphView(home, id),
    reasoningViews(home, id),
  ]);
  const seed = run.request["seed"];
  const title = `Self-teaching run ${id}${typeof seed === "number" ? `, seed ${seed}` : ""}`;
  return { title, run, metrics, pairs, graph, reasoning };
}
