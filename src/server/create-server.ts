/** @file A server over a context: the factory that serves either protocol era, over any transport. */
import { McpServer } from "@modelcontextprotocol/server";
import { registerPrompts, registerResources, registerTools, requestStates } from "../tools/index.js";
import type { ToolContext } from "../tools/tool-context.js";
import { type CallObserver, observeCalls } from "./observe-calls.js";
import { rememberSchemas } from "./remember-schemas.js";
import { packageVersion } from "./version.js";

const INSTRUCTIONS = `A small language model that teaches itself to reason about a corpus.
Order of calls: ingest-corpus; retrieve-context to look something up; then either a whole run, start-run (with dry_run first: memory and
time), get-run until its status is completed, evaluate, export-adapter; or single steps, generate-preference-pair (several times),
train-iteration, recursive-reason. list-runs gives ids, stop-run ends a run by its id, explain-metrics says what curves mean.
Every failure says which tool to call next. Long calls report progress and can be tasks; a run goes on without the client.
What runs make is kept, and read as resources: preflexor://runs, preflexor://runs/{run} and below it metrics, pairs, graph, adapter,
reasoning, report. Subscribe to a run to hear of it instead of asking.`;

/** `observer` hears of every call of a tool. */
export function createServer(context: ToolContext, observer?: CallObserver): McpServer {
  const server = new McpServer(
    { name: "preflexor", title: "PRefLexOR", version: packageVersion() },
    {
      capabilities: { prompts: { listChanged: false }, resources: { subscribe: true, listChanged: true } },
      instructions: INSTRUCTIONS,
      requestState: { verify: requestStates.verify },
    },
  );
  // Before the capability of tools, with which the SDK sets their handlers.
  if (observer !== undefined) observeCalls(server, observer);
  server.server.registerCapabilities({ tools: { listChanged: false } });
  rememberSchemas(server);
  registerTools(server, context);
  registerResources(server, context);
  registerPrompts(server, context);
  return server;
}
