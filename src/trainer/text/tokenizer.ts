/** @file The tokenizer of a checkpoint directory: text to ids and back, nothing added on the way. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { type TokenPieces, tokenPieces } from "./token-pieces.js";

export interface Tokenizer {
  /** Adds no special tokens; those that stand in `text` are recognised. */
  encode(text: string): Int32Array;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  /** Id of a token as the vocabulary spells it. */
  tokenId(token: string): number | undefined;
  /** Highest id + 1. */
  readonly vocabSize: number;
  readonly bosTokenId?: number;
  readonly eosTokenId: number;
  readonly padTokenId?: number;
  /** Whether this tokenizer itself puts BOS in front of plain text. */
  readonly addsBos: boolean;
  /** What each token adds to a text; absent for a decoder that is not known to work token by token. */
  readonly pieces?: TokenPieces;
}

/** Loads tokenizer.json and tokenizer_config.json of `dir`. Throws where they are missing or cannot be used piece by piece. */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const path = resolve(dir);
  const json = await readJsonObject(path, "tokenizer.json");
  const config = await readJsonObject(path, "tokenizer_config.json");
  return createTokenizer(json, config, path);
}

/** As loadTokenizer, from the content of the two files; `source` names them in errors. */
export function createTokenizer(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  source: string,
): Tokenizer {
  const inner = construct(json, config, source);
  const idOf = (key: string): number | undefined => {
    const token = tokenText(config[key]);
    return token === undefined ? undefined : inner.token_to_id(token);
  };
  const eosTokenId = idOf("eos_token");
  if (eosTokenId === undefined) {
    throw new Error(
      `${source}: tokenizer_config.json has no eos_token of the vocabulary; add one, replies end with it`,
    );
  }
  const bosTokenId = idOf("bos_token");
  const padTokenId = idOf("pad_token");
  const encode = (text: string): Int32Array =>
    text === "" ? new Int32Array(0) : Int32Array.from(inner.encode(text, { add_special_tokens: false }).ids);
  const decode = (ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string =>
    ids.length === 0
      ? ""
      : inner.decode(Array.from(ids), {
          skip_special_tokens: options?.skipSpecialTokens ?? false,
          clean_up_tokenization_spaces: false,
        });
  if (decode([...encode("a"), ...encode("b")]) !== "ab") {
    throw new Error(
      `${source}: this tokenizer adds a space in front of each piece of text (SentencePiece with a prefix), ` +
        `which would change texts that are tokenized in segments; use a model with a byte-level tokenizer`,
    );
  }
  const addedTokens = new Set([...inner.get_added_tokens_decoder().values()].map(({ content }) => content));
  const token = (id: number): string | undefined => inner.id_to_token(id) ?? inner.model.unk_token;
  const pieces = tokenPieces({ token, decode: (id) => decode([id]), decoder: json["decoder"], addedTokens });
  return {
    encode,
    decode,
    tokenId: (token) => inner.token_to_id(token),
    vocabSize: 1 + [...inner.get_vocab().values()].reduce((a, b) => Math.max(a, b), -1),
    ...(bosTokenId === undefined ? {} : { bosTokenId }),
    eosTokenId,
    ...(padTokenId === undefined ? {} : { padTokenId }),
    addsBos: bosTokenId !== undefined && inner.encode("a").ids[0] === bosTokenId,
    ...(pieces === undefined ? {} : { pieces }),
  };
}

function construct(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  source: string,
): HuggingFaceTokenizer {
  const whole = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...json,
  };
  try {
    return new HuggingFaceTokenizer(whole, config);
  } catch (cause) {
    throw new Error(`${source}: tokenizer.json cannot be used: ${(cause as Error).message}`, { cause });
  }
}

/** A special token in tokenizer_config.json is a string or {content}; absent and null mean none. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "content" in value && typeof value.content === "string") {
    return value.content;
  }
  return undefined;
}

/** One JSON file of a checkpoint directory. */
export async function readJsonObject(dir: string, file: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(dir, file), "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new Error(`${dir} lacks ${file}; download it from where the model came from`, { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${join(dir, file)} is not JSON: ${(cause as Error).message}; download it again`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${join(dir, file)}: expected a JSON object`);
  }
  return value as Record<string, unknown>;
}
