/** @file A prompt as tokens: through the chat template, or as it is. */
import type { ChatTemplate } from "./chat-template.js";
import type { Prompt } from "./conversation.js";
import { withBos } from "./token-ids.js";
import type { Tokenizer } from "./tokenizer.js";
import type { ChatMessage } from "./types.js";

/**
 * What a prompt is that is a string. `chat`: what the user says; the chat template puts it into a turn. `raw`: text that
 * is rendered already (or meant for a model without turns), as TRL takes every string.
 */
export type PromptFormat = "chat" | "raw";

export interface PromptOptions {
  readonly tokenizer: Tokenizer;
  readonly template?: ChatTemplate;
  readonly promptFormat?: PromptFormat;
}

/** Tokens of everything before the reply. A conversation whose last turn is the assistant's stays open: the reply continues it. */
export function promptIds(prompt: Prompt, { tokenizer, template, promptFormat = "chat" }: PromptOptions): Int32Array {
  if (typeof prompt === "string" && promptFormat === "raw") {
    const ids = tokenizer.encode(prompt);
    return tokenizer.addsBos ? withBos(ids, tokenizer) : ids;
  }
  if (template === undefined) {
    throw new Error(
      "the model has no chat template, which conversations need; take an instruct model, or prompts as raw text (prompt_format: raw)",
    );
  }
  const messages: readonly ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const open = messages.at(-1)?.role === "assistant";
  const rendered = template.render(messages, { addGenerationPrompt: !open, continueFinalMessage: open });
  return withBos(tokenizer.encode(rendered), tokenizer);
}
