/** @file A chat model that gives one reply: what is in the cache already takes the agent's ordinary way. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { AIMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";

export class ReplayModel extends BaseChatModel {
  readonly #reply: AIMessage;

  constructor(reply: AIMessage) {
    super({});
    this.#reply = reply;
  }

  override _llmType(): string {
    return "replay";
  }

  override bindTools(): this {
    return this;
  }

  override async _generate(): Promise<ChatResult> {
    return { generations: [{ text: this.#reply.text, message: this.#reply }] };
  }
}
