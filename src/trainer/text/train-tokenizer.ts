/** @file Training of a byte-level BPE tokenizer, written as Hugging Face's tokenizer.json; the same input gives the same bytes. */
import { applyMerge, type BpeState, createBpeState, mostFrequentPair } from "./bpe-state.js";
import { BYTE_CHARACTERS } from "./byte-alphabet.js";

export interface TrainBpeOptions {
  readonly texts: Iterable<string>;
  /** They get the first ids, in this order, and are cut out of the texts before training. */
  readonly specialTokens: readonly string[];
  /** Each becomes one token, bare and after a space, in the forms that the texts contain. */
  readonly wholeWords: readonly string[];
  /** Merges chosen by frequency, before those that whole words still need. */
  readonly extraMerges: number;
}

/** GPT-2's split into words, as the ByteLevel pre-tokenizer applies it. */
const GPT2_WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The content of tokenizer.json. Throws for whole words that the pre-tokenizer would split. */
export function trainByteLevelBpe(options: TrainBpeOptions): Record<string, unknown> {
  checkWholeWords(options.wholeWords);
  const state = createBpeState(countWords(options.texts, options.specialTokens));
  for (let i = 0; i < options.extraMerges; i++) {
    const pair = mostFrequentPair(state, 2);
    if (!pair) break;
    applyMerge(state, pair);
  }
  mergeWholeWords(state, options.wholeWords);
  return tokenizerJson(options.specialTokens, state.merges);
}

export interface TokenizerConfigOptions {
  readonly specialTokens: readonly string[];
  readonly eosToken: string;
  readonly padToken: string;
  readonly modelMaxLength: number;
  /** Jinja; also goes into chat_template.jinja. */
  readonly chatTemplate?: string;
}

/** The content of tokenizer_config.json beside a trained tokenizer.json. */
export function tokenizerConfigJson(options: TokenizerConfigOptions): Record<string, unknown> {
  const added = options.specialTokens.map((content, id) => [String(id), specialToken(content)]);
  return {
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(added),
    bos_token: null,
    ...(options.chatTemplate === undefined ? {} : { chat_template: options.chatTemplate }),
    clean_up_tokenization_spaces: false,
    eos_token: options.eosToken,
    model_max_length: options.modelMaxLength,
    pad_token: options.padToken,
    tokenizer_class: "PreTrainedTokenizerFast",
  };
}

function checkWholeWords(words: readonly string[]): void {
  const split = words.filter(
    (word) => word.match(GPT2_WORDS)?.[0] !== word || ` ${word}`.match(GPT2_WORDS)?.length !== 1,
  );
  if (split.length > 0) {
    throw new Error(
      `these cannot become single tokens, because letters, digits and punctuation are separate words: ` +
        `${split.map((word) => JSON.stringify(word)).join(", ")}; name their parts instead`,
    );
  }
}

/** Words as byte characters, with how often each occurs. */
function countWords(texts: Iterable<string>, specialTokens: readonly string[]): Map<string, number> {
  const escaped = specialTokens.map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const specials = escaped.length > 0 ? new RegExp(escaped.join("|"), "u") : undefined;
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const part of specials ? text.split(specials) : [text]) {
      for (const word of part.match(GPT2_WORDS) ?? []) {
        const bytes = toByteChars(word);
        counts.set(bytes, (counts.get(bytes) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** Appends what each form lacks. Later merges rank after all earlier ones, so a word that is whole stays whole. */
function mergeWholeWords(state: BpeState, words: readonly string[]): void {
  for (const form of words.flatMap((word) => [toByteChars(word), toByteChars(` ${word}`)])) {
    const word = state.words.get(form);
    while (word && word.symbols.length > 1) applyMerge(state, [word.symbols[0]!, word.symbols[1]!]);
  }
}

function tokenizerJson(
  specialTokens: readonly string[],
  merges: readonly (readonly [string, string])[],
): Record<string, unknown> {
  const vocab = new Map(specialTokens.map((token, id) => [token, id]));
  const alphabet = [...BYTE_CHARACTERS].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
  for (const token of [...alphabet, ...merges.map((pair) => pair.join(""))]) {
    // The same token can come of two different pairs; it is one entry of the vocabulary.
    if (!vocab.has(token)) vocab.set(token, vocab.size);
  }
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({ id, ...specialToken(content) })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges: merges.map((pair) => pair.join(" ")),
    },
  };
}

function specialToken(content: string): Record<string, unknown> {
  return { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

function toByteChars(text: string): string {
  return Array.from(Buffer.from(text, "utf8"), (byte) => BYTE_CHARACTERS[byte]!).join("");
}
