/** @file A model of this project's engine as a LangChain chat model: student, teacher or critic, in agents and chains. */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import type { BaseLanguageModelInput, StructuredOutputMethodOptions } from "@langchain/core/language_models/base";
import {
  BaseChatModel,
  type BaseChatModelParams,
  type BindToolsInput,
  type LangSmithParams,
} from "@langchain/core/language_models/chat_models";
import type { ChatModelStreamEvent } from "@langchain/core/language_models/event";
import type { ModelProfile } from "@langchain/core/language_models/profile";
import type { AIMessageChunk, BaseMessage, MessageContent } from "@langchain/core/messages";
import type { ChatGenerationChunk, ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import type { ChatRequest, OpenTextModelOptions, TextModel } from "../../trainer/index.js";
import { toolDefinitions } from "./engine-messages.js";
import { chunkOf, generationOf, PROVIDER, type ReplyContext, tokenUsageOf } from "./engine-replies.js";
import {
  chatRequests,
  type EngineCallOptions,
  type EngineSettings,
  type ModelSettings,
  NOTHING_CONSTRAINS,
  settingsIn,
  withoutSettings,
} from "./engine-settings.js";
import { streamEventsOf } from "./engine-stream-events.js";
import {
  byJsonText,
  byToolCall,
  type OutputMethod,
  outputContract,
  structuredRunnable,
} from "./engine-structured-output.js";

export interface EngineChatModelFields extends BaseChatModelParams, EngineSettings {
  readonly model: TextModel;
  readonly stop?: readonly string[];
  /** Tells callbacks of every piece of a reply also where `invoke` is called; default false. */
  readonly streaming?: boolean;
}

export interface OpenEngineChatModelOptions
  extends Omit<EngineChatModelFields, "model">,
    Omit<OpenTextModelOptions, "model"> {
  /** A Hugging Face checkpoint directory. */
  readonly model: string;
}

/**
 * Calls that run at the same time are decoded in one batch. Nothing constrains what the model writes: `tool_choice` only
 * leaves tools out, and `withStructuredOutput` checks.
 */
export class EngineChatModel extends BaseChatModel<EngineCallOptions> {
  readonly #text: TextModel;
  readonly #settings: ModelSettings;
  readonly #streaming: boolean;
  #close = async (): Promise<void> => {};

  static override lc_name(): string {
    return "EngineChatModel";
  }

  /** Opens a checkpoint; `close` closes it again. */
  static async open(options: OpenEngineChatModelOptions): Promise<EngineChatModel> {
    const { name, policy, tokenizer, markers, threads, device, precision, rolloutWeights, cacheFolder, ...others } =
      options;
    const { adapters, ...fields } = others;
    const { openTextModel } = await import("../../trainer/index.js");
    const model = await openTextModel(options);
    const opened = new EngineChatModel({ ...fields, model });
    opened.#close = () => model.close();
    return opened;
  }

  constructor(fields: EngineChatModelFields) {
    const { model, stop, streaming = false, disableStreaming = false, ...others } = fields;
    super(withoutSettings(others));
    this.disableStreaming = disableStreaming;
    this.#text = model;
    this.#settings = { ...settingsIn(others), ...(stop && { stop }) };
    this.#streaming = streaming;
  }

  override _llmType(): string {
    return "preflexor-engine";
  }

  /** Name of the checkpoint and the start of its hash; named in provenance. */
  get modelName(): string {
    return `${this.#text.name}@${this.#text.policy.info.modelHash.slice(0, 16)}`;
  }

  override get profile(): ModelProfile {
    return {
      maxInputTokens: this.#text.contextLength,
      toolCalling: this.#takesTools,
      structuredOutput: false,
      imageInputs: false,
      audioInputs: false,
      pdfInputs: false,
    };
  }

  override async getNumTokens(content: MessageContent): Promise<number> {
    const text =
      typeof content === "string" ? content : content.map((part) => ("text" in part ? String(part.text) : "")).join("");
    return this.#text.tokenizer.encode(text).length;
  }

  /** What a cache tells models and settings apart by: not the training of an open model, so do not cache one that learns. */
  override _identifyingParams(): Record<string, unknown> {
    return { model: this.modelName, ...this.#settings };
  }

  override invocationParams(options: Partial<EngineCallOptions> = {}): Record<string, unknown> {
    const { stop, tool_choice, tools = [] } = options;
    return {
      ...this._identifyingParams(),
      ...settingsIn(options),
      ...(stop && { stop }),
      ...(tool_choice !== undefined && { tool_choice }),
      ...(tools.length > 0 && { tools: toolDefinitions(tools) }),
    };
  }

  override getLsParams(options: this["ParsedCallOptions"]): LangSmithParams {
    const { temperature, maxNewTokens } = { ...this.#settings, ...settingsIn(options) };
    return {
      ls_provider: PROVIDER,
      ls_model_name: this.modelName,
      ls_model_type: "chat",
      ...(temperature !== undefined && { ls_temperature: temperature }),
      ...(maxNewTokens !== undefined && { ls_max_tokens: maxNewTokens }),
      ...(options.stop && { ls_stop: options.stop }),
    };
  }

  override bindTools(
    tools: BindToolsInput[],
    kwargs: Partial<EngineCallOptions> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, EngineCallOptions> {
    if (tools.length > 0 && !this.#takesTools) throw new Error(this.#lacksTools(tools));
    return this.withConfig({ ...kwargs, ...(tools.length > 0 && { tools }) });
  }

  /**
   * A value that the schema has checked (Zod, Standard Schema or JSON schema), or an OutputParserException; with `includeRaw`
   * `parsed` is null instead. The model is told what was wrong and asked once more. "functionCalling" (default where the chat
   * template has tools) takes the arguments of a call, "jsonMode" JSON in the reply's text. Does not stream.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the type parameter's bound is LangChain's.
  override withStructuredOutput<T extends Record<string, any> = Record<string, any>>(
    schema: object,
    config: StructuredOutputMethodOptions<boolean> = {},
    // biome-ignore lint/suspicious/noExplicitAny: one return type has to fit LangChain's overloads, with and without the raw reply.
  ): Runnable<BaseLanguageModelInput, any> {
    const { method = this.#takesTools ? "functionCalling" : "jsonMode", name, includeRaw = false, strict } = config;
    const contract = outputContract(schema, name);
    if (strict === true) throw new Error(`strict: ${NOTHING_CONSTRAINS}; leave it out, replies are checked`);
    const runnable = structuredRunnable({
      method: this.#outputMethod(method, contract),
      includeRaw,
      toMessages: (input) => BaseChatModel._convertInputToPromptValue(input).toChatMessages(),
    });
    return runnable as Runnable<BaseLanguageModelInput, T>;
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    const requests = this.#requests(messages, options);
    if (this.#streaming && requests.length === 1) return this.#generateStreaming(messages, options, runManager);
    const { signal } = options;
    const replies = await orAborted(this.#text.generate(requests, signal ? { signal } : {}), signal);
    return {
      generations: replies.map((reply) => generationOf(reply, this.#context(options))),
      llmOutput: { tokenUsage: tokenUsageOf(replies) },
    };
  }

  override _combineLLMOutput(...outputs: ChatResult["llmOutput"][]): Record<string, unknown> {
    const usages = outputs.map((output) => output?.["tokenUsage"] as ReturnType<typeof tokenUsageOf> | undefined);
    const sum = (key: "promptTokens" | "completionTokens" | "totalTokens"): number =>
      usages.reduce((total, usage) => total + (usage?.[key] ?? 0), 0);
    return {
      tokenUsage: {
        promptTokens: sum("promptTokens"),
        completionTokens: sum("completionTokens"),
        totalTokens: sum("totalTokens"),
      },
    };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for await (const part of this.#stream(messages, options)) {
      const chunk = chunkOf(part, this.#context(options));
      yield chunk;
      const place = { prompt: 0, completion: 0 };
      await runManager?.handleLLMNewToken(chunk.text, place, undefined, undefined, undefined, { chunk });
    }
  }

  override async *_streamChatModelEvents(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
  ): AsyncGenerator<ChatModelStreamEvent> {
    yield* streamEventsOf(this.#stream(messages, options), this.#context(options));
  }

  /** Closes what {@link EngineChatModel.open} opened; a text model that was given stays open. */
  async close(): Promise<void> {
    await this.#close();
  }

  get #takesTools(): boolean {
    return this.#text.template?.takesTools === true;
  }

  #lacksTools(tools: readonly BindToolsInput[]): string {
    const names = toolDefinitions(tools).map(({ name }) => name);
    return (
      `the chat template of ${this.#text.name} has no place for tools, so ${names.join(", ")} cannot be offered: ` +
      "use a model whose template renders tools, or withStructuredOutput with method jsonMode"
    );
  }

  #outputMethod(method: string, contract: ReturnType<typeof outputContract>): OutputMethod {
    const { name, description, jsonSchema } = contract;
    if (method === "jsonMode") return byJsonText(contract, this);
    if (method === "functionCalling") {
      const tool = { type: "function", function: { name, description, parameters: jsonSchema } };
      return byToolCall(contract, this.bindTools([tool], { tool_choice: name }));
    }
    throw new Error(`method: expected functionCalling or jsonMode, found ${method}: ${NOTHING_CONSTRAINS}`);
  }

  #requests(messages: readonly BaseMessage[], options: this["ParsedCallOptions"]): ChatRequest[] {
    return chatRequests(messages, options, this.#settings, this.#text.template);
  }

  #context({ tools = [] }: this["ParsedCallOptions"]): ReplyContext {
    return { modelName: this.modelName, toolsGiven: tools.length > 0 };
  }

  #stream(messages: readonly BaseMessage[], options: this["ParsedCallOptions"]): ReturnType<TextModel["stream"]> {
    const [request, second] = this.#requests(messages, options);
    if (request === undefined || second !== undefined) {
      throw new Error("n: a stream is one reply; leave n out, or call generate without a streaming callback");
    }
    return this.#text.stream(request, options.signal ? { signal: options.signal } : {});
  }

  async #generateStreaming(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager: CallbackManagerForLLMRun | undefined,
  ): Promise<ChatResult> {
    let whole: ChatGenerationChunk | undefined;
    for await (const chunk of this._streamResponseChunks(messages, options, runManager)) {
      whole = whole === undefined ? chunk : whole.concat(chunk);
    }
    if (whole === undefined) throw new Error("internal: a stream ended without its last part");
    return { generations: [whole] };
  }
}

export function createEngineChatModel(fields: EngineChatModelFields): EngineChatModel {
  return new EngineChatModel(fields);
}

/** Rejects as soon as `signal` is aborted, also where the engine takes until its next step to let go. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {});
  }
}
