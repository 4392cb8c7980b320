/** @file The door of the tools: registers all of them, in the order in which a client calls them. */
import type { McpServer } from "@modelcontextprotocol/server";
import { registerEvaluate } from "./evaluate.js";
import { registerExplainMetrics } from "./explain-metrics.js";
import { registerExportAdapter } from "./export-adapter.js";
import { registerGeneratePreferencePair } from "./generate-preference-pair.js";
import { registerGetRun } from "./get-run.js";
import { registerIngestCorpus } from "./ingest-corpus.js";
import { registerListRuns } from "./list-runs.js";
import { registerRecursiveReason } from "./recursive-reason.js";
import { registerRetrieveContext } from "./retrieve-context.js";
import { registerStartRun } from "./start-run.js";
import { registerStopRun } from "./stop-run.js";
import { registerTasks } from "./tasks/register-tasks.js";
import type { ToolContext } from "./tool-context.js";
import { registerTrainIteration } from "./train-iteration.js";

export { writeWhole } from "../agents/write-whole.js";
export type { ActiveCorpus } from "./active-corpus.js";
export { BUILT_IN_WORLD, EMPTY_CORPUS, readActiveCorpus, writeActiveCorpus } from "./active-corpus.js";
export { type Changes, createChanges } from "./changes.js";
export { registerPrompts } from "./prompts/index.js";
export { requestStates } from "./request-state.js";
export { announceChanges, registerResources } from "./resources/index.js";
export type { RunFolder } from "./run-folder.js";
export { openRunFolder } from "./run-folder.js";
export { serialQueue } from "./serial.js";
export type { Judge, ToolContext, TrainedStudent } from "./tool-context.js";
export { RUNS_URI, watchedChanges } from "./views/index.js";

export function registerTools(server: McpServer, context: ToolContext): void {
  registerIngestCorpus(server, context);
  registerRetrieveContext(server, context);
  registerGeneratePreferencePair(server, context);
  registerTrainIteration(server, context);
  registerRecursiveReason(server, context);
  registerStartRun(server, context);
  registerGetRun(server, context);
  registerListRuns(server, context);
  registerStopRun(server, context);
  registerExplainMetrics(server, context);
  registerEvaluate(server, context);
  registerExportAdapter(server, context);
  registerTasks(server, context);
}
