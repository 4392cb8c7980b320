/** @file The words of a text and how much each tells, the same way for questions and passages, vectors and word search. */

// How much a word tells about what a text is about, where no corpus can be counted.
export const STOP_WORD = 0.05;
export const WORD = 1;
/** Capitalised inside a sentence, or with a digit: a name. */
const NAME = 4;
/** Capitalised where a sentence starts: a name or not. */
const MAYBE_NAME = 2.5;

const STOP_WORDS = new Set(
  `a about above after again all also am an and any are as at be because been before being below between both but by can
  could did do does doing down during each either every few for from further give given had has have having he her here hers
  him his how i if in into is it its itself just let like made make many may me might more most much must my name no nor not
  now of off on once one only or other our out over own per same say she should so some such tell than that the their them
  then there these they this those through to too under until up us use used using very was we were what when where whether
  which while who whom whose why will with within without would you your`.split(/\s+/),
);

const WORD_PATTERN = /[\p{L}\p{M}\p{N}]+/gu;
/** Scripts that put no space between words are taken two characters at a time. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

export interface Token {
  /** Lower case; compatibility forms count as one: "ﬁbre" and "FIBRE" are "fibre". */
  readonly word: string;
  readonly weight: number;
}

/** The words of `tokens` alone, which is what a passage is indexed by: many times faster. */
export function wordsOf(text: string): string[] {
  const normal = text.normalize("NFKC");
  const surfaces = normal.match(WORD_PATTERN) ?? [];
  if (!UNSPACED.test(normal)) return surfaces.map((surface) => surface.toLowerCase());
  const words = (surface: string) =>
    UNSPACED.test(surface) ? Array.from(pairs(surface), ({ word }) => word) : [surface.toLowerCase()];
  return surfaces.flatMap(words);
}

/** In the order of the text, repeated words repeated. */
export function* tokens(text: string): Generator<Token> {
  const normal = text.normalize("NFKC");
  let end = 0;
  for (const match of normal.matchAll(WORD_PATTERN)) {
    const surface = match[0];
    const gap = normal.slice(end, match.index);
    const startsSentence = end === 0 || /[.!?:\n]/.test(gap);
    end = match.index + surface.length;
    if (UNSPACED.test(surface)) yield* pairs(surface);
    else yield { word: surface.toLowerCase(), weight: weightOf(surface, startsSentence) };
  }
}

function* pairs(surface: string): Generator<Token> {
  const characters = [...surface];
  if (characters.length === 1) yield { word: surface, weight: WORD };
  for (let i = 0; i + 1 < characters.length; i++) yield { word: `${characters[i]}${characters[i + 1]}`, weight: WORD };
}

function weightOf(surface: string, startsSentence: boolean): number {
  if (STOP_WORDS.has(surface.toLowerCase())) return STOP_WORD;
  if (/\p{N}/u.test(surface)) return surface.length > 2 ? NAME : WORD;
  if (!/^\p{Lu}/u.test(surface)) return surface.length < 2 ? STOP_WORD : WORD;
  return startsSentence ? MAYBE_NAME : NAME;
}
