/** @file Text to unit vectors by hashing its words: offline, deterministic, needs no model and no corpus statistics. */

import type { Embedder } from "./types.js";
import { STOP_WORD, type Token, tokens, WORD } from "./words.js";

/** Changes whenever vectors change, so that a stored collection is never mixed with new ones. */
const VERSION = 1;
const DIMENSIONS = 1024;
/** Each feature goes to this many places with signs: two features are alike in one place often, in all four hardly ever. */
const PLACES = 4;

// Of the weight of its word.
const STEM = 0.5;
const BIGRAM = 0.4;

/** `dimensions` at least 256, so that a name is told from a thousand others. */
export function createLexicalEmbedder(dimensions = DIMENSIONS): Embedder {
  if (!Number.isInteger(dimensions) || dimensions < 256) {
    throw new Error(`lexical embedder: ${dimensions} dimensions; expected a whole number of at least 256`);
  }
  return {
    name: `lexical-v${VERSION}-${dimensions}`,
    dimensions,
    embed: async (texts) => texts.map((text) => embedText(text, dimensions)),
  };
}

function embedText(text: string, dimensions: number): Float32Array {
  const sums = new Float64Array(dimensions);
  for (const [feature, { weight, count }] of features(text)) {
    const value = weight * (1 + Math.log(count));
    for (let place = 0; place < PLACES; place++) {
      const hash = hash32(feature, place);
      const at = (hash >>> 1) % dimensions;
      sums[at] = (sums[at] ?? 0) + (hash & 1 ? value : -value);
    }
  }
  return normalised(sums);
}

type Features = Map<string, { weight: number; count: number }>;

function features(text: string): Features {
  const found: Features = new Map();
  const put = (feature: string, weight: number) => {
    const entry = found.get(feature);
    if (entry === undefined) found.set(feature, { weight, count: 1 });
    else {
      entry.weight = Math.max(entry.weight, weight);
      entry.count++;
    }
  };
  let previous: Token | undefined;
  for (const token of tokens(text)) {
    put(token.word, token.weight);
    if (token.weight > STOP_WORD) put(`~${stem(token.word)}`, Math.min(token.weight, WORD) * STEM);
    if (previous) put(`${previous.word} ${token.word}`, Math.min(previous.weight, token.weight) * BIGRAM);
    previous = token;
  }
  // A text without words still needs a direction: all such texts share this one.
  if (found.size === 0) put("", WORD);
  return found;
}

/** Cuts common English endings, so that "fibres" meets "fibre"; the full word is a feature of its own. */
function stem(word: string): string {
  if (word.length < 5) return word.replace(/s$/, "");
  return word
    .replace(/(?:ies|ied)$/, "y")
    .replace(/(?:ing|edly|ed|ly|es|s)$/, "")
    .replace(/e$/, "");
}

/** FNV-1a over UTF-16 units, then murmur3's finisher, so that neighbouring words land far apart. */
function hash32(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed + 1, 0x9e3779b1)) >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function normalised(sums: Float64Array): Float32Array {
  let squares = 0;
  for (const value of sums) squares += value * value;
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  return Float32Array.from(sums, (value) => value * scale);
}
