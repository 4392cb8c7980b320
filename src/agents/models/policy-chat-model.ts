/** @file The local policy as a LangChain chat model: renders the template, generates, stops when it is told to. */

import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import type { ChatMessage } from "../../trainer/index.js";
import { replies, type Sampling, type Student } from "../student.js";

export interface PolicyChatModelFields extends Sampling {
  readonly student: Student;
  readonly seed: number;
}

/** It calls no tools: `createAgent` with tools or structured output needs another model. */
export class PolicyChatModel extends BaseChatModel {
  readonly #fields: PolicyChatModelFields;

  constructor(fields: PolicyChatModelFields) {
    super({});
    this.#fields = fields;
  }

  /** Named in provenance. */
  get modelName(): string {
    return this.#fields.student.policy.info.modelHash.slice(0, 16);
  }

  override _llmType(): string {
    return "local-policy";
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    _runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    const { student, seed, maxNewTokens, temperature, topP } = this.#fields;
    const turn = { prompt: conversation(messages), seed };
    const sampling = { maxNewTokens, temperature, topP, ...(options.signal && { signal: options.signal }) };
    const [reply] = await replies(student, [turn], sampling);
    const text = reply?.text ?? "";
    const message = new AIMessage({ content: text, response_metadata: { finish_reason: reply?.finish ?? "stop" } });
    return { generations: [{ text, message }] };
  }
}

export function createPolicyChatModel(fields: PolicyChatModelFields): PolicyChatModel {
  return new PolicyChatModel(fields);
}

/** What the system says opens the first user turn: many small models' templates know no system role. */
function conversation(messages: readonly BaseMessage[]): ChatMessage[] {
  const system = messages.filter((message) => message.getType() === "system").map((message) => message.text);
  const turns = messages
    .filter((message) => message.getType() !== "system")
    .map(
      (message): ChatMessage => ({ role: message.getType() === "ai" ? "assistant" : "user", content: message.text }),
    );
  const [first, ...rest] = turns;
  if (first === undefined) throw new Error("expected a user message, found none");
  return [{ ...first, content: [...system, first.content].join("\n\n") }, ...rest];
}
