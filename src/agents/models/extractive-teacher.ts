/** @file A teacher that needs no model: question, thinking and answer are built from retrieved sentences, word for word. */
import { basename, extname } from "node:path";
import { LEXICAL_RIGHT, wordOverlap } from "../lexical-judge.js";
import { readSection, type ThinkingCategory } from "../prompts.js";
import { createRng } from "../rng.js";
import { contentWords, type SupportingSentence, sentences, support } from "../support.js";
import {
  allPassages,
  type JobReply,
  type JobTurn,
  ProgrammaticChatModel,
  type SeenPassage,
} from "./programmatic-chat-model.js";
import { aboutTitle, type SentenceQuestion, sentenceQuestion } from "./sentence-question.js";

/** What it writes is extracted, not reasoned: its name says so in every provenance. */
export function createExtractiveTeacher(): ProgrammaticChatModel {
  const reply = (turn: JobTurn): JobReply => {
    if (turn.job === "write-question") return { submit: { question: extractQuestion(turn) } };
    if (turn.job === "write-answer") return extractAnswer(turn);
    if (turn.job === "write-wrong-answer") return extractWrongAnswer(turn);
    throw new Error(
      `the extractive teacher writes questions and answers, found the job ${turn.job}: use a critic for it`,
    );
  };
  return new ProgrammaticChatModel({ name: "extractive-teacher", reply });
}

/** One of the sentences that a pattern turns into a question; causes and effects before mere statements. */
function extractQuestion({ user, context }: JobTurn): string {
  const topic = new Set(contentWords(readSection(user, "topic") ?? ""));
  const all = context.flatMap((passage) => questionsOf(passage));
  const causal = all.filter(({ quality }) => quality === "causal");
  const good = causal.length > 0 ? causal : all;
  const onTopic = good.filter(({ question }) => contentWords(question).some((word) => topic.has(word)));
  const choices = onTopic.length > 0 ? onTopic : good;
  if (choices.length === 0)
    throw new Error("no sentence of the passages makes a self-contained question: draw other passages");
  // In an order of their own, so that variations that follow each other ask different questions until all were asked.
  const questions = [...new Set(choices.map(({ question }) => question))];
  const order = createRng(0, "extractive-questions", ...questions).shuffle(questions);
  const variation = Number(readSection(user, "variation") ?? 0);
  return order[variation % order.length] as string;
}

function questionsOf(passage: SeenPassage): SentenceQuestion[] {
  const title = titleOf(passage);
  return sentences(passage.text).flatMap((sentence) => {
    const made = sentenceQuestion(sentence);
    return made === undefined ? [] : [{ ...made, question: aboutTitle(made.question, title) }];
  });
}

/** The passage's own heading, or the document's file name in words; empty where that says nothing. */
function titleOf({ text, source }: SeenPassage): string {
  const heading = /^#\s+(.+)$/m.exec(text)?.[1]?.trim();
  const name = basename(source, extname(source)).replace(/[-_]+/g, " ").trim();
  const title = heading ?? name;
  return /^[\p{L}][\p{L} '’]{3,60}$/u.test(title) ? title : "";
}

/** Retrieves with the question, then with the sentence that answers it, and orders what was found. */
function extractAnswer(turn: JobTurn): JobReply {
  const question = readSection(turn.user, "question") ?? "";
  if (turn.canRetrieve && !turn.queries.includes(question)) return { retrieve: question };
  const found = support(allPassages(turn)).filter(isWhole);
  const key = nearest(found, new Set(contentWords(question)));
  if (key === undefined)
    throw new Error("the retrieved passages hold no sentence that answers the question: ingest more text");
  if (turn.canRetrieve && !turn.queries.includes(key.text)) return { retrieve: key.text };
  const related = ranked(found, key, question).filter(({ text }) => text !== key.text);
  const [supporting] = related;
  const answer = supporting === undefined ? key.text : `${key.text} ${supporting.text}`;
  const shown = related.slice(0, MOST_SENTENCES);
  const reflection = readSection(turn.user, "reflection") === undefined ? {} : { reflection: lookBack(key, shown) };
  return { submit: { thinking: layOutThinking(shown, key), ...reflection, answer } };
}

/** A sentence of the passages that is about the question, where there is one, and that the lexical judge would not take for its answer. */
function extractWrongAnswer({ user, context }: JobTurn): JobReply {
  const [question = "", reference = ""] = [readSection(user, "question"), readSection(user, "answer")];
  const wanted = new Set(contentWords(question));
  const answers = (answer: string): boolean =>
    reference.includes(answer) || wordOverlap({ question, answer, reference }) >= LEXICAL_RIGHT;
  const wrong = support(context).filter((sentence) => canStandAlone(sentence) && !answers(sentence.text));
  const about = wrong.filter((sentence) => shared(sentence, wanted) > 0);
  const texts = [...new Set((about.length > 0 ? about : wrong).map(({ text }) => text))];
  if (texts.length === 0) throw new Error("the passages hold no sentence that does not answer the question");
  const order = createRng(0, "extractive-wrong-answers", question, ...texts).shuffle(texts);
  return { submit: { answer: order[Number(readSection(user, "variation") ?? 0) % order.length] } };
}

/** All that can be said without judging: which statement the answer rests on, and whether it stands alone. */
function lookBack(key: SupportingSentence, related: readonly SupportingSentence[]): string {
  const others = related.filter(({ passage }) => passage !== key.passage).length;
  const stands =
    others > 0
      ? `${others} of the other statements ${others === 1 ? "comes" : "come"} from elsewhere.`
      : "No statement from elsewhere stands beside it.";
  return `The answer rests on one statement: "${key.text}" ${stands}`;
}

/** A passage that was cut can begin or end within a sentence. */
const isWhole = ({ text, words }: SupportingSentence): boolean =>
  words.size >= 3 && /^["'“]?[\p{Lu}\d].*[.!?]["'”)]?$/su.test(text);

const canStandAlone = (sentence: SupportingSentence): boolean =>
  isWhole(sentence) && sentence.words.size <= MOST_WORDS && !DANGLING.test(sentence.text);

/** Content words of a sentence that is quoted beside others. */
const MOST_WORDS = 30;

/** Longer thinking repeats the passages rather than leading anywhere. */
const MOST_SENTENCES = 5;

/** The sentence that holds the largest share of the wanted words; the earliest of equals. */
function nearest(found: readonly SupportingSentence[], wanted: ReadonlySet<string>): SupportingSentence | undefined {
  const scored = found.map((candidate) => ({ candidate, score: shared(candidate, wanted) }));
  const best = scored.reduce<(typeof scored)[number] | undefined>(
    (a, b) => (a === undefined || b.score > a.score ? b : a),
    undefined,
  );
  return best === undefined || best.score === 0 ? undefined : best.candidate;
}

/** One word in common is chance. */
const LEAST_COMMON_WORDS = 2;

const shared = ({ words }: SupportingSentence, wanted: ReadonlySet<string>): number =>
  [...wanted].filter((word) => words.has(word)).length;

/** What stands nearest to the key sentence and the question, best first, each text once. */
function ranked(found: readonly SupportingSentence[], key: SupportingSentence, question: string): SupportingSentence[] {
  const wanted = new Set([...key.words, ...contentWords(question)]);
  const unique = [...new Map(found.map((candidate) => [candidate.text, candidate])).values()];
  return unique
    .filter(canStandAlone)
    .map((candidate) => ({ candidate, common: shared(candidate, wanted) }))
    .filter(({ common }) => common >= LEAST_COMMON_WORDS)
    .map(({ candidate, common }) => ({ candidate, score: common / Math.sqrt(candidate.words.size) }))
    .sort((a, b) => b.score - a.score)
    .map(({ candidate }) => candidate);
}

/** A sentence that leans on the one before it says little on its own. */
const DANGLING = /^(?:This|These|Those|Such|It|They|Its|Their|He|She|However|But|And|So|Then|Another|Others)\b/;

const CATEGORY_SIGNS: readonly (readonly [ThinkingCategory, RegExp])[] = [
  [
    "Relevant Materials or Concepts",
    /\b(?:is|are) (?:a|an|the)\b|\b(?:consists? of|contains?|made of|composed of|called|known as)\b/i,
  ],
  [
    "Material Properties",
    /\b(?:strength|strong|stiff\w*|tough\w*|modulus|hard\w*|\w*pascals?|[GM]Pa|elastic\w*|strain|energy|densit\w*|brittle|ductil\w*)\b/i,
  ],
  [
    "Design Principles",
    /\b(?:arrang\w*|layer\w*|hierarch\w*|structur\w*|gradients?|architectur\w*|orient\w*|stagger\w*|interfaces?|twist\w*|spacing|level|scale)\b/i,
  ],
];

/** The related sentences under the titles that fit them, then the steps that end in the key sentence. */
function layOutThinking(related: readonly SupportingSentence[], key: SupportingSentence): string {
  const byCategory = new Map<ThinkingCategory, string[]>();
  const put = (category: ThinkingCategory, text: string): void => {
    byCategory.set(category, [...(byCategory.get(category) ?? []), text]);
  };
  for (const { text } of related) put(categoryOf(text), text);
  put("Reasoning Steps", key.text);
  const order: readonly ThinkingCategory[] = [
    "Relevant Materials or Concepts",
    "Material Properties",
    "Design Principles",
    "Additional Background",
    "Reasoning Steps",
  ];
  return order
    .flatMap((category) => {
      const texts = byCategory.get(category);
      return texts === undefined ? [] : [[`**${category}**`, ...texts.map((text) => `- ${text}`)].join("\n")];
    })
    .join("\n");
}

function categoryOf(text: string): ThinkingCategory {
  if (/\b(?:because|so that|therefore|leads? to|results? in|when|if|causes?)\b|, so\b/i.test(text))
    return "Reasoning Steps";
  return CATEGORY_SIGNS.find(([, sign]) => sign.test(text))?.[0] ?? "Additional Background";
}
