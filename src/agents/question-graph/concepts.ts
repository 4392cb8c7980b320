/** @file What a text is about, found without a model: names, headings and repeated words. Knows no graph. */
import { sentences } from "../support.js";
import { isCapitalised, plain, runs, singular, type Word, words } from "./words.js";

export interface ConceptMention {
  /** Identifies the concept: the same name in two texts is the same concept. */
  readonly name: string;
  /** How often the text mentions it. */
  readonly count: number;
}

/** Must be a function of the text alone, or graphs are no longer repeatable. */
export type ExtractConcepts = (text: string) => readonly ConceptMention[];

/** Longest phrase that counts as one concept, in words. */
export const LONGEST_PHRASE = 3;
/** What is named once in passing is no subject; what comes back is. */
const REPEATED = 2;
const SHORTEST_WORD = 3;

/**
 * Names (capitalised within a sentence), the phrases of Markdown headings, and nouns as far as that shows without a model:
 * words and pairs that come back, adverbs and participles in -ed left out. Headings and names first, then by count, then
 * by place. In scripts that put no space between words a whole run counts as a word: give another extractor for those.
 */
export function extractConcepts(text: string): ConceptMention[] {
  const normal = plain(text);
  const lines = sentences(normal).map(words);
  const headings = [...normal.matchAll(/^\s*#{1,6}\s+(.+)$/gm)].map((match) => words(match[1] ?? ""));
  const strong = new Map<string, number>();
  for (const heading of headings) for (const phrase of phrasesIn(heading)) count(strong, phrase);
  for (const name of namesIn(lines)) count(strong, name);
  const repeated = new Map<string, number>();
  for (const line of [...headings, ...lines]) for (const phrase of wordsAndPairs(line)) count(repeated, phrase);
  const mentions = [...strong].map(([name, n]) => ({ name, count: Math.max(n, repeated.get(name) ?? 0) }));
  const others = [...repeated]
    .filter(([name, n]) => n >= REPEATED && !strong.has(name))
    .map(([name, n]) => ({ name, count: n }));
  return [...mentions.sort(byCount), ...others.sort(byCount)];
}

/** Phrases of a text that `isKnown` says are concepts, with their counts: how a text finds what others are about. */
export function knownConcepts(text: string, isKnown: (name: string) => boolean): ConceptMention[] {
  const found = new Map<string, number>();
  for (const run of runs(words(plain(text)), (word) => word.content)) {
    for (let i = 0; i < run.length; i++) {
      for (let length = 1; length <= LONGEST_PHRASE && i + length <= run.length; length++) {
        const part = run.slice(i, i + length);
        const name = [...new Set([asWritten(part), phraseOf(part)])].find(isKnown);
        if (name !== undefined) count(found, name);
      }
    }
  }
  return [...found].map(([name, n]) => ({ name, count: n }));
}

const byCount = (a: ConceptMention, b: ConceptMention): number => b.count - a.count;

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

const asWritten = (run: readonly Word[]): string => run.map((word) => word.lower).join(" ");
const phraseOf = (run: readonly Word[]): string => run.map((word) => singular(word.lower)).join(" ");

/** Names of all sentences. A sentence's first word is capitalised anyway: it counts where it is a name elsewhere, too. */
function namesIn(lines: readonly Word[][]): string[] {
  const isName = (word: Word, index: number) =>
    index > 0 && word.content && isCapitalised(word.text) && word.text.length >= 2;
  const inside = lines.flatMap((line) => runs(line, isName)).filter((run) => run.length <= LONGEST_PHRASE);
  const names = inside.map(asWritten);
  const single = new Set(inside.filter((run) => run.length === 1).map(asWritten));
  const openers = lines.map((line) => line[0]?.lower).filter((lower) => lower !== undefined && single.has(lower));
  return [...names, ...(openers as string[])];
}

function phrasesIn(heading: readonly Word[]): string[] {
  return runs(heading, isNounLike)
    .filter((run) => run.length <= LONGEST_PHRASE)
    .map(phraseOf);
}

function wordsAndPairs(line: readonly Word[]): string[] {
  return runs(line, isNounLike).flatMap((run) =>
    run.flatMap((word, i) => [phraseOf([word]), ...(i > 0 ? [phraseOf(run.slice(i - 1, i + 1))] : [])]),
  );
}

const isNounLike = ({ lower, content }: Word): boolean =>
  content && lower.length >= SHORTEST_WORD && !/(?:ly|ed)$/.test(lower) && !/^\p{N}+$/u.test(lower);
