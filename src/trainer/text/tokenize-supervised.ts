/** @file Supervised texts to labelled tokens: replies behind their prompts, raw text in pieces, or packed into full rows. */
import type { Prompt } from "./conversation.js";
import { type PromptOptions, promptIds } from "./prompt-ids.js";
import { encodeMarked } from "./segments.js";
import type { SupervisedText } from "./supervised-row.js";
import { concatIds } from "./token-ids.js";
import { keepEnd, MIN_PROMPT_TOKENS, named } from "./tokenize-pair.js";
import { tokenizeText } from "./tokenize-text.js";
import type { DropReason, LabelledTokens, SectionMarkers } from "./types.js";

export interface TokenizeSupervisedOptions extends PromptOptions {
  readonly maxPromptLength: number;
  /** Tokens of one row of the result. */
  readonly maxLength: number;
  /** Raw texts follow one another, EOS between them, and are cut into rows of `maxLength`; otherwise each starts a row. */
  readonly packing: boolean;
  readonly markers: SectionMarkers;
}

export interface TokenizedTexts {
  readonly texts: readonly LabelledTokens[];
  /** Which rows lost something, by their place in the list. */
  readonly drops: readonly { readonly row: number; readonly reason: DropReason }[];
  /** Prompts that lost their beginning. */
  readonly promptCut: number;
}

/**
 * Tokens of every row. A conversation gives one text for each reply in it, with everything before as its prompt, since
 * templates render earlier turns otherwise than the last; only the reply is a target. Of raw text nothing is lost.
 */
export function tokenizeSupervised(
  rows: readonly SupervisedText[],
  options: TokenizeSupervisedOptions,
): TokenizedTexts {
  const texts: LabelledTokens[] = [];
  const drops: { row: number; reason: DropReason }[] = [];
  const documents: LabelledTokens[] = [];
  let promptCut = 0;
  rows.forEach((row, i) => {
    if (row.kind === "text") documents.push(tokenizeText(row.text, options.tokenizer));
    for (const { prompt, reply } of exchangesOf(row)) {
      const outcome = named(row, i, () => tokenizeReply(prompt, reply, options));
      if (typeof outcome === "string") drops.push({ row: i, reason: outcome });
      else {
        texts.push(outcome.tokens);
        if (outcome.promptCut) promptCut++;
      }
    }
  });
  texts.push(...(options.packing ? packTexts(documents, options.maxLength) : cutTexts(documents, options.maxLength)));
  return { texts, drops, promptCut };
}

/** Texts one after the other, cut into rows of `maxLength` tokens. The last row may be shorter. */
export function packTexts(texts: readonly LabelledTokens[], maxLength: number): LabelledTokens[] {
  return rowsOf(concatIds(...texts.map(({ ids }) => ids)), maxLength);
}

/** Each text in rows of its own. */
function cutTexts(texts: readonly LabelledTokens[], maxLength: number): LabelledTokens[] {
  return texts.flatMap(({ ids }) => rowsOf(ids, maxLength));
}

/** The first token of a row has nothing before it, so it is no target; a row of one token would have none. */
function rowsOf(ids: Int32Array, maxLength: number): LabelledTokens[] {
  const rows: LabelledTokens[] = [];
  for (let from = 0; from + 1 < ids.length; from += maxLength) {
    const row = ids.slice(from, from + maxLength);
    if (row.length > 1) rows.push({ ids: row, labels: new Uint8Array(row.length).fill(1, 1) });
  }
  return rows;
}

interface Exchange {
  readonly prompt: Prompt;
  readonly reply: string;
}

function exchangesOf(row: SupervisedText): Exchange[] {
  if (row.kind === "text") return [];
  if (row.kind === "completion") return [{ prompt: row.prompt, reply: row.completion }];
  return row.messages.flatMap(({ role, content }, i) =>
    role === "assistant" && i > 0 ? [{ prompt: row.messages.slice(0, i), reply: content }] : [],
  );
}

function tokenizeReply(
  prompt: Prompt,
  text: string,
  options: TokenizeSupervisedOptions,
): DropReason | { readonly tokens: LabelledTokens; readonly promptCut: boolean } {
  const { tokenizer, maxLength, maxPromptLength } = options;
  const reply = encodeMarked(text, options.markers, tokenizer);
  const length = reply.ids.length + 1;
  if (length >= maxLength) return (reply.ends.at(-1)?.to ?? 0) >= maxLength ? "end-marker-cut" : "answer-too-long";
  const whole = promptIds(prompt, options);
  const room = Math.min(maxPromptLength, maxLength - length);
  if (room < Math.min(whole.length, MIN_PROMPT_TOKENS)) return "prompt-too-long";
  const kept = keepEnd(whole, room, tokenizer);
  const ids = concatIds(kept, reply.ids, [tokenizer.eosTokenId]);
  return {
    tokens: { ids, labels: new Uint8Array(ids.length).fill(1, kept.length) },
    promptCut: kept.length < whole.length,
  };
}
