/** @file A server over a context: the factory that serves either protocol era, over any transport. */
import { McpServer } from "@modelcontextprotocol/server";
import { registerTools } from "../tools/index.js";
import type { ToolContext } from "../tools/tool-context.js";
import { type CallObserver, observeCalls } from "./observe-calls.js";
import { rememberSchemas } from "./remember-schemas.js";
import { packageVersion } from "./version.js";

const INSTRUCTIONS = `A small language model that teaches itself to reason about a corpus.
Order of calls: ingest-corpus, then retrieve-context to look something up, generate-preference-pair (several times),
train-iteration, recursive-reason. Every failure says which tool to call next. Pairs, metrics, checkpoints and the adapter of
the current run stay on disk, in the directory that the results name.`;

/** `observer` hears of every call of a tool. */
export function createServer(context: ToolContext, observer?: CallObserver): McpServer {
  const server = new McpServer(
    { name: "preflexor", title: "PRefLexOR", version: packageVersion() },
    { instructions: INSTRUCTIONS },
  );
  // Before the capability of tools, with which the SDK sets their handlers.
  if (observer !== undefined) observeCalls(server, observer);
  server.server.registerCapabilities({ tools: { listChanged: false } });
  rememberSchemas(server);
  registerTools(server, context);
  return server;
}
