/** @file Words of a text as the question graph sees them: Unicode-aware, with their places, told apart from function words. */
import { contentWords } from "../support.js";

export interface Word {
  /** As written, without a possessive ending. */
  readonly text: string;
  readonly lower: string;
  /** False for articles, pronouns, auxiliaries and the like. */
  readonly content: boolean;
  /** True where only white space or a hyphen stands between this word and the one before. */
  readonly joined: boolean;
}

const WORD = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:[-'][\p{L}\p{N}][\p{L}\p{M}\p{N}]*)*/gu;

/** One spelling for what looks the same: composed letters, plain apostrophes. */
export const plain = (text: string): string => text.normalize("NFKC").replace(/[’ʼ]/g, "'");

/** The words of a plain text, in order. */
export function words(text: string): Word[] {
  let end = 0;
  return Array.from(text.matchAll(WORD), (match) => {
    const written = match[0].replace(/'s$/i, "");
    const lower = written.toLowerCase();
    const joined = end > 0 && text.slice(end, match.index).trim() === "";
    end = match.index + match[0].length;
    return { text: written, lower, content: contentWords(lower).length > 0, joined };
  });
}

/** Maximal runs of words that nothing separates and that `belongs` takes. */
export function runs(all: readonly Word[], belongs: (word: Word, index: number) => boolean): Word[][] {
  const found: Word[][] = [];
  let open: Word[] | undefined;
  for (const [index, word] of all.entries()) {
    if (!belongs(word, index)) {
      open = undefined;
    } else if (open !== undefined && word.joined) {
      open.push(word);
    } else {
      open = [word];
      found.push(open);
    }
  }
  return found;
}

/** English plural endings taken off, nothing else, so that the word stays readable: "tablets" → "tablet", "axis" stays. */
export function singular(lower: string): string {
  if (lower.length > 4 && lower.endsWith("ies")) return `${lower.slice(0, -3)}y`;
  if (lower.length > 4 && /(?:ss|x|ch|sh)es$/.test(lower)) return lower.slice(0, -2);
  return lower.length > 3 && /[^aius]s$/.test(lower) ? lower.slice(0, -1) : lower;
}

/** The stem by which `contentWords` compares. Words with combining marks stay whole: it would cut them there. */
export function stemOf(lower: string): string {
  return /\p{M}/u.test(lower) ? lower : contentWords(lower).join("");
}

export const isCapitalised = (word: string): boolean => /^\p{Lu}/u.test(word);

/** Order of UTF-16 units: the same on every machine, unlike that of a locale. */
export const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
