/** @file Text in, text out: what may be asked of a model, and what it answers, whole or as a stream. */
import type { Policy, PolicyOptions, SamplingParameters } from "../run/index.js";
import type { ChatTemplate, SectionMarkers, Tokenizer } from "../text/index.js";

/** A message of a conversation; {@link ChatMessage} is one. */
export interface TextMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  /** Of an assistant: its thinking section, without markers, for templates that show it. */
  readonly reasoning?: string;
  /** Of an assistant: what it called. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of a tool: the call that this answers. */
  readonly toolCallId?: string;
  /** Of a tool: its name. */
  readonly name?: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A tool that the model may call. */
export interface ToolDefinition {
  readonly name: string;
  readonly description?: string;
  /** JSON schema of the arguments, an object. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/**
 * Fields left out: what the model's generation_config.json says, else temperature 1, no truncation, no penalty, and as
 * many new tokens as the context has room for.
 */
export interface TextSampling
  extends Partial<
    Pick<SamplingParameters, "maxNewTokens" | "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty">
  > {
  /** A whole number from 0 to 2⁵³ - 1; left out: a random one, which the reply reports. */
  readonly seed?: number;
  /** The reply ends in front of the first of these. */
  readonly stop?: readonly string[];
}

interface RequestCommon {
  readonly sampling?: TextSampling;
  /** "on" (default), "off", or a name of {@link TextModel.adapters}. */
  readonly adapter?: string;
  /** Fills {@link TextReply.tokens} and streams {@link TokensPart}s. */
  readonly logprobs?: boolean;
}

/** Text that is continued as it stands. */
export interface RawRequest extends RequestCommon {
  readonly prompt: string;
}

/** A conversation that is answered. One that ends with the assistant's turn is continued there, as with `prefill`. */
export interface ChatRequest extends RequestCommon {
  readonly messages: readonly TextMessage[];
  readonly tools?: readonly ToolDefinition[];
  /** What the reply begins with, such as a whole thinking section; not repeated in the reply's text. */
  readonly prefill?: string;
  /** Further variables of the chat template, such as enable_thinking. */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}

export type TextRequest = RawRequest | ChatRequest;

export interface GeneratedToken {
  readonly id: number;
  /** The token alone; U+FFFD where it is part of a character. */
  readonly text: string;
  /** UTF-8 of the token, which may be part of a character. */
  readonly bytes: Uint8Array;
  /** As in {@link Generation.logps}. */
  readonly logp: number;
}

export interface TextUsage {
  /** With the pre-fill. */
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface TextReply {
  /** All that was generated, markers and tool calls as the model wrote them; without pre-fill, stop token and stop string. */
  readonly text: string;
  /** The thinking sections of `text`, without markers and the white space beside them. */
  readonly reasoning: string;
  /** `text` without thinking sections and without the tool calls in `toolCalls`. */
  readonly content: string;
  /** Calls that could be read, where the request had tools; anything else stays in `content`. */
  readonly toolCalls: readonly ToolCall[];
  /** Up to the token that completed a stop string. */
  readonly ids: Int32Array;
  /** One for each of `ids`, where `logprobs` was asked for. */
  readonly tokens?: readonly GeneratedToken[];
  readonly finishReason: "stop" | "length";
  /** The stop string that ended the reply. */
  readonly stopString?: string;
  readonly seed: number;
  readonly usage: TextUsage;
}

export interface ReasoningPart {
  readonly kind: "reasoning";
  readonly text: string;
}

export interface ContentPart {
  readonly kind: "content";
  readonly text: string;
}

export interface ToolCallPart {
  readonly kind: "toolCall";
  /** Number of the call in its reply. */
  readonly index: number;
  readonly call: ToolCall;
}

export interface TokensPart {
  readonly kind: "tokens";
  readonly tokens: readonly GeneratedToken[];
}

/** The last part. */
export interface EndPart {
  readonly kind: "end";
  readonly reply: TextReply;
}

/** The reasoning parts joined are the reply's `reasoning`, and so for content, tool calls and tokens. */
export type TextPart = ReasoningPart | ContentPart | ToolCallPart | TokensPart | EndPart;

export interface TextOptions {
  readonly signal?: AbortSignal;
  /** Called with each part as it becomes certain; `request` is the index in the call. */
  readonly onPart?: (part: TextPart, request: number) => void;
  /** Called now and then with the number of finished requests. */
  readonly onProgress?: (finished: number, total: number) => void;
}

/** A request as tokens, with all defaults filled in. */
export interface PreparedRequest {
  /** Prompt and pre-fill. */
  readonly ids: Int32Array;
  readonly seed: number;
  readonly sampling: SamplingParameters;
  readonly stop: readonly string[];
  readonly adapter: string;
  readonly logprobs: boolean;
  readonly parseTools: boolean;
  /** The thinking section that the reply begins in the middle of. */
  readonly inside?: SectionMarkers;
}

export interface TextModel {
  /** Hub id, or name of the directory. */
  readonly name: string;
  readonly policy: Policy;
  readonly tokenizer: Tokenizer;
  /** Absent where the model has none: it takes raw prompts only. */
  readonly template?: ChatTemplate;
  readonly contextLength: number;
  /** Names of adapters that a request may ask for, beside "on" and "off". */
  readonly adapters: readonly string[];
  /** End-of-sequence ids of tokenizer, config.json and generation_config.json. */
  readonly stopTokenIds: readonly number[];
  /** What generation_config.json says about sampling. */
  readonly defaults: TextSampling;
  /** Tokenizes and checks, without generating. Throws {@link TextRequestError}. */
  prepare(request: TextRequest): PreparedRequest;
  /**
   * All in one batch. Throws {@link TextRequestError} with the problems of all requests before anything is generated, and
   * the signal's reason where it is aborted.
   */
  generate(requests: readonly TextRequest[], options?: TextOptions): Promise<TextReply[]>;
  /** Leaving the loop ends the request. Calls that run at the same time are decoded together. */
  stream(request: TextRequest, options?: Pick<TextOptions, "signal">): AsyncIterable<TextPart>;
  /** Closes the policy, unless it was given to {@link openTextModel}. */
  close(): Promise<void>;
}

export interface OpenTextModelOptions
  extends Pick<PolicyOptions, "threads" | "device" | "precision" | "rolloutWeights" | "cacheFolder" | "adapters"> {
  /** A Hugging Face checkpoint directory. */
  readonly model: string;
  /** Default: hub id where the path tells it, else the directory's name. */
  readonly name?: string;
  /** An open policy of this model to generate with; whoever opened it closes it. `adapters` then only names what it has. */
  readonly policy?: Policy;
  /** Directory of tokenizer and chat template; default: that of the one adapter where it brings a tokenizer, else the model's. */
  readonly tokenizer?: string;
  /** What sections of thinking stand between; default: `<|thinking|>`, and `<think>` where the tokenizer has it. */
  readonly markers?: readonly SectionMarkers[];
}

export interface RequestProblem {
  /** Path in the request, such as "sampling.topP" or "messages[2].role". */
  readonly field: string;
  /** Expected, found, and what to do. */
  readonly message: string;
  /** Index of the request in its call. */
  readonly request: number;
}
