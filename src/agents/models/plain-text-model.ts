/** @file A model that is asked in plain text, without tools and schemas: the one that learns, or any chat model. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { ChatMessage } from "../../trainer/index.js";
import { replies, type Sampling, type Student, turnIds } from "../student.js";

export interface PlainTextModel {
  /** Seeded where the model can be: the same messages and seed give the same reply. */
  reply(messages: readonly ChatMessage[], seed: number, signal?: AbortSignal): Promise<string>;
  /** Whether the conversation leaves room for a reply in the model's context. */
  fits(messages: readonly ChatMessage[]): Promise<boolean>;
}

/** Room for three or four sentences. */
export const PLAIN_SAMPLING: Sampling = { maxNewTokens: 192, temperature: 0.7, topP: 0.95 };

/** The policy that is being trained, as it is when it is asked. `student` may open it, or another after it was closed. */
export function studentText(student: () => Promise<Student>, sampling: Sampling = PLAIN_SAMPLING): PlainTextModel {
  return {
    async reply(messages, seed, signal) {
      const turn = { prompt: messages, seed };
      const [reply] = await replies(await student(), [turn], { ...sampling, ...(signal && { signal }) });
      return reply?.text ?? "";
    },
    async fits(messages) {
      const opened = await student();
      const length = turnIds(opened, { prompt: messages, seed: 0 }).length;
      return length + sampling.maxNewTokens <= opened.policy.info.contextLength;
    },
  };
}

/** Tokens of a message beside its text. */
const TEMPLATE_TOKENS = 16;

/** A chat model of LangChain, such as a checkpoint on this project's engine. Its own settings say how it samples. */
export function chatModelText(
  model: Pick<BaseChatModel, "invoke" | "getNumTokens" | "profile">,
  maxNewTokens = PLAIN_SAMPLING.maxNewTokens,
): PlainTextModel {
  return {
    async reply(messages, seed, signal) {
      const input = messages.map(({ role, content }) => [role, content] as [string, string]);
      // Models that take a seed or a length take it as an option of the call; others do not look at it.
      const reply = await model.invoke(input, { seed, maxNewTokens, ...(signal && { signal }) } as Parameters<
        typeof model.invoke
      >[1]);
      if (reply.text.trim() !== "") return reply.text;
      // A small model may put everything into its thinking section.
      return String(reply.additional_kwargs["reasoning_content"] ?? "");
    },
    async fits(messages) {
      const { maxInputTokens } = model.profile;
      if (maxInputTokens === undefined) return true;
      const counts = await Promise.all(messages.map(({ content }) => model.getNumTokens(content)));
      const length = counts.reduce((sum, count) => sum + count + TEMPLATE_TOKENS, 0);
      return length + maxNewTokens <= maxInputTokens;
    },
  };
}
