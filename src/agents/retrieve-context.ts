/** @file Retrieval as the agents and the MCP tool share it: one function, and the LangChain tool around it. */
import type { ToolMessage } from "@langchain/core/messages";
import type { DynamicStructuredTool } from "@langchain/core/tools";
import { z } from "zod";
import type { PassageStore, ScoredPassage } from "./corpus/types.js";
import { formatPassages } from "./prompts.js";

export const RETRIEVE_CONTEXT = "retrieve-context";
export const DEFAULT_PASSAGES = 3;
/** More than this does not fit the context of a small model. */
export const MOST_PASSAGES = 50;

export const retrieveRequestSchema = z.object({
  query: z.string().min(1).describe("What to look for: a question, a name, a rule"),
  k: z.number().int().min(1).max(MOST_PASSAGES).optional().describe("How many passages to return"),
});
export type RetrieveRequest = z.infer<typeof retrieveRequestSchema>;

/** The k nearest passages of the whole corpus. Throws where the store is empty. */
export async function retrieveContext(
  store: PassageStore,
  { query, k = DEFAULT_PASSAGES }: RetrieveRequest,
  signal?: AbortSignal,
): Promise<ScoredPassage[]> {
  signal?.throwIfAborted();
  return store.query(query, k, signal);
}

/** `retrieveContext` as a LangChain tool: the model reads text, the caller finds the passages as the message's artifact. */
export async function retrieveContextTool(
  store: PassageStore,
  defaultK = DEFAULT_PASSAGES,
): Promise<DynamicStructuredTool> {
  const { tool } = await import("@langchain/core/tools");
  return tool(
    async ({ query, k }: RetrieveRequest, config?: { signal?: AbortSignal }) => {
      const passages = await retrieveContext(store, { query, k: k ?? defaultK }, config?.signal);
      return [formatPassages(passages), passages];
    },
    {
      name: RETRIEVE_CONTEXT,
      description: "Finds the passages of the corpus that are nearest in meaning to a query.",
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
