/** @file The door of the text room. */
export { type AddedTokens, type AddTokensOptions, MARKER_TOKENS, writeAddedTokens } from "./added-tokens.js";
export {
  type ChatTemplate,
  createChatTemplate,
  findChatTemplate,
  loadChatTemplate,
  type RenderOptions,
  type TemplateMessage,
} from "./chat-template.js";
export type { Prompt } from "./conversation.js";
export type { RowProblem, RowUnit } from "./dataset-rows.js";
export { createEncoderTokenizer, type EncoderTokenizer, loadEncoderTokenizer } from "./encoder-tokenizer.js";
export { NANO_CHAT_TEMPLATE, NANO_EOS_TOKEN, NANO_PAD_TOKEN, NANO_SPECIAL_TOKENS } from "./nano-format.js";
export { createTokenizerFiles, type TokenizerFiles } from "./nano-tokenizer.js";
export { nearest } from "./nearest.js";
export { type PreferencePair, type Provenance, preferencePairSchema, provenanceSchema } from "./preference-pair.js";
export type { PreferenceText } from "./preference-row.js";
export type { PromptFormat } from "./prompt-ids.js";
export { type Dataset, parsePreferences, parseSupervised, readPreferences, readSupervised } from "./read-dataset.js";
export type { ReplyMask } from "./reply-labels.js";
export { createRng, type Rng } from "./rng.js";
export { encodeMarked } from "./segments.js";
export { createStopSearch, type StopSearch } from "./stop-strings.js";
export type { SupervisedText } from "./supervised-row.js";
export { createTextScan, type ScanHit, type TextScan } from "./text-scan.js";
export { extractSection, PROMPT_SUFFIX, prefilledThinking, REFLECT, THINKING } from "./thinking-markers.js";
export { createThinkingSplit, type SectionText, type ThinkingSplit } from "./thinking-split.js";
export { concatIds, withBos } from "./token-ids.js";
export type { TokenPiece, TokenPieces } from "./token-pieces.js";
export { createTokenStream, type TokenStream } from "./token-stream.js";
export {
  leftOutLines,
  type PreferenceTokens,
  type SupervisedTokens,
  tokenizePreferences,
  tokenizeTexts,
} from "./tokenize-dataset.js";
export {
  type PairText,
  type TokenizedPairs,
  type TokenizePairOptions,
  tokenizePair,
  tokenizePairs,
} from "./tokenize-pair.js";
export { packTexts, type TokenizeSupervisedOptions, tokenizeSupervised } from "./tokenize-supervised.js";
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
