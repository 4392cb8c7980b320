/** @file A chat model that is a program: it reads the job and the tagged sections of a conversation and calls tools. */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel, type BindToolsInput } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import { convertToOpenAITool } from "@langchain/core/utils/function_calling";
import type { Passage } from "../corpus/types.js";
import { type Job, parsePassages, readJob } from "../prompts.js";
import { RETRIEVE_CONTEXT } from "../retrieve-context.js";

export type SeenPassage = Pick<Passage, "id" | "source" | "text">;

/** What a program gets to see: the same text that any chat model would. */
export interface JobTurn {
  readonly job: Job;
  /** The user message, with its tagged sections. */
  readonly user: string;
  /** Passages of the user message's context section. */
  readonly context: readonly SeenPassage[];
  /** What the conversation has asked retrieve-context for, in order. */
  readonly queries: readonly string[];
  /** What each retrieval of this conversation returned, in order. */
  readonly retrieved: readonly (readonly SeenPassage[])[];
  readonly canRetrieve: boolean;
}

/** A call of retrieve-context, or the result, which goes to the structured output tool. */
export type JobReply =
  | { readonly retrieve: string; readonly k?: number }
  | { readonly submit: Readonly<Record<string, unknown>> };

export interface ProgrammaticModelFields {
  /** Kind of the model, for provenance. */
  readonly name: string;
  /** Throws with the reason where it cannot do the job. */
  readonly reply: (turn: JobTurn, signal?: AbortSignal) => JobReply | Promise<JobReply>;
}

export class ProgrammaticChatModel extends BaseChatModel {
  readonly #fields: ProgrammaticModelFields;
  readonly #tools: readonly string[];

  constructor(fields: ProgrammaticModelFields, tools: readonly string[] = []) {
    super({});
    this.#fields = fields;
    this.#tools = tools;
  }

  override _llmType(): string {
    // The base class asks before this class's fields exist.
    return #fields in this ? this.#fields.name : "programmatic";
  }

  override bindTools(tools: BindToolsInput[]): ProgrammaticChatModel {
    return new ProgrammaticChatModel(this.#fields, tools.map(toolName));
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    _runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    options.signal?.throwIfAborted();
    const message = await this.#message(messages, options.signal);
    return { generations: [{ text: message.text, message }] };
  }

  /** What the program does in a turn that is given as data, for programs that leave a job to another. */
  replyTo(turn: JobTurn, signal?: AbortSignal): JobReply | Promise<JobReply> {
    return this.#fields.reply(turn, signal);
  }

  async #message(messages: readonly BaseMessage[], signal: AbortSignal | undefined): Promise<AIMessage> {
    const reply = await this.replyTo(readTurn(messages, this.#tools), signal);
    const id = `call-${messages.length}`;
    if ("retrieve" in reply) {
      const args = { query: reply.retrieve, ...(reply.k !== undefined && { k: reply.k }) };
      return new AIMessage({ content: "", tool_calls: [{ id, name: RETRIEVE_CONTEXT, args }] });
    }
    const name = this.#tools.find((tool) => tool !== RETRIEVE_CONTEXT);
    if (name === undefined) return new AIMessage(Object.values(reply.submit).join("\n"));
    return new AIMessage({ content: "", tool_calls: [{ id, name, args: { ...reply.submit } }] });
  }
}

function toolName(tool: BindToolsInput): string {
  if ("function" in tool && typeof tool.function === "object") return (tool.function as { name: string }).name;
  if ("name" in tool && typeof tool.name === "string") return tool.name;
  return convertToOpenAITool(tool as Parameters<typeof convertToOpenAITool>[0]).function.name;
}

function readTurn(messages: readonly BaseMessage[], tools: readonly string[]): JobTurn {
  const textOf = (type: string): string =>
    messages
      .filter((message) => message.getType() === type)
      .map((message) => message.text)
      .join("\n");
  const job = readJob(textOf("system"));
  if (job === undefined) {
    throw new Error('expected a system message with a line "Job: …" as the agents write it, found none');
  }
  const user = textOf("human");
  const results = messages.filter((message) => message.getType() === "tool" && message.name === RETRIEVE_CONTEXT);
  return {
    job,
    user,
    context: parsePassages(user),
    queries: messages.flatMap((message) => (AIMessage.isInstance(message) ? queriesOf(message) : [])),
    retrieved: results.map((message) => parsePassages(message.text)),
    canRetrieve: tools.includes(RETRIEVE_CONTEXT),
  };
}

function queriesOf(message: AIMessage): string[] {
  const calls = message.tool_calls ?? [];
  return calls.flatMap(({ name, args }) => (name === RETRIEVE_CONTEXT ? [String(args["query"])] : []));
}

/** All passages of a turn, each once: the context's first. */
export function allPassages({ context, retrieved }: JobTurn): SeenPassage[] {
  return [...new Map([...context, ...retrieved.flat()].map((passage) => [passage.id, passage])).values()];
}
