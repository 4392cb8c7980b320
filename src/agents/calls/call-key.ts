/** @file What makes two model calls the same: the model, its parameters, the conversation and the tools, as one digest. */
import { createHash } from "node:crypto";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { isLangChainTool } from "@langchain/core/tools";
import { convertToOpenAITool } from "@langchain/core/utils/function_calling";
import { canonicalJson } from "./canonical-json.js";

export interface CallContent {
  readonly model: BaseChatModel;
  /** The system message first. */
  readonly messages: readonly BaseMessage[];
  /** Tools as the model gets them, the one that hands in a structured response included. */
  readonly tools: readonly unknown[];
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Lower-case hex, 64 digits. Ids of messages and calls do not count: providers draw them at random. */
export function callKey({ model, messages, tools, settings }: CallContent): string {
  const content = {
    model: modelFields(model),
    messages: messageFields(messages),
    tools: tools.map(toolFields),
    settings,
  };
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}

interface Described {
  readonly model?: unknown;
  readonly modelName?: unknown;
  readonly clientConfig?: { readonly baseURL?: unknown };
}

/** Not `_identifyingParams`: with some providers it holds the API key. */
function modelFields(model: BaseChatModel): Record<string, unknown> {
  const { model: id, modelName, clientConfig } = model as BaseChatModel & Described;
  return {
    kind: model._llmType(),
    names: [id, modelName].filter((name) => typeof name === "string"),
    server: clientConfig?.baseURL,
    parameters: model.invocationParams({}),
  };
}

function messageFields(messages: readonly BaseMessage[]): unknown[] {
  const calls = new Map<string, number>();
  const ordinal = (id: string | undefined): number => {
    if (id !== undefined && !calls.has(id)) calls.set(id, calls.size);
    return calls.get(id ?? "") ?? -1;
  };
  return messages.map((message) => {
    const base = { type: message.getType(), content: message.content };
    if (AIMessage.isInstance(message)) {
      return { ...base, calls: message.tool_calls?.map(({ id, name, args }) => ({ id: ordinal(id), name, args })) };
    }
    if (ToolMessage.isInstance(message))
      return { ...base, call: ordinal(message.tool_call_id), status: message.status };
    return base;
  });
}

const toolFields = (tool: unknown): unknown => (isLangChainTool(tool) ? convertToOpenAITool(tool) : tool);
