/** @file The middleware of every agent run: cache, budgets, slots, retries and time limit around the model; hand-ins checked; loops ended. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import {
  AIMessage,
  type BaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  type StoredMessage,
} from "@langchain/core/messages";
import { SpanKind, type SpanOptions } from "@opentelemetry/api";
import { type AgentMiddleware, countTokensApproximately, createMiddleware, type WrapModelCallHook } from "langchain";
import { withSpan } from "../../trainer/run/with-span.js";
import type { AgentCalls, TokenUse } from "./agent-calls.js";
import { AgentFailure, failureReason } from "./agent-failure.js";
import { type AgentRun, checkAgentBudget, countToolCalls, countTurn } from "./agent-run.js";
import type { KeptReply } from "./call-cache.js";
import { callKey } from "./call-key.js";
import { asCall, type HandIn, objection, readReply } from "./hand-in.js";
import { ReplayModel } from "./replay-model.js";
import { withRetries } from "./with-retries.js";
import { withTimeout } from "./with-timeout.js";

export interface AgentMiddlewareOptions {
  readonly calls: AgentCalls;
  readonly handIn: HandIn;
  readonly modelName: string;
  /** False for a model whose replies are programs or change as it learns. */
  readonly cached: boolean;
  /** Turns of the model in one run. */
  readonly maxModelCalls: number;
}

/** One middleware: LangChain's for call limits put nodes into the graph that cost a run half of its time. */
export function agentMiddleware(options: AgentMiddlewareOptions): AgentMiddleware {
  return createMiddleware({ name: "AgentCalls", wrapModelCall: guardedCall(options) }) as unknown as AgentMiddleware;
}

type Request = Parameters<WrapModelCallHook>[0];
type Handler = Parameters<WrapModelCallHook>[1];
/** A message, or the state in which the agent has its structured response. */
type Result = Awaited<ReturnType<Handler>>;

/** What an agent's turn brings: it fits, or the model is told what was wrong and asked once more. */
function guardedCall(options: AgentMiddlewareOptions): WrapModelCallHook {
  const { calls, handIn, modelName, maxModelCalls } = options;
  return async (request, handler) => {
    const run = runOf(request);
    countTurn(run, maxModelCalls, modelName);
    for (let messages = request.messages; ; ) {
      const { reply, result } = await ask({ ...request, messages }, handler, options, run);
      const reading = readReply(reply, handIn);
      if (reading.kind === "fits") {
        countToolCalls(run, otherCalls(reply, handIn), calls.settings);
        return result;
      }
      if (reading.kind === "prose") return replay(asCall(reply, reading.value, handIn), request, handler);
      if (reading.kind === "refusal") throw new AgentFailure("refusal", `${modelName} refuses: ${reading.text}`);
      if (run.corrected) throw unfit(modelName, handIn, reading.problem);
      run.corrected = true;
      calls.report({ kind: "correction", model: modelName, problem: reading.problem });
      messages = [...messages, reply, ...objection(reply, reading.problem, handIn)];
    }
  };
}

const otherCalls = ({ tool_calls = [] }: AIMessage, { title }: HandIn) =>
  tool_calls.filter(({ name }) => name !== title);

function runOf({ runtime }: Request): AgentRun {
  const run: unknown = runtime.configurable?.["agentRun"];
  if (run === undefined) throw new Error("internal: an agent run needs configurable.agentRun");
  return run as AgentRun;
}

const unfit = (modelName: string, { title }: HandIn, problem: string): AgentFailure =>
  new AgentFailure(
    "schema",
    `expected the model ${modelName} to call ${title}, found twice what does not fit; the second time ${problem}: use a model with tool calls`,
  );

interface Asked {
  readonly reply: AIMessage;
  readonly result: Result;
}

/** One conversation's reply, from the cache or from the model. */
async function ask(request: Request, handler: Handler, options: AgentMiddlewareOptions, run: AgentRun): Promise<Asked> {
  const { calls, cached, modelName } = options;
  const { cache } = calls;
  const key = callKey({
    model: request.model as BaseChatModel,
    messages: conversation(request),
    tools: toolsOf(request),
    ...(request.modelSettings && { settings: request.modelSettings }),
  });
  checkAgentBudget(run, calls.settings);
  let live: Asked | undefined;
  const send = async (): Promise<Asked> => {
    live = await sendGuarded(request, handler, options, key);
    return live;
  };
  if (cache === undefined || !cached) return counted(await send(), request, run);
  const { reply } = await cache.get(key, async () => keptReply((await send()).reply));
  if (live !== undefined) return counted(live, request, run);
  calls.report({ kind: "cache-hit", model: modelName });
  const message = replyOf(reply);
  return counted({ reply: message, result: await replay(message, request, handler) }, request, run);
}

function counted(asked: Asked, request: Request, run: AgentRun): Asked {
  const { inputTokens, outputTokens } = usage(asked.reply, request);
  run.tokens += inputTokens + outputTokens;
  return asked;
}

/** In turn, in time, and again where a failure passes by itself. */
function sendGuarded(
  request: Request,
  handler: Handler,
  { calls, modelName }: AgentMiddlewareOptions,
  label: string,
): Promise<Asked> {
  const { timeoutMs, retries, seed } = calls.settings;
  const { signal } = request.runtime;
  const attempt = (): Promise<Asked> =>
    calls.slots.use(async () => {
      calls.checkBudgets();
      return withSpan(`chat ${modelName}`, chatSpan(modelName), async (span) => {
        const result = await withTimeout((limit) => send(request, handler, limit), timeoutMs, signal);
        const reply = replyIn(result);
        const used = usage(reply, request);
        calls.report({ kind: "reply", model: modelName, ...used });
        span.setAttributes({
          "gen_ai.usage.input_tokens": used.inputTokens,
          "gen_ai.usage.output_tokens": used.outputTokens,
        });
        return { reply, result };
      });
    }, signal);
  return withRetries(attempt, {
    retries,
    seed,
    label,
    signal,
    onFailedAttempt: (error, retryInMs) => {
      const message = error instanceof Error ? error.message : String(error);
      calls.report({ kind: "failed-attempt", model: modelName, reason: failureReason(error), message, retryInMs });
    },
  });
}

/** One request to a model, by the conventions for generative AI; what is said in it stays out of the span. */
const chatSpan = (modelName: string): SpanOptions => ({
  kind: SpanKind.CLIENT,
  attributes: { "gen_ai.operation.name": "chat", "gen_ai.request.model": modelName },
});

/** The client of a provider must not try again by itself: that would multiply the attempts. */
async function send(request: Request, handler: Handler, signal: AbortSignal): Promise<Result> {
  return handler({ ...request, modelSettings: { maxRetries: 0, ...request.modelSettings, signal } });
}

/** A reply that is known already, on the way that a new one takes. */
async function replay(reply: AIMessage, request: Request, handler: Handler): Promise<Result> {
  return handler({ ...request, model: new ReplayModel(reply) });
}

function replyIn(result: Result): AIMessage {
  if (AIMessage.isInstance(result)) return result;
  const [reply] = (result as unknown as { readonly messages: readonly BaseMessage[] }).messages;
  if (!AIMessage.isInstance(reply)) throw new Error("internal: a structured response without its message");
  return reply;
}

const conversation = ({ systemMessage, messages }: Request): BaseMessage[] =>
  systemMessage.text === "" ? messages : [systemMessage, ...messages];

/** The agent's tools and those that take its structured response. */
function toolsOf({ tools, responseFormat }: Request): unknown[] {
  const strategies = (Array.isArray(responseFormat) ? responseFormat : []) as readonly { readonly tool?: unknown }[];
  return [...tools, ...strategies.flatMap(({ tool }) => (tool === undefined ? [] : [tool]))];
}

function usage(reply: AIMessage, request: Request): TokenUse {
  const said = reply.usage_metadata;
  if (said !== undefined) {
    return { inputTokens: said.input_tokens, outputTokens: said.output_tokens, estimated: false };
  }
  const tools = toolsOf(request) as Parameters<typeof countTokensApproximately>[1];
  return {
    inputTokens: countTokensApproximately(conversation(request), tools),
    outputTokens: countTokensApproximately([reply]),
    estimated: true,
  };
}

const keptReply = (reply: AIMessage): KeptReply => mapChatMessagesToStoredMessages([reply])[0] as unknown as KeptReply;

const replyOf = (kept: KeptReply): AIMessage =>
  mapStoredMessagesToChatMessages([kept as unknown as StoredMessage])[0] as AIMessage;
