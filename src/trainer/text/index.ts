/** @file The door of the text room. */
export { type ChatTemplate, createChatTemplate, loadChatTemplate, type RenderOptions } from "./chat-template.js";
export { NANO_CHAT_TEMPLATE, NANO_EOS_TOKEN, NANO_PAD_TOKEN, NANO_SPECIAL_TOKENS } from "./nano-format.js";
export { createTokenizerFiles, type TokenizerFiles } from "./nano-tokenizer.js";
export { type PreferencePair, type Provenance, preferencePairSchema, provenanceSchema } from "./preference-pair.js";
export type { ReplyMask } from "./reply-labels.js";
export { encodeMarked } from "./segments.js";
export { extractSection, PROMPT_SUFFIX, prefilledThinking, REFLECT, THINKING } from "./thinking-markers.js";
export { concatIds, withBos } from "./token-ids.js";
export {
  type PairText,
  type TokenizedPairs,
  type TokenizePairOptions,
  tokenizePair,
  tokenizePairs,
} from "./tokenize-pair.js";
export { type TokenizeTextOptions, tokenizeChat, tokenizeText } from "./tokenize-text.js";
export { createTokenizer, loadTokenizer, type Tokenizer } from "./tokenizer.js";
export {
  type TokenizerConfigOptions,
  type TrainBpeOptions,
  tokenizerConfigJson,
  trainByteLevelBpe,
} from "./train-tokenizer.js";
export type {
  ChatMessage,
  DropReason,
  LabelledTokens,
  Section,
  SectionMarkers,
  TokenizedPair,
  TokenizeOutcome,
} from "./types.js";
