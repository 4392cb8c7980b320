/** @file The tokens of one reply, read as they come: text, thinking, tool calls, and where a stop string ends it. */
import type { Generation } from "../run/index.js";
import {
  concatIds,
  createStopSearch,
  createThinkingSplit,
  createTokenStream,
  type SectionMarkers,
  type SectionText,
  type Tokenizer,
} from "../text/index.js";
import { createToolCallSplit } from "./tool-calls.js";
import type { GeneratedToken, PreparedRequest, TextPart, TextReply, ToolCall } from "./types.js";

export interface ReplyReader {
  /** Takes the next tokens; true where the reply has ended and further ones are not wanted. */
  push(ids: Int32Array, logps: Float32Array): boolean;
  /** What the engine gave in the end; reads those of its tokens that were not pushed. */
  finish(generation: Generation): TextReply;
}

export interface ReplyReaderOptions {
  readonly request: PreparedRequest;
  readonly tokenizer: Tokenizer;
  readonly markers: readonly SectionMarkers[];
  /** Names of the request's tools. */
  readonly tools: readonly string[];
  readonly onPart?: (part: TextPart) => void;
}

export function createReplyReader({ request, tokenizer, markers, tools, onPart }: ReplyReaderOptions): ReplyReader {
  const tokenStream = createTokenStream(tokenizer);
  const stops = createStopSearch(request.stop);
  const thinking = createThinkingSplit(markers, request.inside);
  const toolCalls = createToolCallSplit(tools);
  const seen: number[] = [];
  const tokens: GeneratedToken[] = [];
  const text: string[] = [];
  const reasoning: string[] = [];
  const content: string[] = [];
  const calls: ToolCall[] = [];

  const addContent = (parts: ReturnType<typeof toolCalls.push>): void => {
    for (const part of parts) {
      if (part.kind === "content") {
        content.push(part.text);
        onPart?.(part);
      } else {
        onPart?.({ kind: "toolCall", index: calls.length, call: part.call });
        calls.push(part.call);
      }
    }
  };
  const addSections = (parts: readonly SectionText[]): void => {
    for (const part of parts) {
      if (part.kind === "reasoning") {
        reasoning.push(part.text);
        onPart?.(part as { readonly kind: "reasoning"; readonly text: string });
      } else addContent(request.parseTools ? toolCalls.push(part.text) : [{ kind: "content", text: part.text }]);
    }
  };
  const addText = (piece: string): void => {
    const certain = stops.push(piece);
    text.push(certain);
    addSections(thinking.push(certain));
  };
  const addToken = (id: number, logp: number): void => {
    seen.push(id);
    if (request.logprobs) tokens.push(generatedToken(id, logp, tokenizer));
    addText(tokenStream.push([id]));
  };
  const push = (ids: Int32Array, logps: Float32Array): boolean => {
    const before = tokens.length;
    for (let i = 0; i < ids.length && stops.found === undefined; i++) addToken(ids[i] as number, logps[i] as number);
    if (tokens.length > before) onPart?.({ kind: "tokens", tokens: tokens.slice(before) });
    return stops.found !== undefined;
  };
  const finish = ({ ids, logps, finish: engineFinish }: Generation): TextReply => {
    push(ids.subarray(seen.length), logps.subarray(seen.length));
    addText(tokenStream.finish());
    const rest = stops.finish();
    text.push(rest);
    addSections([...thinking.push(rest), ...thinking.finish()]);
    if (request.parseTools) addContent(toolCalls.finish());
    const reply: TextReply = {
      text: text.join(""),
      reasoning: reasoning.join(""),
      content: content.join(""),
      toolCalls: calls,
      ids: concatIds(seen),
      ...(request.logprobs && { tokens }),
      finishReason: stops.found === undefined ? engineFinish : "stop",
      ...(stops.found !== undefined && { stopString: stops.found }),
      seed: request.seed,
      usage: { promptTokens: request.ids.length, completionTokens: seen.length },
    };
    onPart?.({ kind: "end", reply });
    return reply;
  };
  return { push, finish };
}

function generatedToken(id: number, logp: number, tokenizer: Tokenizer): GeneratedToken {
  const piece = tokenizer.pieces?.of(id);
  const bytes = piece?.kind === "bytes" ? piece.bytes : new TextEncoder().encode(piece?.text ?? tokenizer.decode([id]));
  return { id, text: tokenizer.decode([id]), bytes, logp };
}
