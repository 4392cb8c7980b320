/** @file The middleware of an orchestrator: limits on its calls, and every tool's result or error on record. */
import { AIMessage, ToolMessage } from "@langchain/core/messages";
import { type AgentMiddleware, createMiddleware, type WrapModelCallHook, type WrapToolCallHook } from "langchain";
import { SUBMIT_REPORT } from "./orchestrator-prompt.js";
import { LIMIT_REACHED, type OrchestratorLimits } from "./orchestrator-task.js";
import { TOOLS } from "./run-facts.js";
import { outcomeOf, type ToolRecord } from "./tool-records.js";

export type OrchestratorEvent =
  /** `why`: what the model wrote beside the call, if anything. */
  | { readonly kind: "turn"; readonly turn: number; readonly why: string }
  | { readonly kind: "call"; readonly name: string; readonly args: Readonly<Record<string, unknown>> }
  | { readonly kind: "result"; readonly record: ToolRecord };

/** What happened so far; the middleware writes it. */
export interface OrchestratorLog {
  readonly records: ToolRecord[];
  modelCalls: number;
  /** Tool calls that were let through. */
  toolCalls: number;
  trainings: number;
  reachedLimit: boolean;
}

export interface OrchestratorMiddlewareOptions {
  readonly limits: OrchestratorLimits;
  readonly log: OrchestratorLog;
  readonly onEvent?: (event: OrchestratorEvent) => void;
  readonly signal?: AbortSignal;
}

/** Of its own: LangChain's limits count the hand-in among the tool calls, and would block it. */
export function orchestratorMiddleware(options: OrchestratorMiddlewareOptions): AgentMiddleware {
  return createMiddleware({
    name: "Orchestrator",
    wrapModelCall: countedTurn(options),
    wrapToolCall: recordedCall(options),
  }) as unknown as AgentMiddleware;
}

function countedTurn({ limits, log, onEvent }: OrchestratorMiddlewareOptions): WrapModelCallHook {
  return async (request, handler) => {
    if (log.modelCalls >= limits.modelCalls) {
      log.reachedLimit = true;
      // A turn without a call ends the agent.
      return new AIMessage(`The limit of ${limits.modelCalls} turns is reached.`);
    }
    log.modelCalls++;
    const result = await handler(request);
    onEvent?.({ kind: "turn", turn: log.modelCalls, why: AIMessage.isInstance(result) ? result.text : "" });
    return result;
  };
}

/** An error of a tool is text for the model; only an abort ends the run. */
function recordedCall(options: OrchestratorMiddlewareOptions): WrapToolCallHook {
  const { log, onEvent, signal } = options;
  return async (request, handler) => {
    const { id = "", name, args } = request.toolCall;
    const failed = (content: string): ToolMessage =>
      new ToolMessage({ content, tool_call_id: id, name, status: "error" });
    const run = async (): Promise<ToolMessage> => {
      const refusal = refusalOf(options, name);
      if (refusal !== undefined) return failed(refusal);
      onEvent?.({ kind: "call", name, args });
      try {
        return (await handler(request)) as ToolMessage;
      } catch (error) {
        signal?.throwIfAborted();
        return failed(error instanceof Error ? error.message : String(error));
      }
    };
    const message = await run();
    const record = { name, args, ...outcomeOf(message) };
    log.records.push(record);
    onEvent?.({ kind: "result", record });
    return message;
  };
}

/** Counts the call, or says why it may not be made. */
function refusalOf({ limits, log }: OrchestratorMiddlewareOptions, name: string): string | undefined {
  if (log.toolCalls >= limits.toolCalls) {
    log.reachedLimit = true;
    return `${LIMIT_REACHED}: all ${limits.toolCalls} calls of tools are made. Call ${SUBMIT_REPORT} now`;
  }
  if (name === TOOLS.train) {
    if (log.trainings >= limits.trainings) {
      log.reachedLimit = true;
      return `${LIMIT_REACHED}: all ${limits.trainings} trainings are made. Ask what is still open with ${TOOLS.reason}, then call ${SUBMIT_REPORT}`;
    }
    log.trainings++;
  }
  log.toolCalls++;
  return undefined;
}
