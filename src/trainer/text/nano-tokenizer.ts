/** @file The tokenizer files of the project's own small model, made from its texts. */
import { NANO_CHAT_TEMPLATE, NANO_EOS_TOKEN, NANO_PAD_TOKEN, NANO_SPECIAL_TOKENS } from "./nano-format.js";
import { tokenizerConfigJson, trainByteLevelBpe } from "./train-tokenizer.js";

/** Merges by frequency before whole words: enough for common endings, few enough to keep the embedding small. */
const FREQUENT_MERGES = 400;

export interface TokenizerFiles {
  /** File name to content. */
  readonly contents: Readonly<Record<string, string>>;
  readonly vocabSize: number;
  readonly eosTokenId: number;
}

/** Trains a byte-level BPE in which each of `wholeWords` is one token, with the chat template and markers of nano. */
export function createTokenizerFiles(
  texts: readonly string[],
  wholeWords: readonly string[],
  modelMaxLength: number,
): TokenizerFiles {
  const specialTokens = NANO_SPECIAL_TOKENS;
  const tokenizer = trainByteLevelBpe({ texts, specialTokens, wholeWords, extraMerges: FREQUENT_MERGES });
  const config = tokenizerConfigJson({
    specialTokens,
    eosToken: NANO_EOS_TOKEN,
    padToken: NANO_PAD_TOKEN,
    modelMaxLength,
    chatTemplate: NANO_CHAT_TEMPLATE,
  });
  const { vocab } = (tokenizer as { model: { vocab: Record<string, number> } }).model;
  const ids = [...Object.values(vocab), ...specialTokens.map((_, i) => i)];
  return {
    contents: {
      "tokenizer.json": `${JSON.stringify(tokenizer)}\n`,
      "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
      "chat_template.jinja": NANO_CHAT_TEMPLATE,
    },
    vocabSize: Math.max(...ids) + 1,
    eosTokenId: specialTokens.indexOf(NANO_EOS_TOKEN),
  };
}
