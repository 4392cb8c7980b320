/** @file A streamed reply as LangChain's content block events. Its own bridge from chunks loses thinking and puts a call into the text's block. */
import type { ChatModelStreamEvent, FinishReason } from "@langchain/core/language_models/event";
import type { ContentBlock, InvalidToolCall } from "@langchain/core/messages";
import type { TextPart, TextReply } from "../../trainer/index.js";
import { logprobsOf, metadataOf, type ReplyContext, unreadCalls, usageOf } from "./engine-replies.js";

/** Blocks follow each other, none overlap. */
export async function* streamEventsOf(
  parts: AsyncIterable<TextPart>,
  { modelName, toolsGiven }: ReplyContext,
): AsyncGenerator<ChatModelStreamEvent> {
  yield { event: "message-start" };
  let index = -1;
  let open: OpenBlock | undefined;
  for await (const part of parts) {
    if (part.kind === "tokens") continue;
    if (open !== undefined && part.kind !== open.kind) {
      yield { event: "content-block-finish", index, content: blockOf(open.kind, open.text) };
      open = undefined;
    }
    if (part.kind === "end") {
      for (const call of unreadCalls(part.reply.content, toolsGiven)) {
        index += 1;
        yield* unreadEvents(call, index);
      }
      yield finishEvent(part.reply, modelName);
      return;
    }
    if (part.kind === "toolCall") {
      index += 1;
      yield* callEvents(part.call, index);
      continue;
    }
    if (open === undefined) {
      index += 1;
      open = { kind: part.kind, text: "" };
      yield { event: "content-block-start", index, content: blockOf(part.kind, "") };
    }
    open.text += part.text;
    const delta = part.kind === "content" ? textDelta(part.text) : reasoningDelta(part.text);
    yield { event: "content-block-delta", index, delta };
  }
}

interface OpenBlock {
  readonly kind: "reasoning" | "content";
  text: string;
}

const textDelta = (text: string) => ({ type: "text-delta", text }) as const;
const reasoningDelta = (reasoning: string) => ({ type: "reasoning-delta", reasoning }) as const;

const blockOf = (kind: OpenBlock["kind"], text: string): ContentBlock =>
  kind === "content" ? { type: "text", text } : { type: "reasoning", reasoning: text };

function* callEvents(
  { id, name, arguments: args }: TextReply["toolCalls"][number],
  index: number,
): Generator<ChatModelStreamEvent> {
  const opened = { type: "tool_call_chunk", id, name, args: "", index };
  yield { event: "content-block-start", index, content: opened };
  yield { event: "content-block-delta", index, delta: { type: "tool-call-delta", args: JSON.stringify(args) } };
  yield { event: "content-block-finish", index, content: { type: "tool_call", id, name, args } };
}

function* unreadEvents({ name, args, error }: InvalidToolCall, index: number): Generator<ChatModelStreamEvent> {
  yield { event: "content-block-start", index, content: { type: "tool_call_chunk", name, args: "", index } };
  yield { event: "content-block-finish", index, content: { type: "invalid_tool_call", name, args, error } };
}

function finishEvent(reply: TextReply, modelName: string): ChatModelStreamEvent {
  const { finish_reason, ...told } = metadataOf(reply, modelName);
  const reason: FinishReason = finish_reason === "tool_calls" ? "tool_use" : reply.finishReason;
  const responseMetadata = { ...told, ...(reply.tokens && logprobsOf(reply.tokens)) };
  return { event: "message-finish", reason, usage: usageOf(reply.usage), responseMetadata };
}
