/** @file MCP's sampling messages as LangChain's, and back. The shapes are the protocol's; nothing here knows how they travel. */
import { AIMessage, type BaseMessage, type ToolCall, ToolMessage } from "@langchain/core/messages";
import type { ToolDefinition } from "../../trainer/index.js";

export interface TextContent {
  readonly type: "text";
  readonly text: string;
}

export interface ToolUseContent {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
  readonly input: Record<string, unknown>;
}

export interface ToolResultContent {
  readonly type: "tool_result";
  readonly toolUseId: string;
  readonly content: TextContent[];
}

export type SamplingContent = TextContent | ToolUseContent | ToolResultContent;

export interface SamplingMessage {
  readonly role: "user" | "assistant";
  readonly content: SamplingContent[];
}

/** The parameters of sampling/createMessage, as far as they are used. */
export interface SamplingRequest {
  readonly messages: SamplingMessage[];
  readonly systemPrompt?: string;
  readonly maxTokens: number;
  readonly temperature?: number;
  readonly stopSequences?: string[];
  readonly tools?: { name: string; description?: string; inputSchema: { type: "object" } & Record<string, unknown> }[];
  readonly toolChoice?: { mode: "auto" | "required" | "none" };
}

/** Its result; content that is neither text nor a tool call is refused. */
export interface SamplingReply {
  /** Name of the model that the client chose. */
  readonly model: string;
  readonly content: { readonly type: string } | readonly { readonly type: string }[];
  readonly stopReason?: string | undefined;
}

/** System messages apart, neighbours of one role joined, tool results in user messages of their own, as the protocol wants them. */
export function samplingMessages(messages: readonly BaseMessage[]): Pick<SamplingRequest, "messages" | "systemPrompt"> {
  const system = messages.filter((message) => message.getType() === "system").map((message) => message.text);
  const turns: SamplingMessage[] = [];
  for (const message of messages) {
    if (message.getType() === "system") continue;
    const turn = samplingMessage(message);
    const last = turns.at(-1);
    const isResult = ({ content }: SamplingMessage): boolean => content.some(({ type }) => type === "tool_result");
    if (last?.role === turn.role && isResult(last) === isResult(turn)) last.content.push(...turn.content);
    else turns.push(turn);
  }
  return { messages: turns, ...(system.length > 0 && { systemPrompt: system.join("\n\n") }) };
}

function samplingMessage(message: BaseMessage): SamplingMessage {
  if (ToolMessage.isInstance(message)) {
    const content: TextContent[] = [{ type: "text", text: message.text }];
    return { role: "user", content: [{ type: "tool_result", toolUseId: message.tool_call_id, content }] };
  }
  if (message.getType() !== "ai") return { role: "user", content: [{ type: "text", text: message.text }] };
  const calls = AIMessage.isInstance(message) ? (message.tool_calls ?? []) : [];
  const uses = calls.map(
    ({ id, name, args }, i): ToolUseContent => ({ type: "tool_use", id: id ?? `call-${i}`, name, input: args }),
  );
  const text: TextContent[] = message.text === "" && uses.length > 0 ? [] : [{ type: "text", text: message.text }];
  return { role: "assistant", content: [...text, ...uses] };
}

export function samplingTools(tools: readonly ToolDefinition[]): NonNullable<SamplingRequest["tools"]> {
  return tools.map(({ name, description, parameters = {} }) => ({
    name,
    ...(description !== undefined && { description }),
    inputSchema: { ...parameters, type: "object" },
  }));
}

/** Throws where the client's model sent what is no text. */
export function samplingReply({ model, content, stopReason }: SamplingReply): AIMessage {
  const blocks = [content].flat() as readonly unknown[] as readonly SamplingContent[];
  const unread = blocks.filter(({ type }) => type !== "text" && type !== "tool_use");
  if (unread.length > 0) {
    const kinds = [...new Set(unread.map(({ type }) => type))].join(", ");
    throw new Error(
      `expected text from the client's model ${model}, found ${kinds}: let the client choose a text model`,
    );
  }
  const text = blocks.map((block) => (block.type === "text" ? block.text : "")).join("");
  const calls = blocks.flatMap((block): ToolCall[] =>
    block.type === "tool_use" ? [{ type: "tool_call", id: block.id, name: block.name, args: block.input }] : [],
  );
  return new AIMessage({
    content: text,
    tool_calls: calls,
    response_metadata: { model_name: model, ...(stopReason !== undefined && { finish_reason: stopReason }) },
  });
}
