/** @file The door of reading a run's metrics. */
export { type Explanation, explainRun, type MetricReading, type RunCurves } from "./explain-run.js";
export { type Finding, LEVELS } from "./finding.js";
export { METRIC_NAMES, metricDefinition } from "./metric-definitions.js";
