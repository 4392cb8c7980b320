/** @file A server over a context: the factory that serves either protocol era, over any transport. */
import { McpServer } from "@modelcontextprotocol/server";
import { announceChanges, registerPrompts, registerResources, registerTools } from "../tools/index.js";
import type { ToolContext } from "../tools/tool-context.js";
import { packageVersion } from "./version.js";

const INSTRUCTIONS = `A small language model that teaches itself to reason about a corpus.
Order of calls: ingest-corpus; retrieve-context to look something up; then either a whole run, start-run (with dry_run first: memory and
time), get-run until its status is completed, evaluate, export-adapter; or single steps, generate-preference-pair (several times),
train-iteration, recursive-reason. list-runs gives ids, stop-run ends a run by its id, explain-metrics says what curves mean.
Every failure says which tool to call next. Long calls report progress and can be tasks; a run goes on without the client.
What runs make is kept, and read as resources: preflexor://runs, preflexor://runs/{run} and below it metrics, pairs, graph, adapter,
reasoning, report. Subscribe to a run to hear of it instead of asking.`;

export interface ServerOptions {
  /** Sends every change over the connection: for transports that hold the subscriptions of 2026-07-28 themselves, one server each. */
  readonly announce?: boolean;
}

export function createServer(context: ToolContext, { announce = false }: ServerOptions = {}): McpServer {
  const server = new McpServer(
    { name: "preflexor", title: "PRefLexOR", version: packageVersion() },
    {
      capabilities: { tools: {}, prompts: { listChanged: false }, resources: { subscribe: true, listChanged: true } },
      instructions: INSTRUCTIONS,
    },
  );
  registerTools(server, context);
  registerResources(server, context);
  registerPrompts(server, context);
  if (announce) announceChanges(server, context);
  return server;
}
