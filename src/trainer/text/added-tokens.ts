/** @file A copy of a checkpoint's tokenizer in which markers (or any texts) are single tokens, with ids behind the last one. */
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { REFLECT, THINKING } from "./thinking-markers.js";
import { createTokenizer, readJsonObject } from "./tokenizer.js";

/** Start and end of the thinking and the reflection section. */
export const MARKER_TOKENS: readonly string[] = [THINKING.start, THINKING.end, REFLECT.start, REFLECT.end];

export interface AddTokensOptions {
  /** Default {@link MARKER_TOKENS}. */
  readonly tokens?: readonly string[];
  /** Special tokens are left out where a decoder skips them; false keeps them in the text. Default true. */
  readonly special?: boolean;
}

export interface AddedTokens {
  /** In the order of `tokens`: LoRA's `trainableTokenIndices`. */
  readonly ids: readonly number[];
  /** Those that the tokenizer knew before, and which keep their ids. */
  readonly known: readonly string[];
  /** Highest id + 1. */
  readonly vocabSize: number;
}

/** What a tokenizer directory may hold beside the two files that are rewritten. Slow tokenizers' files know no added tokens. */
const COMPANIONS = ["chat_template.jinja", "special_tokens_map.json"];

/**
 * Writes the tokenizer of `source` with added tokens into `target`. New ids follow the highest one, so that an embedding
 * with spare rows (Qwen's has hundreds) gives them these rows, and other embeddings grow. `loadTokenizer(target)` then
 * has one token for each.
 */
export async function writeAddedTokens(
  source: string,
  target: string,
  { tokens = MARKER_TOKENS, special = true }: AddTokensOptions = {},
): Promise<AddedTokens> {
  const json = await readJsonObject(source, "tokenizer.json");
  const config = await readJsonObject(source, "tokenizer_config.json");
  const before = createTokenizer(json, config, source);
  if (tokens.length === 0 || tokens.includes("") || new Set(tokens).size < tokens.length) {
    throw new Error(`tokens to add must be different texts, none of them empty; found ${JSON.stringify(tokens)}`);
  }
  const known = tokens.filter((token) => before.tokenId(token) !== undefined);
  const added = tokens
    .filter((token) => !known.includes(token))
    .map((content, i) => addedToken(before.vocabSize + i, content, special));
  const newJson = { ...json, added_tokens: [...((json["added_tokens"] ?? []) as unknown[]), ...added] };
  const newConfig = withAdded(config, added, special);
  const after = createTokenizer(newJson, newConfig, target);
  const ids = tokens.map((token) => soleId(after.encode(token), token, source));
  await mkdir(target, { recursive: true });
  await writeFile(join(target, "tokenizer.json"), `${JSON.stringify(newJson)}\n`);
  await writeFile(join(target, "tokenizer_config.json"), `${JSON.stringify(newConfig, null, 2)}\n`);
  const present = new Set(await readdir(source));
  for (const file of COMPANIONS.filter((name) => present.has(name)))
    await copyFile(join(source, file), join(target, file));
  return { ids, known, vocabSize: after.vocabSize };
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: false;
  readonly lstrip: false;
  readonly rstrip: false;
  /** false: found in the text as it stands, before any normalisation. */
  readonly normalized: false;
  readonly special: boolean;
}

function addedToken(id: number, content: string, special: boolean): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

/** transformers 4 writes a table of added tokens and a list of special ones; where they are kept, they must be complete. */
function withAdded(
  config: Readonly<Record<string, unknown>>,
  added: readonly AddedToken[],
  special: boolean,
): Record<string, unknown> {
  const next = { ...config };
  const table = config["added_tokens_decoder"];
  if (typeof table === "object" && table !== null) {
    next["added_tokens_decoder"] = { ...table, ...Object.fromEntries(added.map(({ id, ...token }) => [id, token])) };
  }
  const list = config["additional_special_tokens"];
  if (special && Array.isArray(list)) {
    next["additional_special_tokens"] = [...list, ...added.map(({ content }) => content)];
  }
  return next;
}

function soleId(ids: Int32Array, token: string, source: string): number {
  const [id] = ids;
  if (ids.length === 1 && id !== undefined) return id;
  throw new Error(
    `${source}: ${JSON.stringify(token)} is in the vocabulary but text with it becomes ${ids.length} tokens; choose another marker`,
  );
}
