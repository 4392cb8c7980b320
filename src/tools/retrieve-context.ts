/** @file retrieve-context: the passages of the corpus that are nearest to a query. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { RETRIEVE_CONTEXT, retrieveContext } from "../agents/index.js";
import { DEFAULT_PASSAGES, MOST_PASSAGES } from "../agents/retrieve-context.js";
import { toolArguments, wholeNumber, words } from "./arguments.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const input = toolArguments({
  query: words("a question, a name or a rule to look for").describe("What to look for: a question, a name, a rule"),
  k: wholeNumber(1, MOST_PASSAGES).default(DEFAULT_PASSAGES).describe("How many passages to return"),
});

export const retrieveContextOutput = z.object({
  passages: z.array(
    z.object({
      id: z.string().describe("Content-addressed: the same text of the same source has the same id everywhere"),
      text: z.string(),
      source: z.string(),
      score: z.number().describe("Similarity to the query, at most 1; higher is nearer"),
    }),
  ),
});

const config = {
  title: "Retrieve context",
  description:
    "Finds the passages of the ingested corpus that are nearest to a query, best first. Exact and repeatable: the same " +
    "corpus and query give the same passages. It compares words, so use names and terms as the documents write them; a " +
    "score near 0 means that nothing fits. Needs a corpus: call ingest-corpus before. Changes nothing.",
  inputSchema: input,
  outputSchema: retrieveContextOutput,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};

export function registerRetrieveContext(server: McpServer, context: ToolContext): void {
  server.registerTool(RETRIEVE_CONTEXT, config, (args, request) => {
    const signal = callSignal(context, request);
    return guarded("If no corpus was ingested yet, call ingest-corpus first", signal, async () => {
      const passages = await retrieveContext(await context.store(), args, signal);
      return toolResult(retrieveContextOutput, { passages });
    });
  });
}
