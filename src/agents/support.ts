/** @file Sentences and their lexical support by passages: how any text is checked where no model is at hand. */
import type { Passage } from "./corpus/types.js";

/** Share of a sentence's content words that one passage sentence (or two neighbours) must hold for it to count as supported. */
export const SUPPORT_THRESHOLD = 0.6;

const ABBREVIATION = /\b(?:e\.g|i\.e|cf|vs|ca|approx|Fig|Dr|al|No)\.$/;

/** The sentences of a prose text; titles, list markers and Markdown decoration are left out. */
export function sentences(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split(/\n+/)) {
    const prose = plainLine(line);
    if (prose === "") continue;
    let start = 0;
    for (const match of prose.matchAll(/[.!?]["')\]]?(?=\s+["'([]?[\p{Lu}\d])/gu)) {
      const end = match.index + match[0].length;
      if (ABBREVIATION.test(prose.slice(start, end))) continue;
      found.push(prose.slice(start, end).trim());
      start = end;
    }
    found.push(prose.slice(start).trim());
  }
  return found.filter((sentence) => sentence !== "");
}

/** A line without its Markdown; empty for headings and bold titles, which state nothing. */
function plainLine(line: string): string {
  if (/^\s*#{1,6}\s/.test(line) || /^\s*\*\*[^*]+\*\*:?\s*$/.test(line)) return "";
  return line
    .replace(/^\s*(?:[-*+]|\d+[.)])\s+/, "")
    .replace(/^\s*\*\*[^*]+\*\*:?\s+/, "")
    .replace(/(\*\*|__|`)/g, "")
    .trim();
}

const STOP_WORDS = new Set(
  (
    "a an the and or but nor so yet if then than that this these those it its they them their he she we our you your i is are was were be been being " +
    "has have had do does did will would can could may might must shall should not no of in on at by for from to into onto over under with without " +
    "within between among through during as because while when where which who whom whose what why how also such each every both either more most " +
    "other some any very just only there here about up out off again further once same own too one two thus hence therefore"
  ).split(" "),
);

/** Content words, lower-cased and stripped of plural and verb endings, so that "plates" meets "plate". */
export function contentWords(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+(?:[-'][\p{L}\p{N}]+)*/gu) ?? [];
  return words.filter((word) => !STOP_WORDS.has(word)).map(stem);
}

function stem(word: string): string {
  if (word.length > 5 && word.endsWith("ing")) return word.slice(0, -3);
  if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (word.length > 4 && word.endsWith("ed")) return word.slice(0, -2);
  if (word.length > 4 && /(?:sses|xes|ches|shes)$/.test(word)) return word.slice(0, -2);
  if (word.length > 3 && word.endsWith("s") && !word.endsWith("ss")) return word.slice(0, -1);
  return word.length > 4 && word.endsWith("e") ? word.slice(0, -1) : word;
}

export interface SupportingSentence {
  readonly text: string;
  readonly passage: string;
  readonly words: ReadonlySet<string>;
}

/** Passages, cut into sentences whose words are known. */
export function support(passages: readonly Pick<Passage, "id" | "text">[]): SupportingSentence[] {
  return passages.flatMap((passage) =>
    sentences(passage.text).map((text) => ({ text, passage: passage.id, words: new Set(contentWords(text)) })),
  );
}

/** Largest share of the sentence's content words that one supporting sentence holds, in [0, 1]; 1 where there are none. */
export function supportOf(sentence: string, supporting: readonly SupportingSentence[]): number {
  const words = [...new Set(contentWords(sentence))];
  if (words.length === 0) return 1;
  let best = 0;
  for (const { words: held } of supporting) {
    let shared = 0;
    for (const word of words) if (held.has(word)) shared += 1;
    best = Math.max(best, shared / words.length);
  }
  return best;
}

export const isSupported = (sentence: string, supporting: readonly SupportingSentence[]): boolean =>
  supportOf(sentence, supporting) >= SUPPORT_THRESHOLD;

/** Share of the text's sentences that are supported, in [0, 1]; 0 where there are none. */
export function supportedShare(text: string, supporting: readonly SupportingSentence[]): number {
  const all = sentences(text);
  if (all.length === 0) return 0;
  return all.filter((sentence) => isSupported(sentence, supporting)).length / all.length;
}
