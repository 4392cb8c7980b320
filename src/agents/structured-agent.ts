/** @file A LangChain agent for one job: retrieves through the shared function and hands its result in as typed data. */
import { setMaxListeners } from "node:events";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { z } from "zod";
import type { PassageStore, ScoredPassage } from "./corpus/types.js";
import { retrieveContextTool, retrievedPassages } from "./retrieve-context.js";

/** Enough for a few retrievals and one corrected hand-in. */
export const MOST_MODEL_CALLS = 8;

export interface StructuredAgentOptions<T> {
  readonly model: BaseChatModel;
  /** The job's system message; constant, so that one agent serves a whole round. */
  readonly system: string;
  /** What is handed in. `meta({title})` names the tool that the model calls for it. */
  readonly schema: z.ZodType<T>;
  /** With a store, the agent has the retrieve-context tool. */
  readonly store?: PassageStore;
  /** Passages a retrieval returns unless the model says otherwise. */
  readonly k?: number;
  readonly maxModelCalls?: number;
}

export interface AgentResult<T> {
  readonly value: T;
  /** What the agent retrieved, each passage once, in the order of retrieval. */
  readonly passages: readonly ScoredPassage[];
}

export interface StructuredAgent<T> {
  /** Name of the model behind the agent, for provenance. */
  readonly modelName: string;
  run(user: string, signal?: AbortSignal): Promise<AgentResult<T>>;
}

/** Provenance name of a chat model: its kind, and its model id where it has one. */
export function chatModelName(model: BaseChatModel): string {
  const { model: id, modelName } = model as BaseChatModel & { readonly model?: unknown; readonly modelName?: unknown };
  const name = [id, modelName].find((candidate) => typeof candidate === "string" && candidate !== "");
  return name === undefined ? model._llmType() : `${model._llmType()}:${name}`;
}

/** Builds the agent once; `run` may be called any number of times, concurrently. */
export async function createStructuredAgent<T extends Record<string, unknown>>(
  options: StructuredAgentOptions<T>,
): Promise<StructuredAgent<T>> {
  const { createAgent, modelCallLimitMiddleware, toolStrategy } = await import("langchain");
  const { model, system, schema, store, k, maxModelCalls = MOST_MODEL_CALLS } = options;
  const agent = createAgent({
    model,
    tools: store === undefined ? [] : [await retrieveContextTool(store, k)],
    systemPrompt: system,
    responseFormat: [...toolStrategy(schema)],
    middleware: [modelCallLimitMiddleware({ runLimit: maxModelCalls, exitBehavior: "error" })],
  });
  return {
    modelName: chatModelName(model),
    async run(user, signal) {
      signal?.throwIfAborted();
      // A signal of its own: LangChain listens many times a run, and a round runs many agents on one signal.
      const own = signal && AbortSignal.any([signal]);
      if (own !== undefined) setMaxListeners(0, own);
      // The middleware ends a run that calls the model too often; the graph's own limit must not do so first.
      const state = await agent
        .invoke(
          { messages: [{ role: "user", content: user }] },
          { recursionLimit: 6 * maxModelCalls + 10, ...(own && { signal: own }) },
        )
        .catch((error: unknown) => {
          signal?.throwIfAborted();
          throw error;
        });
      const value: unknown = state.structuredResponse;
      if (value === undefined) {
        const title = schema.meta()?.title ?? "its structured output tool";
        throw new Error(
          `expected the model ${chatModelName(model)} to call ${title}, found a plain reply: use a model with tool calls`,
        );
      }
      return { value: schema.parse(value), passages: retrievedPassages(state.messages) };
    },
  };
}
