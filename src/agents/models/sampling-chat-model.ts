/** @file The model of a connected MCP client as a LangChain chat model: each call is one sampling request to that client. */
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from "@langchain/core/language_models/chat_models";
import type { AIMessage, AIMessageChunk, BaseMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import type { ToolDefinition } from "../../trainer/index.js";
import { chosenTools, toolDefinitions } from "./engine-messages.js";
import {
  type SamplingReply,
  type SamplingRequest,
  samplingMessages,
  samplingReply,
  samplingTools,
} from "./sampling-messages.js";
import { callInText } from "./text-tool-calls.js";

/** The client that asked for the work at hand, and how its model is asked. */
export interface SamplingClient {
  /** Name and version, for provenance and for what is said before text goes there. */
  readonly name: string;
  /** Whether it takes tools; without, calls are asked for as JSON in plain text. */
  readonly takesTools: boolean;
  /** Rejects where the client, or the person in front of it, refuses. */
  readonly sample: (request: SamplingRequest, signal?: AbortSignal) => Promise<SamplingReply>;
}

export interface SamplingChatModelFields {
  readonly client: SamplingClient;
  /** Most tokens of a reply, which the protocol wants to know. Default 2048. */
  readonly maxTokens?: number;
  readonly temperature?: number;
}

interface SamplingCallOptions extends BaseChatModelCallOptions {
  readonly tools?: BindToolsInput[];
}

const MAX_TOKENS = 2048;

export class SamplingChatModel extends BaseChatModel<SamplingCallOptions> {
  readonly #fields: SamplingChatModelFields;

  static override lc_name(): string {
    return "SamplingChatModel";
  }

  constructor(fields: SamplingChatModelFields) {
    super({});
    this.#fields = fields;
  }

  override _llmType(): string {
    return "mcp-sampling";
  }

  /** The client: which model it takes, each reply says in its metadata. */
  get modelName(): string {
    return this.#fields.client.name;
  }

  override bindTools(
    tools: BindToolsInput[],
    kwargs: Partial<SamplingCallOptions> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, SamplingCallOptions> {
    return this.withConfig({ ...kwargs, tools });
  }

  override async _generate(messages: BaseMessage[], options: this["ParsedCallOptions"]): Promise<ChatResult> {
    const { signal, tool_choice } = options;
    signal?.throwIfAborted();
    const tools = chosenTools(toolDefinitions(options.tools ?? []), tool_choice);
    const message = await (tools.length === 0 || this.#fields.client.takesTools
      ? this.#sample(messages, options, tools)
      : callInText(this as unknown as Runnable<BaseMessage[], AIMessage>, messages, tools, signal ? { signal } : {}));
    return { generations: [{ text: message.text, message }] };
  }

  async #sample(
    messages: readonly BaseMessage[],
    { signal, stop, tool_choice }: this["ParsedCallOptions"],
    tools: readonly ToolDefinition[],
  ): Promise<AIMessage> {
    const { client, maxTokens = MAX_TOKENS, temperature } = this.#fields;
    const isForced = tool_choice !== undefined && tool_choice !== "auto";
    const request: SamplingRequest = {
      ...samplingMessages(messages),
      maxTokens,
      ...(temperature !== undefined && { temperature }),
      ...(stop !== undefined && { stopSequences: [...stop] }),
      ...(tools.length > 0 && {
        tools: samplingTools(tools),
        toolChoice: { mode: isForced ? "required" : "auto" },
      }),
    };
    try {
      return samplingReply(await client.sample(request, signal));
    } catch (cause) {
      signal?.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`the MCP client ${client.name} gave no reply to a sampling request: ${reason}`, { cause });
    }
  }
}
