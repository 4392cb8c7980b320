/** @file Text to unit vectors by hashing its words: offline, deterministic, needs no model and no corpus statistics. */

import type { Embedder } from "./types.js";
import { characterPairs, UNSPACED, WORD_PATTERN } from "./words.js";

/** Changes whenever vectors change, so that a stored collection is never mixed with new ones. */
const VERSION = 1;
const DIMENSIONS = 1024;
/** Each feature goes to this many places with signs: two features are alike in one place often, in all four hardly ever. */
const PLACES = 4;

// How much a word tells about what a text is about, where no corpus can be counted.
const STOP_WORD = 0.05;
const WORD = 1;
/** Capitalised inside a sentence, or with a digit: a name. */
const NAME = 4;
/** Capitalised where a sentence starts: a name or not. */
const MAYBE_NAME = 2.5;
const STEM = 0.5;
const BIGRAM = 0.4;

const STOP_WORDS = new Set(
  `a about above after again all also am an and any are as at be because been before being below between both but by can
  could did do does doing down during each either every few for from further give given had has have having he her here hers
  him his how i if in into is it its itself just let like made make many may me might more most much must my name no nor not
  now of off on once one only or other our out over own per same say she should so some such tell than that the their them
  then there these they this those through to too under until up us use used using very was we were what when where whether
  which while who whom whose why will with within without would you your`.split(/\s+/),
);

interface Token {
  readonly word: string;
  readonly weight: number;
}

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

function* tokens(text: string): Generator<Token> {
  const normal = text.normalize("NFKC");
  let end = 0;
  for (const match of normal.matchAll(WORD_PATTERN)) {
    const surface = match[0];
    const gap = normal.slice(end, match.index);
    const startsSentence = end === 0 || /[.!?:\n]/.test(gap);
    end = match.index + surface.length;
    if (UNSPACED.test(surface)) yield* characterPairs(surface).map((word) => ({ word, weight: WORD }));
    else yield { word: surface.toLowerCase(), weight: weightOf(surface, startsSentence) };
  }
}

function weightOf(surface: string, startsSentence: boolean): number {
  if (STOP_WORDS.has(surface.toLowerCase())) return STOP_WORD;
  if (/\p{N}/u.test(surface)) return surface.length > 2 ? NAME : WORD;
  if (!/^\p{Lu}/u.test(surface)) return surface.length < 2 ? STOP_WORD : WORD;
  return startsSentence ? MAYBE_NAME : NAME;
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
