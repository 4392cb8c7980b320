/** @file The door of the views: what of runs is shown, read from their directories while others write there. */
export { type GraphOptions, graphView } from "./graph-view.js";
export { listRunItems } from "./list-items.js";
export { type PairsOptions, pairsPage, pairsSample } from "./pairs-page.js";
export { appendReasoning, REASONING_FILE, reasoningViews } from "./reasoning-log.js";
export { runDetail, trainedDirectory } from "./run-detail.js";
export { type MetricsOptions, runMetrics } from "./run-metrics.js";
export { idProblem, NoSuchRunError, runPlace } from "./run-place.js";
export { runReport } from "./run-report.js";
export type {
  BrokenRun,
  EvaluationPoint,
  GraphEdge,
  GraphNode,
  GraphView,
  MetricPoint,
  PairsPage,
  ReasoningRoundView,
  ReasoningView,
  RunDetail,
  RunItem,
  RunList,
  RunMetrics,
  RunReport,
} from "./types.js";
export { APP_URI, passageUri, RUN_PARTS, RUNS_URI, type RunPart, runUri } from "./uris.js";
export { type RunsWatch, type WatchOptions, watchRuns } from "./watch-runs.js";
export { watchedChanges } from "./watched-changes.js";
