/** @file Conversations and plain texts to labelled tokens, for supervised training. */
import type { ChatTemplate } from "./chat-template.js";
import { concatIds, withBos } from "./token-ids.js";
import type { Tokenizer } from "./tokenizer.js";
import type { ChatMessage, LabelledTokens } from "./types.js";

/**
 * A conversation that ends with the assistant's reply. Labels are set on the reply and the EOS after it. The reply does
 * not pass through the template (templates trim, and some drop thinking sections): it follows the generation prompt as it is.
 */
export function tokenizeChat(
  messages: readonly ChatMessage[],
  { tokenizer, template }: { readonly tokenizer: Tokenizer; readonly template: ChatTemplate },
): LabelledTokens {
  const reply = messages.at(-1);
  if (reply?.role !== "assistant") {
    throw new Error(`the last message must be the assistant's reply, found ${reply?.role ?? "no message"}`);
  }
  const rendered = template.render(messages.slice(0, -1), { addGenerationPrompt: true });
  const prompt = withBos(tokenizer.encode(rendered), tokenizer);
  const ids = concatIds(prompt, tokenizer.encode(reply.content), [tokenizer.eosTokenId]);
  return { ids, labels: new Uint8Array(ids.length).fill(1, prompt.length) };
}

export interface TokenizeTextOptions {
  /** Closes the text; default EOS, null for nothing. */
  readonly endTokenId?: number | null;
}

/** A plain text, all of it a target (but for the first token, which nothing precedes). BOS only where the tokenizer adds it. */
export function tokenizeText(text: string, tokenizer: Tokenizer, options: TokenizeTextOptions = {}): LabelledTokens {
  const end = options.endTokenId === undefined ? tokenizer.eosTokenId : options.endTokenId;
  const body = tokenizer.encode(text);
  const started = tokenizer.addsBos ? withBos(body, tokenizer) : body;
  const ids = end === null ? started : concatIds(started, [end]);
  return { ids, labels: new Uint8Array(ids.length).fill(1, 1) };
}
