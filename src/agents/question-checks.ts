/** @file What is wrong with a question or a chosen reply, by rules alone: no model, no store, no state. */
import { REFLECT, THINKING } from "../trainer/index.js";
import { isRefusal } from "./calls/refusal.js";
import type { Passage } from "./corpus/types.js";
import { contentWords } from "./support.js";

export interface Problem<Kind extends string> {
  readonly kind: Kind;
  /** What is wrong, in words that can stand in a journal. */
  readonly text: string;
}

export type QuestionProblem = Problem<
  | "empty"
  | "quotes-source"
  | "no-question"
  | "several-questions"
  | "too-short"
  | "too-long"
  | "leaks-answer"
  | "off-topic"
>;

export interface QuestionCheckOptions {
  /** The answer, or a reference; without it nothing can be said to leak. */
  readonly answer?: string;
  /** What the question was asked from. */
  readonly passages?: readonly Pick<Passage, "text">[];
  /** What a closed question lets choose from: it names its answer on purpose. */
  readonly candidates?: readonly string[];
}

/** Fewer words leave no room for what the question is about. */
export const LEAST_QUESTION_WORDS = 4;
/** Longer than any question of an examination; what is longer tells a story or an answer. */
export const MOST_QUESTION_WORDS = 80;

/**
 * A question leaks its answer where at least this share of the answer's content words stands in it, so that the answer can
 * be read off. High, because an answer restates its question and one new word may be all it adds ("The stiffness class of
 * Veltrin is firm."): with fewer than twenty content words every single one must stand in the question.
 */
export const LEAK_SHARE = 0.95;

/** All problems of a question; none where it may be asked. Counts words between spaces, so it fits languages with spaces. */
export function questionProblems(question: string, options: QuestionCheckOptions = {}): QuestionProblem[] {
  const text = question.replace(/\s+/g, " ").trim();
  if (text === "") return [{ kind: "empty", text: "the question is empty" }];
  return [
    ...formProblems(text),
    ...sourceProblems(text),
    ...leakProblems(text, options),
    ...topicProblems(text, options),
  ];
}

/** Examination style without a question mark. */
const IMPERATIVE =
  /^(?:explain|describe|compare|derive|discuss|name|list|state|give|show|calculate|estimate|predict|outline|justify|determine|identify)\b/i;

function formProblems(text: string): QuestionProblem[] {
  const problems: QuestionProblem[] = [];
  const marks = text.match(/\?+/g)?.length ?? 0;
  if (marks === 0 && !IMPERATIVE.test(text)) {
    problems.push({ kind: "no-question", text: "it has no question mark and begins with no task" });
  }
  if (marks > 1) problems.push({ kind: "several-questions", text: `it asks ${marks} questions` });
  const words = text.split(" ").length;
  if (words < LEAST_QUESTION_WORDS) {
    problems.push({ kind: "too-short", text: `it has ${words} words, fewer than ${LEAST_QUESTION_WORDS}` });
  }
  if (words > MOST_QUESTION_WORDS) {
    problems.push({ kind: "too-long", text: `it has ${words} words, more than ${MOST_QUESTION_WORDS}` });
  }
  return problems;
}

const DETERMINER = "(?:the|this|these|that|those|both|provided|given|above|following|retrieved|source)";
const REPORTS =
  "(?:says?|states?|reports?|describes?|mentions?|shows?|argues?|suggests?|presents?|discuss(?:es)?|propos(?:es?|ed)|found|find)";

/**
 * Words that point at a source. The first group always does ("the context", but not "the context of"); the second also
 * names things of its own (paper is a material), so it needs "in the …" or "the … states".
 */
const SOURCE_PATTERNS: readonly RegExp[] = [
  new RegExp(
    `\\b${DETERMINER} (?:\\w+ )?(?:contexts?|passages?|excerpts?|texts?|paragraphs?|authors?|snippets?)\\b(?! of\\b)`,
    "i",
  ),
  /\b(?:in|by|from|per|to|within) (?:the|this|these) (?:\w+ )?(?:papers?|articles?|stud(?:y|ies)|documents?|chapters?|figures?|tables?|reviews?|sources?)\b(?! of\b)/i,
  new RegExp(
    `\\b(?:the|this) (?:papers?|articles?|stud(?:y|ies)|documents?|chapters?|figures?|tables?|reviews?|sources?|researchers?) ${REPORTS}\\b`,
    "i",
  ),
  /\b(?:Figure|Fig\.|Table|Eq\.|Equation|Ref\.|Section|Chapter) ?\(?\d/,
  /\bet al\b/i,
  /\b(?:mentioned|described|stated|discussed|listed) (?:above|below|earlier|here|previously)\b/i,
  /\baccording to (?:the|this|these) (?:\w+ )?(?:work|research|authors?|findings|experiments?)\b/i,
];

/** The words by which a text points at a source that its reader does not have. */
export function pointsAtSource(text: string): string | undefined {
  return SOURCE_PATTERNS.map((pattern) => pattern.exec(text)?.[0]).find((match) => match !== undefined);
}

function sourceProblems(text: string): QuestionProblem[] {
  const quote = pointsAtSource(text);
  return quote === undefined ? [] : [{ kind: "quotes-source", text: `it points at a source: "${quote}"` }];
}

function leakProblems(text: string, { answer, candidates = [] }: QuestionCheckOptions): QuestionProblem[] {
  if (answer === undefined || isClosedChoice(text, candidates)) return [];
  const asked = new Set(contentWords(text));
  const words = [...new Set(contentWords(answer))].filter((word) => !FILLER.has(word));
  if (words.length === 0) return [];
  const held = words.filter((word) => asked.has(word)).length;
  if (held / words.length < LEAK_SHARE) return [];
  return [{ kind: "leaks-answer", text: `${held} of the answer's ${words.length} content words stand in it` }];
}

/** Says that, not what. */
const FILLER = new Set(contentWords("yes indeed correct right due answer"));

/** A question that names what it lets choose from: "which of A and B", "A or B?", or two of the candidates. */
function isClosedChoice(text: string, candidates: readonly string[]): boolean {
  const lower = text.toLowerCase();
  const named = candidates.filter((candidate) => lower.includes(candidate.toLowerCase())).length;
  return named >= 2 || /\b(?:which (?:one )?of|whether|either)\b|\bor\b[^?]*\?$/i.test(text);
}

function topicProblems(text: string, { passages = [] }: QuestionCheckOptions): QuestionProblem[] {
  if (passages.length === 0) return [];
  const known = new Set(passages.flatMap((passage) => contentWords(passage.text)));
  if (contentWords(text).some((word) => known.has(word))) return [];
  return [{ kind: "off-topic", text: "none of its content words stands in the passages" }];
}

export type ReplyProblem = Problem<
  "empty-thinking" | "empty-reflection" | "empty-answer" | "quotes-source" | "marker" | "repetition" | "refusal"
>;

/** A chosen reply in its parts, each without delimiters. */
export interface ReplyToCheck {
  readonly thinking: string;
  readonly reflection?: string;
  readonly answer: string;
}

/** All problems of a chosen reply; none where a model may learn from it. */
export function replyProblems({ thinking, reflection, answer }: ReplyToCheck): ReplyProblem[] {
  const parts = { thinking, ...(reflection !== undefined && { reflection }), answer };
  const problems = Object.entries(parts).flatMap(([name, text]) => partProblems(name as keyof typeof parts, text));
  return isRefusal(answer) ? [...problems, { kind: "refusal", text: "the answer is a refusal" }] : problems;
}

const MARKERS = [THINKING, REFLECT, { start: "<think>", end: "</think>" }].flatMap(({ start, end }) => [start, end]);

function partProblems(name: "thinking" | "reflection" | "answer", text: string): ReplyProblem[] {
  if (!/[\p{L}\p{N}]/u.test(text)) return [{ kind: `empty-${name}`, text: `the ${name} is empty` }];
  const quote = pointsAtSource(text);
  const marker = MARKERS.find((candidate) => text.includes(candidate));
  const loop = repeatedWords(text);
  return [
    ...(quote === undefined
      ? []
      : [{ kind: "quotes-source", text: `the ${name} points at a source: "${quote}"` } as const]),
    ...(marker === undefined ? [] : [{ kind: "marker", text: `${marker} stands within the ${name}` } as const]),
    ...(loop === undefined ? [] : [{ kind: "repetition", text: `the ${name} repeats "${loop}"` } as const]),
  ];
}

/** This many copies in a row are no style. */
const LEAST_COPIES = 4;
/** Copies together must have this many words, so that "very, very, very, very" may stand. */
const LEAST_REPEATED_WORDS = 12;
/** Longer cycles are rare and cost time. */
const LONGEST_CYCLE = 40;

/** Words that stand `LEAST_COPIES` times in a row, as a model writes them that cannot stop; undefined where there are none. */
export function repeatedWords(text: string): string | undefined {
  const words = text.toLowerCase().match(/\S+/g) ?? [];
  for (let cycle = 1; cycle <= Math.min(LONGEST_CYCLE, words.length / LEAST_COPIES); cycle++) {
    const needed = Math.max(LEAST_COPIES * cycle, LEAST_REPEATED_WORDS) - cycle;
    for (let at = cycle, same = 0; at < words.length; at++) {
      same = words[at] === words[at - cycle] ? same + 1 : 0;
      if (same >= needed) return words.slice(at - cycle + 1, at + 1).join(" ");
    }
  }
  return undefined;
}
