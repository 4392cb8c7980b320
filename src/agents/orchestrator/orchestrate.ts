/** @file The orchestrator: a LangChain agent that plans and runs a whole self-teaching run with this package's tools. */
import { setMaxListeners } from "node:events";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { chatModelName } from "../structured-agent.js";
import type { OrchestratorEvent, OrchestratorLog } from "./orchestrator-middleware.js";
import { ORCHESTRATOR_SYSTEM, taskPrompt } from "./orchestrator-prompt.js";
import { type HandIn, handInSchema, type OrchestratorReport, reportOf } from "./orchestrator-report.js";
import { type OrchestratorTaskInput, parseOrchestratorTask } from "./orchestrator-task.js";
import { TOOLS } from "./run-facts.js";

export interface OrchestrateOptions {
  /** Any chat model that calls tools, or {@link createPlanner}'s program. */
  readonly model: BaseChatModel;
  /** This package's, through `langChainTools` or `@langchain/mcp-adapters`; others may stand beside them. */
  readonly tools: readonly StructuredToolInterface[];
  readonly onEvent?: (event: OrchestratorEvent) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs until the model hands its report in or a limit is reached. A failing tool is told to the model; an abort throws its
 * reason, and what the tools have stored and trained until then stays.
 */
export async function orchestrate(
  input: OrchestratorTaskInput,
  { model, tools, onEvent, signal }: OrchestrateOptions,
): Promise<OrchestratorReport> {
  const task = parseOrchestratorTask(input);
  requireTools(tools);
  signal?.throwIfAborted();
  const { createAgent, toolStrategy } = await import("langchain");
  const { orchestratorMiddleware } = await import("./orchestrator-middleware.js");
  // LangChain listens once a call and more, and a run has many.
  const own = AbortSignal.any(signal === undefined ? [] : [signal]);
  setMaxListeners(0, own);
  const log: OrchestratorLog = { records: [], modelCalls: 0, toolCalls: 0, trainings: 0, reachedLimit: false };
  const shared = { ...(onEvent && { onEvent }), ...(signal && { signal }) };
  const agent = createAgent({
    model,
    tools: [...tools],
    systemPrompt: ORCHESTRATOR_SYSTEM,
    responseFormat: toolStrategy(handInSchema),
    middleware: [orchestratorMiddleware({ limits: task.limits, log, ...shared })],
  });
  const state = await agent
    .invoke(
      { messages: [{ role: "user", content: taskPrompt(task) }] },
      // The limit on turns ends the run; the graph's own must not do so first.
      { recursionLimit: 4 * task.limits.modelCalls + 20, signal: own },
    )
    .catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  const handIn = state.structuredResponse as HandIn | undefined;
  return reportOf(task, {
    records: log.records,
    modelCalls: log.modelCalls,
    planner: chatModelName(model),
    ended: handIn !== undefined ? "report" : log.reachedLimit ? "limit" : "prose",
    handIn: handIn ?? { verdict: "unknown", reason: state.messages.at(-1)?.text || "the model handed in nothing" },
  });
}

function requireTools(tools: readonly StructuredToolInterface[]): void {
  const names = new Set(tools.map(({ name }) => name));
  const missing = Object.values(TOOLS).filter((name) => !names.has(name));
  if (missing.length === 0) return;
  throw new Error(
    `the orchestrator's tools: expected ${Object.values(TOOLS).join(", ")}, missing ${missing.join(", ")}: pass the tools of ` +
      "langChainTools(), or of an MCP client without a prefix on their names",
  );
}
