/** @file Replies of the text layer as LangChain's messages, whole or in chunks. */
import type { TokenUsage } from "@langchain/core/language_models/base";
import {
  AIMessage,
  AIMessageChunk,
  type InvalidToolCall,
  type ToolCallChunk,
  type UsageMetadata,
} from "@langchain/core/messages";
import { type ChatGeneration, ChatGenerationChunk } from "@langchain/core/outputs";
import type { GeneratedToken, TextPart, TextReply, TextUsage } from "../../trainer/index.js";

export type FinishReason = "stop" | "length" | "tool_calls";

export interface ReplyContext {
  readonly modelName: string;
  /** Whether the request had tools. */
  readonly toolsGiven: boolean;
}

export function generationOf(reply: TextReply, { modelName, toolsGiven }: ReplyContext): ChatGeneration {
  const { content, reasoning, toolCalls, tokens } = reply;
  const message = new AIMessage({
    content,
    ...(reasoning !== "" && { additional_kwargs: { reasoning_content: reasoning } }),
    tool_calls: toolCalls.map(({ id, name, arguments: args }) => ({ type: "tool_call", id, name, args: { ...args } })),
    invalid_tool_calls: unreadCalls(content, toolsGiven),
    usage_metadata: usageOf(reply.usage),
    response_metadata: { ...metadataOf(reply, modelName), ...(tokens && logprobsOf(tokens)) },
  });
  return { text: content, message, generationInfo: { finish_reason: finishOf(reply) } };
}

/** Chunks that join to the message of {@link generationOf}. */
export function chunkOf(part: TextPart, { modelName, toolsGiven }: ReplyContext): ChatGenerationChunk {
  switch (part.kind) {
    case "reasoning":
      return chunk({ content: "", additional_kwargs: { reasoning_content: part.text } });
    case "content":
      return chunk({ content: part.text });
    case "toolCall": {
      const { id, name, arguments: args } = part.call;
      const called: ToolCallChunk = {
        type: "tool_call_chunk",
        index: part.index,
        id,
        name,
        args: JSON.stringify(args),
      };
      return chunk({ content: "", tool_call_chunks: [called] });
    }
    case "tokens":
      return chunk({ content: "", response_metadata: logprobsOf(part.tokens) });
    case "end": {
      const { reply } = part;
      const told = { usage_metadata: usageOf(reply.usage), response_metadata: metadataOf(reply, modelName) };
      const unread = unreadCalls(reply.content, toolsGiven).map(
        ({ name = "", args = "" }, i): ToolCallChunk => ({
          type: "tool_call_chunk",
          index: reply.toolCalls.length + i,
          name,
          args,
        }),
      );
      return chunk({ content: "", ...told, tool_call_chunks: unread }, { finish_reason: finishOf(reply) });
    }
  }
}

function chunk(
  fields: ConstructorParameters<typeof AIMessageChunk>[0] & { readonly content: string },
  generationInfo?: Record<string, unknown>,
): ChatGenerationChunk {
  const message = new AIMessageChunk(fields);
  return new ChatGenerationChunk({ text: fields.content, message, ...(generationInfo && { generationInfo }) });
}

/** What began as a call and cannot be read as one. It stays in the content too, where the next turn shows it to the model. */
export function unreadCalls(content: string, toolsGiven: boolean): InvalidToolCall[] {
  if (!toolsGiven) return [];
  return [...content.matchAll(/<tool_call>.*?(?:<\/tool_call>|$)/gs)].map(([literal]) => ({
    type: "invalid_tool_call",
    name: /"name"\s*:\s*"([^"]+)"/.exec(literal)?.[1] ?? "",
    // With its tags: chunks are read leniently, and half an object must not pass for arguments.
    args: literal,
    // The words that LangChain finds for chunks.
    error: "Malformed args.",
  }));
}

export function finishOf({ toolCalls, finishReason }: TextReply): FinishReason {
  return toolCalls.length > 0 ? "tool_calls" : finishReason;
}

/** What the reply was made with: the seed repeats it. */
export function metadataOf(reply: TextReply, modelName: string): Record<string, unknown> {
  const { seed, stopString } = reply;
  return {
    model_provider: PROVIDER,
    model_name: modelName,
    finish_reason: finishOf(reply),
    seed,
    ...(stopString !== undefined && { stop_sequence: stopString }),
  };
}

export const PROVIDER = "preflexor";

export function usageOf({ promptTokens, completionTokens }: TextUsage): UsageMetadata {
  return {
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** Of all replies to one prompt, which counts once. */
export function tokenUsageOf(replies: readonly TextReply[]): Required<TokenUsage> {
  const promptTokens = replies[0]?.usage.promptTokens ?? 0;
  const completionTokens = replies.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens };
}

/** In the shape that OpenAI gives them. */
export function logprobsOf(tokens: readonly GeneratedToken[]): Record<string, unknown> {
  const content = tokens.map(({ text, logp, bytes }) => ({
    token: text,
    logprob: logp,
    bytes: Array.from(bytes),
    top_logprobs: [],
  }));
  return { logprobs: { content } };
}
