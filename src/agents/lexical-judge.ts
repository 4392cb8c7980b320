/** @file A judge that needs no model: content words of the answer against those of a reference. */
import { type AnswerToJudge, type Judge, judgeOn } from "./judge.js";
import { contentWords } from "./support.js";

/** An answer with at least this F1 against the reference is right. Set by hand; see `createLexicalJudge`. */
export const LEXICAL_RIGHT = 0.5;
/** F1 values that are nearer than this are a tie. */
export const LEXICAL_TIE = 0.05;

/**
 * A judge that needs no model: F1 of content words between answer and reference, words of the question left out, because
 * both restate it; where the reference has no other words (a closed choice), all count. It sees words, not meaning: synonyms
 * count as wrong, and a wrong relation between right words as right. Negation counts as a word.
 */
export function createLexicalJudge({ threshold = LEXICAL_RIGHT }: { readonly threshold?: number } = {}): Judge {
  if (!(threshold > 0 && threshold <= 1))
    throw new Error(`threshold: expected above 0 and up to 1, found ${threshold}`);
  return judgeOn({
    name: "lexical-judge",
    async compare({ question, a, b, reference }) {
      if (reference === undefined) {
        return { winner: "unjudged", reason: "the lexical judge compares with a reference, and none was given" };
      }
      const [ofA, ofB] = [a, b].map((answer) => wordOverlap({ question, answer, reference })) as [number, number];
      const winner = Math.abs(ofA - ofB) < LEXICAL_TIE ? "tie" : ofA > ofB ? "a" : "b";
      return { winner, reason: `F1 ${ofA.toFixed(2)} and ${ofB.toFixed(2)} against the reference` };
    },
    async mark(input) {
      const f1 = wordOverlap(input);
      return { verdict: f1 >= threshold ? "right" : "wrong", reason: `F1 ${f1.toFixed(2)} against the reference` };
    },
  });
}

/** F1 in [0, 1] of the content words that answer and reference add to the question. */
export function wordOverlap({ question, answer, reference }: AnswerToJudge): number {
  const asked = new Set(comparedWords(question));
  const added = (text: string): Set<string> => new Set(comparedWords(text).filter((word) => !asked.has(word)));
  const closed = added(reference).size === 0;
  const wordsOf = closed ? (text: string) => new Set(comparedWords(text)) : added;
  const [said, wanted] = [wordsOf(answer), wordsOf(reference)];
  const shared = [...said].filter((word) => wanted.has(word)).length;
  return said.size + wanted.size === 0 ? 0 : (2 * shared) / (said.size + wanted.size);
}

const comparedWords = (text: string): string[] => [
  ...contentWords(text),
  ...(/\b(?:not|no|never|cannot|neither)\b|n['’]t\b/i.test(text) ? ["not"] : []),
];
