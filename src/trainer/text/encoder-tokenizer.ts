/** @file The tokenizer of a text encoder (BERT's WordPiece): text to ids with the special tokens around it, cut to a length. */
import { resolve } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { readJsonObject } from "./tokenizer.js";

export interface EncoderTokenizer {
  /** Ids with the special tokens around them; the end of the text is cut off where they would be more than `maxTokens`. */
  encode(text: string, maxTokens?: number): Int32Array;
  /** Tokens that the tokenizer itself puts around a text. */
  readonly specialTokens: number;
  /** Highest id + 1. */
  readonly vocabSize: number;
  /** model_max_length, where tokenizer_config.json has one. */
  readonly maxTokens?: number;
}

/** Loads tokenizer.json of `dir`, and what tokenizer_config.json says about letters, as transformers does. */
export async function loadEncoderTokenizer(dir: string): Promise<EncoderTokenizer> {
  const path = resolve(dir);
  const [json, config] = await Promise.all([
    readJsonObject(path, "tokenizer.json"),
    readJsonObject(path, "tokenizer_config.json"),
  ]);
  return createEncoderTokenizer(json, config, path);
}

/** As loadEncoderTokenizer, from the content of the two files; `source` names them in errors. */
export function createEncoderTokenizer(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  source: string,
): EncoderTokenizer {
  const normalizer = json["normalizer"];
  if (!isObject(json["model"]) || json["model"]["type"] !== "WordPiece" || !isBertNormalizer(normalizer)) {
    throw new Error(
      `${source}: tokenizer.json holds ${typeOf(json["model"])} behind ${typeOf(normalizer)}; ` +
        "expected WordPiece behind BertNormalizer, which is what BERT models come with",
    );
  }
  const inner = new HuggingFaceTokenizer({ added_tokens: [], decoder: null, ...json }, config);
  const letters = letterSettings(normalizer, config);
  // The library calls what stands here with a text.
  Object.assign(inner, { normalizer: (text: string) => normalized(text, letters) });
  const plain = (text: string): number[] => inner.encode(text, { add_special_tokens: false }).ids;
  const around = inner.encode("", { add_special_tokens: true }).ids;
  const before = sharedStart(around, inner.encode("a", { add_special_tokens: true }).ids, plain("a").length);
  const longest = config["model_max_length"];
  return {
    ...(typeof longest === "number" && longest > 0 && { maxTokens: longest }),
    specialTokens: around.length,
    vocabSize: 1 + [...inner.get_vocab().values()].reduce((a, b) => Math.max(a, b), -1),
    encode(text, maxTokens = Number.POSITIVE_INFINITY) {
      const room = Math.max(0, maxTokens - around.length);
      return Int32Array.from([...around.slice(0, before), ...plain(text).slice(0, room), ...around.slice(before)]);
    },
  };
}

/** How many of the special tokens stand in front of a text. */
function sharedStart(around: readonly number[], withText: readonly number[], textLength: number): number {
  let before = 0;
  while (before < around.length && around[before] === withText[before]) before += 1;
  const fits = around.slice(before).every((id, i) => id === withText[before + textLength + i]);
  if (!fits) throw new Error("internal: the special tokens do not stand around the text");
  return before;
}

interface LetterSettings {
  readonly cleanText: boolean;
  readonly spaceIdeographs: boolean;
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}

/** What tokenizer_config.json says wins over tokenizer.json. */
function letterSettings(
  normalizer: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
): LetterSettings {
  const choose = (own: unknown, other: unknown, otherwise: boolean): boolean =>
    typeof own === "boolean" ? own : typeof other === "boolean" ? other : otherwise;
  const lowercase = choose(config["do_lower_case"], normalizer["lowercase"], true);
  return {
    cleanText: choose(undefined, normalizer["clean_text"], true),
    spaceIdeographs: choose(config["tokenize_chinese_chars"], normalizer["handle_chinese_chars"], true),
    stripAccents: choose(config["strip_accents"], normalizer["strip_accents"], lowercase),
    lowercase,
  };
}

/**
 * The library's works on UTF-16 units and lowers whole texts: rare ideographs, a sigma at a word's end and a dotted capital
 * I came out otherwise than in Python. Here each character is taken by itself, and accents go before letters are lowered.
 */
function normalized(text: string, { cleanText, spaceIdeographs, stripAccents, lowercase }: LetterSettings): string {
  let out = text;
  if (cleanText) out = out.replace(UNWANTED, "").replace(/\p{White_Space}/gu, " ");
  if (spaceIdeographs) out = out.replace(IDEOGRAPH, " $& ");
  if (stripAccents) out = out.normalize("NFD").replace(/\p{Mn}/gu, "");
  return lowercase ? Array.from(out, (character) => character.toLowerCase()).join("") : out;
}

/** Controls but tab and line ends, formats, private use; NUL and the replacement character. */
const UNWANTED = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]/gu;
/** The blocks that BERT's own tokenizer calls Chinese characters. */
const IDEOGRAPH =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isBertNormalizer(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && value["type"] === "BertNormalizer";
}

const typeOf = (value: unknown): string => (isObject(value) ? String(value["type"]) : "nothing");
