/** @file POST /v1/chat/completions: a conversation answered, whole or as a stream of chunks. */
import { randomUUID } from "node:crypto";
import type { ChatRequest, GeneratedToken, TextPart, TextReply, ToolCall } from "../../trainer/generate/index.js";
import type { Admission } from "./admission.js";
import { type ChatBody, chatRequestSchema } from "./chat-request.js";
import type { Call, Handler } from "./http.js";
import { type ChatLogprobs, chatLogprobs } from "./logprobs.js";
import { parseRequest } from "./parse-request.js";
import { adapterOf, type Served } from "./served.js";
import type { EventStream } from "./sse.js";
import { asClientError, samplingOf, streamAll, usageOf } from "./text-requests.js";

export function chatHandler(served: Served, admission: Admission): Handler {
  return async ({ body, signal, events }) => {
    const asked = parseRequest(chatRequestSchema, body);
    const requests = chatRequests(asked, adapterOf(served, asked.model));
    const head: Head = {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: asked.model,
      system_fingerprint: served.fingerprint,
    };
    try {
      return await admission.run(requests.length, async () => {
        if (asked.stream === true) return await streamChat(served, requests, asked, head, { events, signal });
        const replies = await served.text.generate(requests, { signal });
        return completion(head, replies, asked);
      });
    } catch (error) {
      throw asClientError(error);
    }
  };
}

interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

function chatRequests(asked: ChatBody, adapter: { adapter?: string }): ChatRequest[] {
  const { messages, tools, tool_choice, chat_template_kwargs } = asked;
  const maxNewTokens = asked.max_completion_tokens ?? asked.max_tokens;
  return Array.from({ length: asked.n ?? 1 }, (_, choice) => ({
    messages,
    ...(tools !== undefined && tools.length > 0 && tool_choice !== "none" && { tools }),
    ...(chat_template_kwargs !== undefined && { templateArguments: chat_template_kwargs }),
    ...(asked.logprobs === true && { logprobs: true }),
    ...adapter,
    sampling: samplingOf(asked, maxNewTokens, choice),
  }));
}

function completion(head: Head, replies: readonly TextReply[], asked: ChatBody): object {
  const choices = replies.map((reply, index) => {
    const calls = kept(reply.toolCalls, asked);
    return {
      index,
      message: {
        role: "assistant",
        content: reply.content === "" && calls.length > 0 ? null : reply.content,
        refusal: null,
        ...(reply.reasoning !== "" && { reasoning_content: reply.reasoning }),
        ...(calls.length > 0 && { tool_calls: calls.map(callObject) }),
      },
      logprobs: reply.tokens === undefined ? null : chatLogprobs(reply.tokens),
      finish_reason: finishReason(reply),
    };
  });
  const usages = replies.map(({ usage }) => usage);
  return { ...head, object: "chat.completion", choices, usage: usageOf(usages, replies.length) };
}

/** Without parallel calls only the first one stands. */
function kept(calls: readonly ToolCall[], { parallel_tool_calls }: ChatBody): readonly ToolCall[] {
  return parallel_tool_calls === false ? calls.slice(0, 1) : calls;
}

const callObject = ({ id, name, arguments: values }: ToolCall) =>
  ({ id, type: "function", function: { name, arguments: JSON.stringify(values) } }) as const;

function finishReason(reply: TextReply): "stop" | "length" | "tool_calls" {
  return reply.toolCalls.length > 0 ? "tool_calls" : reply.finishReason;
}

async function streamChat(
  served: Served,
  requests: readonly ChatRequest[],
  asked: ChatBody,
  head: Head,
  { events, signal }: Pick<Call, "events" | "signal">,
): Promise<undefined> {
  const withUsage = asked.stream_options?.include_usage === true;
  const chunk = { ...head, object: "chat.completion.chunk", ...(withUsage && { usage: null }) };
  const choices = requests.map((_, index) => new StreamedChoice(index, asked, chunk, events));
  const usages = requests.map(() => ({ promptTokens: 0, completionTokens: 0 }));
  await streamAll(served.text, requests, signal, async (part, i) => {
    if (part.kind === "end") usages[i] = part.reply.usage;
    await choices[i]?.send(part);
  });
  if (withUsage) await events.send({ ...chunk, choices: [], usage: usageOf(usages, requests.length) });
  await events.done();
  return undefined;
}

/** One choice of a stream: its role first, then deltas, then why it ended. */
class StreamedChoice {
  #started = false;
  #tokens: GeneratedToken[] = [];

  constructor(
    readonly index: number,
    readonly asked: ChatBody,
    readonly chunk: object,
    readonly events: EventStream,
  ) {}

  async send(part: TextPart): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      await this.#delta({ role: "assistant", content: "", refusal: null });
    }
    switch (part.kind) {
      case "tokens":
        // They go out with the next delta: a token may have become text, held back, or nothing.
        this.#tokens.push(...part.tokens);
        return;
      case "reasoning":
        return this.#delta({ reasoning_content: part.text }, this.#logprobs());
      case "content":
        return this.#delta({ content: part.text }, this.#logprobs());
      case "toolCall": {
        if (part.index > 0 && this.asked.parallel_tool_calls === false) return;
        return this.#delta({ tool_calls: [{ index: part.index, ...callObject(part.call) }] }, this.#logprobs());
      }
      case "end":
        return this.#delta({}, this.#logprobs(), finishReason(part.reply));
    }
  }

  #logprobs(): ChatLogprobs | null {
    const tokens = this.#tokens;
    this.#tokens = [];
    return tokens.length === 0 ? null : chatLogprobs(tokens);
  }

  #delta(delta: object, logprobs: ChatLogprobs | null = null, finish: string | null = null): Promise<void> {
    const choice = { index: this.index, delta, logprobs, finish_reason: finish };
    return this.events.send({ ...this.chunk, choices: [choice] });
  }
}
