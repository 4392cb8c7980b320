/** @file Retrieval as the agents and the MCP tool share it: one function, and the LangChain tool around it. */
import type { ToolMessage } from "@langchain/core/messages";
import type { DynamicStructuredTool } from "@langchain/core/tools";
import { z } from "zod";
import type { PassageStore, ScoredPassage, SearchMode } from "./corpus/types.js";
import { formatPassages } from "./prompts.js";

export const RETRIEVE_CONTEXT = "retrieve-context";
export const DEFAULT_PASSAGES = 3;
/** More than this does not fit the context of a small model. */
export const MOST_PASSAGES = 50;
/** From so many the different ones are picked at most: each is compared with every one that was picked. */
export const MOST_FETCHED = 1000;
/** What a model reads where a lexical search finds nothing. */
const NOTHING_FOUND = "No passage holds a word of this query. Use other words, or mode hybrid.";

export const SEARCH_MODES = ["hybrid", "dense", "lexical"] as const satisfies readonly SearchMode[];
export const MODE_DESCRIPTION =
  "hybrid (default): by meaning and by words, fused; dense: by meaning; lexical: by words alone, for exact names and codes";
export const MMR_DESCRIPTION =
  "Passages that also differ from each other (maximal marginal relevance): lambda from 0 (differ) to 1 (fit), default " +
  "0.5; fetchK: from how many of the best, at least k. Leave out for the best passages, however alike";

export const retrieveRequestSchema = z.object({
  query: z.string().min(1).describe("What to look for: a question, a name, a rule"),
  k: z.number().int().min(1).max(MOST_PASSAGES).optional().describe("How many passages to return"),
  mode: z.enum(SEARCH_MODES).optional().describe(MODE_DESCRIPTION),
  mmr: z
    .object({
      lambda: z.number().min(0).max(1).optional(),
      fetchK: z.number().int().min(1).max(MOST_FETCHED).optional(),
    })
    .optional()
    .describe(MMR_DESCRIPTION),
});
export type RetrieveRequest = z.infer<typeof retrieveRequestSchema>;

/** The best k passages of the whole corpus, found as `mode` says. Throws where the store is empty. */
export async function retrieveContext(
  store: PassageStore,
  { query, k = DEFAULT_PASSAGES, mode, mmr }: RetrieveRequest,
  signal?: AbortSignal,
): Promise<ScoredPassage[]> {
  signal?.throwIfAborted();
  return store.search(query, { k, mode, mmr }, signal);
}

/** `retrieveContext` as a LangChain tool: the model reads text, the caller finds the passages as the message's artifact. */
export async function retrieveContextTool(
  store: PassageStore,
  defaultK = DEFAULT_PASSAGES,
): Promise<DynamicStructuredTool> {
  const { tool } = await import("@langchain/core/tools");
  return tool(
    async ({ k = defaultK, ...request }: RetrieveRequest, config?: { signal?: AbortSignal }) => {
      const passages = await retrieveContext(store, { ...request, k }, config?.signal);
      return [passages.length === 0 ? NOTHING_FOUND : formatPassages(passages), passages];
    },
    {
      name: RETRIEVE_CONTEXT,
      description: "Finds the passages of the corpus that are nearest to a query, by meaning and by words.",
      schema: retrieveRequestSchema,
      responseFormat: "content_and_artifact",
    },
  ) as unknown as DynamicStructuredTool;
}

/** The passages that the calls of retrieve-context in a conversation returned, each once, in order. */
export function retrievedPassages(messages: readonly { getType(): string }[]): ScoredPassage[] {
  const byId = new Map<string, ScoredPassage>();
  for (const message of messages) {
    if (message.getType() !== "tool") continue;
    const { name, artifact } = message as ToolMessage;
    if (name !== RETRIEVE_CONTEXT || !Array.isArray(artifact)) continue;
    for (const passage of artifact as ScoredPassage[]) if (!byId.has(passage.id)) byId.set(passage.id, passage);
  }
  return [...byId.values()];
}
