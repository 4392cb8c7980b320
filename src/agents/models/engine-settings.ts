/** @file What may be set for a chat model of the engine and for one call of it, and the requests that follow. */
import type { BaseChatModelCallOptions, BindToolsInput } from "@langchain/core/language_models/chat_models";
import type { BaseMessage } from "@langchain/core/messages";
import type { ChatRequest, ChatTemplate, TextSampling } from "../../trainer/index.js";
import { chosenTools, textMessages, toolDefinitions } from "./engine-messages.js";

/** Of the model, or of one call, which wins. What neither says, the checkpoint's generation_config.json does. */
export interface EngineSettings extends Omit<TextSampling, "stop"> {
  /** Replies to each prompt, with seeds that follow each other; default 1. */
  readonly n?: number;
  /** "on" (default): the weights as trained; "off": the bare base model; or the name of an adapter that was opened. */
  readonly adapter?: string;
  /** Log-probabilities of the new tokens, in `response_metadata.logprobs`. */
  readonly logprobs?: boolean;
  /** What the reply begins with, such as a whole thinking section; the message holds what follows. */
  readonly prefill?: string;
  /** Further variables of the chat template, such as enable_thinking. */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}

export interface EngineCallOptions extends BaseChatModelCallOptions, EngineSettings {
  readonly tools?: BindToolsInput[];
  readonly response_format?: unknown;
}

export type ModelSettings = EngineSettings & { readonly stop?: readonly string[] };

const SETTINGS: Readonly<Record<keyof EngineSettings, true>> = {
  n: true,
  adapter: true,
  logprobs: true,
  prefill: true,
  templateArguments: true,
  maxNewTokens: true,
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  seed: true,
};

/** Settings that are given: one that is undefined leaves the one below it. */
export function settingsIn(from: object): EngineSettings {
  return Object.fromEntries(
    Object.entries(from).filter(([key, value]) => Object.hasOwn(SETTINGS, key) && value !== undefined),
  );
}

/** What {@link settingsIn} leaves. */
export function withoutSettings<T extends object>(from: T): Omit<T, keyof EngineSettings> {
  const rest = Object.entries(from).filter(([key]) => !Object.hasOwn(SETTINGS, key));
  return Object.fromEntries(rest) as Omit<T, keyof EngineSettings>;
}

/** One request for each of the n replies. */
export function chatRequests(
  messages: readonly BaseMessage[],
  options: EngineCallOptions,
  settings: ModelSettings,
  template: ChatTemplate | undefined,
): ChatRequest[] {
  const {
    n = 1,
    seed,
    adapter,
    logprobs,
    prefill,
    templateArguments,
    ...sampling
  } = {
    ...settings,
    ...settingsIn(options),
    ...(options.stop && { stop: options.stop }),
  };
  if (!Number.isInteger(n) || n < 1) throw new Error(`n: expected a whole number from 1, found ${n}`);
  if (options.response_format !== undefined) {
    throw new Error(`response_format: ${NOTHING_CONSTRAINS}; use withStructuredOutput or toolStrategy`);
  }
  const tools = chosenTools(toolDefinitions(options.tools ?? []), options.tool_choice);
  const request: ChatRequest = {
    messages: textMessages(messages, template),
    ...(tools.length > 0 && { tools }),
    ...(adapter !== undefined && { adapter }),
    ...(logprobs !== undefined && { logprobs }),
    ...(prefill !== undefined && { prefill }),
    ...(templateArguments !== undefined && { templateArguments }),
  };
  return Array.from({ length: n }, (_, i) => ({
    ...request,
    sampling: { ...sampling, ...(seed !== undefined && { seed: seed + i }) },
  }));
}

/** Why there is no strict mode. */
export const NOTHING_CONSTRAINS = "nothing constrains what this model writes";
