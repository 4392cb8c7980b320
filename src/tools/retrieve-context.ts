/** @file retrieve-context: the passages of the corpus that are nearest to a query. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import {
  DEFAULT_PASSAGES,
  MMR_DESCRIPTION,
  MODE_DESCRIPTION,
  MOST_FETCHED,
  MOST_PASSAGES,
  RETRIEVE_CONTEXT,
  retrieveContext,
  SEARCH_MODES,
} from "../agents/index.js";
import { toolArguments, wholeNumber, words } from "./arguments.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const input = toolArguments({
  query: words("a question, a name or a rule to look for").describe("What to look for: a question, a name, a rule"),
  k: wholeNumber(1, MOST_PASSAGES).default(DEFAULT_PASSAGES).describe("How many passages to return"),
  mode: z.enum(SEARCH_MODES).default("hybrid").describe(MODE_DESCRIPTION),
  mmr: toolArguments({ lambda: z.number().min(0).max(1).optional(), fetchK: wholeNumber(1, MOST_FETCHED).optional() })
    .optional()
    .describe(MMR_DESCRIPTION),
});

const rank = z.number().int().optional();

export const retrieveContextOutput = z.object({
  passages: z.array(
    z.object({
      id: z.string().describe("Content-addressed: the same text of the same source has the same id everywhere"),
      text: z.string(),
      source: z.string().describe("Document that it stands in"),
      start: z.number().int().describe("Where it begins in the document's text, in UTF-16 units"),
      end: z.number().int().describe("Where it ends"),
      score: z.number().describe("Cosine similarity to the query, at most 1; higher is nearer"),
      found: z
        .object({
          mode: z.enum(SEARCH_MODES),
          denseRank: rank.describe("Place by similarity, from 1"),
          lexicalRank: rank.describe("Place by words (BM25), from 1; absent where no word is shared"),
          bm25: z.number().optional(),
          fused: z
            .number()
            .optional()
            .describe("Both places as one score (reciprocal rank fusion); orders hybrid results"),
        })
        .optional()
        .describe("How it was found"),
    }),
  ),
});

const config = {
  title: "Retrieve context",
  description:
    "Finds the passages of the ingested corpus that are nearest to a query, best first, with their sources and offsets. " +
    "Exact and repeatable: the same corpus and query give the same passages. By default it joins similarity with a search " +
    "for words, so use names and terms as the documents write them; a score near 0 means that nothing fits. For several " +
    "sides of a topic, ask with mmr. Needs a corpus: call ingest-corpus before. Changes nothing.",
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
