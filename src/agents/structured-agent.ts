/** @file A LangChain agent for one job: retrieves through the shared function and hands its result in as typed data. */
import { setMaxListeners } from "node:events";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { z } from "zod";
import { withSpan } from "../trainer/run/with-span.js";
import { createAgentRun } from "./calls/agent-run.js";
import { type AgentCalls, createAgentCalls } from "./calls/index.js";
import type { PassageStore, ScoredPassage } from "./corpus/types.js";
import { retrieveContextTool, retrievedPassages } from "./retrieve-context.js";

/** What every agent takes, whatever its job. */
export interface AgentOptions {
  readonly model: BaseChatModel;
  /** Limits, cache and counts; agents that are given the same object share them. Default: `createAgentCalls()` of its own. */
  readonly calls?: AgentCalls;
  /** Turns of the model in one run; default: what `calls` says. */
  readonly maxModelCalls?: number;
}

export interface StructuredAgentOptions<T> extends AgentOptions {
  /** The job's system message; constant, so that one agent serves a whole round. */
  readonly system: string;
  /** What is handed in. `meta({title})` names the tool that the model calls for it. */
  readonly schema: z.ZodType<T>;
  /** Reads a plain reply in a form of the job's own, e.g. marked sections; undefined where it is in none. */
  readonly readText?: (text: string) => unknown;
  /** With a store, the agent has the retrieve-context tool. */
  readonly store?: PassageStore;
  /** Passages a retrieval returns unless the model says otherwise. */
  readonly k?: number;
}

export interface AgentResult<T> {
  readonly value: T;
  /** What the agent retrieved, each passage once, in the order of retrieval. */
  readonly passages: readonly ScoredPassage[];
}

export interface StructuredAgent<T> {
  /** Name of the model behind the agent, for provenance. */
  readonly modelName: string;
  readonly calls: AgentCalls;
  /** Throws an `AgentFailure` with its reason, or the signal's reason where it was aborted. */
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
  const { schema, calls = createAgentCalls() } = options;
  const { maxModelCalls = calls.settings.maxModelCalls } = options;
  const model = await modelBehind(options.model);
  const modelName = chatModelName(model);
  const job = schema.meta()?.title ?? "agent";
  const agent = await buildAgent({ ...options, model, calls, maxModelCalls });
  return {
    modelName,
    calls,
    async run(user, signal) {
      signal?.throwIfAborted();
      // A signal of its own: LangChain listens many times a run, and a round runs many agents on one signal.
      const own = signal && AbortSignal.any([signal]);
      if (own !== undefined) setMaxListeners(0, own);
      const config = {
        configurable: { agentRun: createAgentRun() },
        // The middleware ends a run that calls the model too often; the graph's own limit must not do so first.
        recursionLimit: 6 * maxModelCalls + 10,
        ...(own && { signal: own }),
      };
      const span = {
        attributes: {
          "gen_ai.operation.name": "invoke_agent",
          "gen_ai.agent.name": job,
          "gen_ai.request.model": modelName,
        },
      };
      try {
        const state = await withSpan(`invoke_agent ${job}`, span, () =>
          agent.invoke({ messages: [{ role: "user", content: user }] }, config),
        );
        if (state.structuredResponse === undefined) throw new Error(`internal: ${modelName} ended without a hand-in`);
        return { value: schema.parse(state.structuredResponse), passages: retrievedPassages(state.messages) };
      } catch (error) {
        signal?.throwIfAborted();
        throw calls.failed(error);
      }
    },
  };
}

async function buildAgent<T extends Record<string, unknown>>(
  options: StructuredAgentOptions<T> & { readonly calls: AgentCalls; readonly maxModelCalls: number },
) {
  const { createAgent, toolStrategy } = await import("langchain");
  const { agentMiddleware } = await import("./calls/agent-middleware.js");
  const { model, system, schema, readText, store, k, calls, maxModelCalls } = options;
  const title = schema.meta()?.title;
  if (title === undefined) throw new Error("internal: the schema of a structured agent needs meta({title})");
  // LangChain accepts every hand-in and the middleware checks: its own second try has no limit, knows no prose, and breaks
  // beside middlewares that look at the model's reply (one reply takes two ways through the graph).
  const responseFormat = toolStrategy(schema, { handleError: false }).map((strategy) =>
    Object.assign(strategy, { parse: (args: Record<string, unknown>) => args }),
  );
  return createAgent({
    model,
    tools: store === undefined ? [] : [await retrieveContextTool(store, k)],
    systemPrompt: system,
    responseFormat,
    middleware: [
      agentMiddleware({
        calls,
        handIn: { title, schema, readText },
        modelName: chatModelName(model),
        cached: await isCacheable(model),
        maxModelCalls,
      }),
    ],
  });
}

/** `initChatModel` wraps the model that it opens; names and parameters are the inner one's. */
async function modelBehind(model: BaseChatModel): Promise<BaseChatModel> {
  const { _getModelInstance: inner } = model as { readonly _getModelInstance?: () => Promise<BaseChatModel> };
  return inner === undefined ? model : inner.call(model);
}

/** A program is cheaper to ask than to look up, and a model of the engine may learn between two calls. */
async function isCacheable(model: BaseChatModel): Promise<boolean> {
  const { ProgrammaticChatModel } = await import("./models/programmatic-chat-model.js");
  return !(model instanceof ProgrammaticChatModel) && model._llmType() !== "preflexor-engine";
}
