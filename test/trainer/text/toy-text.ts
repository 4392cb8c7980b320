/** @file Small tokenizers and templates for tests: one with the markers as special tokens, one that knows them as plain text. */
import { createChatTemplate } from "../../../src/trainer/text/chat-template.js";
import {
  NANO_CHAT_TEMPLATE,
  NANO_EOS_TOKEN,
  NANO_PAD_TOKEN,
  NANO_SPECIAL_TOKENS,
} from "../../../src/trainer/text/nano-format.js";
import { createTokenizer, type Tokenizer } from "../../../src/trainer/text/tokenizer.js";
import { tokenizerConfigJson, trainByteLevelBpe } from "../../../src/trainer/text/train-tokenizer.js";

export const TEXTS = [
  "Velorite is a layered material. The layers of velorite slide, so velorite bends.",
  "Nacre is hard because its layers are stiff; nacre is tough because its layers slide.",
  "Use the layers. Which material is tough? The answer is nacre.",
];

export function toyTokenizerJson(specialTokens: readonly string[] = NANO_SPECIAL_TOKENS): Record<string, unknown> {
  return trainByteLevelBpe({
    texts: TEXTS,
    specialTokens,
    wholeWords: ["velorite", "Velorite", "nacre"],
    extraMerges: 40,
  });
}

function toy(specialTokens: readonly string[], bosToken?: string): Tokenizer {
  const config = tokenizerConfigJson({
    specialTokens,
    eosToken: NANO_EOS_TOKEN,
    padToken: NANO_PAD_TOKEN,
    modelMaxLength: 512,
  });
  return createTokenizer(toyTokenizerJson(specialTokens), { ...config, bos_token: bosToken ?? null }, "toy");
}

/** Markers are single tokens. */
export const markerTokenizer = toy(NANO_SPECIAL_TOKENS);

/** Markers are plain text of several tokens. */
export const plainTokenizer = toy(NANO_SPECIAL_TOKENS.slice(0, 4));

/** Has a BOS that its template does not write. */
export const bosTokenizer = toy(NANO_SPECIAL_TOKENS, "<|endoftext|>");

export const toyTemplate = createChatTemplate(NANO_CHAT_TEMPLATE, {}, "toy");
