/** @file Every tool, in the order in which a client calls them. */
export const TOOL_NAMES = [
  "ingest-corpus",
  "retrieve-context",
  "generate-preference-pair",
  "train-iteration",
  "recursive-reason",
  "start-run",
  "get-run",
  "list-runs",
  "stop-run",
  "explain-metrics",
  "evaluate",
  "export-adapter",
];
