/** @file The words of a text, the same way for questions and passages: how lexical retrieval and embedding cut them. */

export const WORD_PATTERN = /[\p{L}\p{M}\p{N}]+/gu;
/** Scripts that put no space between words are taken two characters at a time. */
export const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

/** Neighbouring characters of a run without spaces; a single one stays itself. */
export function characterPairs(surface: string): string[] {
  const characters = [...surface];
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, i) => `${characters[i]}${character}`);
}

/** Compatibility forms and capitals count as one: "ﬁbre" and "FIBRE" are "fibre". In order, repeated ones repeated. */
export function wordsOf(text: string): string[] {
  const surfaces = text.normalize("NFKC").toLowerCase().match(WORD_PATTERN) ?? [];
  return surfaces.flatMap((surface) => (UNSPACED.test(surface) ? characterPairs(surface) : surface));
}
