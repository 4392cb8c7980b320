/** @file A retrieval critic for any text, without a model: sentences stand or fall by their lexical support. */
import { readAnswers, readSection } from "../prompts.js";
import { contentWords, isSupported, type SupportingSentence, sentences, support } from "../support.js";
import { allPassages, type JobReply, type JobTurn, ProgrammaticChatModel } from "./programmatic-chat-model.js";

export function createTextCritic(): ProgrammaticChatModel {
  return new ProgrammaticChatModel({ name: "lexical-critic", reply });
}

function reply(turn: JobTurn): JobReply {
  const question = readSection(turn.user, "question") ?? "";
  const thinking = readSection(turn.user, "thinking") ?? "";
  switch (turn.job) {
    case "give-feedback":
      return { submit: { feedback: feedbackOn(question, thinking, support(allPassages(turn))) } };
    case "improve-thinking":
      return { submit: { thinking: improve(question, thinking, support(allPassages(turn))), complete: true } };
    case "integrate-answers":
      return { submit: { answer: merge(readAnswers(turn.user)) } };
    default:
      throw new Error(`the lexical critic criticises, found the job ${turn.job}: use a teacher for it`);
  }
}

function feedbackOn(question: string, thinking: string, supporting: readonly SupportingSentence[]): string {
  const unsupported = sentences(thinking).filter((sentence) => !isSupported(sentence, supporting));
  const [first, ...others] = unsupported;
  if (first === undefined) return "Every sentence is supported by the passages; nothing needs to change.";
  const better = replacement(first, question, thinking, supporting);
  const put = better === undefined ? "Leave it out." : `Put in its place: "${better}"`;
  return [
    `Not supported by the passages: "${first}" ${put}`,
    ...others.map((s) => `Not supported, leave it out: "${s}"`),
  ].join("\n");
}

/** Puts the best supporting sentence in place of the first unsupported one, drops the others, keeps lines and titles. */
function improve(question: string, thinking: string, supporting: readonly SupportingSentence[]): string {
  const unsupported = sentences(thinking).filter((sentence) => !isSupported(sentence, supporting));
  const [first] = unsupported;
  const better = first === undefined ? undefined : replacement(first, question, thinking, supporting);
  const lines = thinking
    .split("\n")
    .map((line) =>
      unsupported.reduce(
        (rest, sentence) => rest.replace(sentence, () => (sentence === first ? (better ?? "") : "")),
        line,
      ),
    );
  const improved = withoutEmptyTitles(lines).join("\n").replace(/ {2,}/g, " ").trim();
  return improved === "" ? thinking : improved;
}

/** The retrieved sentence that shares most words with what it replaces and with the question, and is not there yet. */
function replacement(
  sentence: string,
  question: string,
  thinking: string,
  supporting: readonly SupportingSentence[],
): string | undefined {
  const wanted = new Set([...contentWords(sentence), ...contentWords(question)]);
  const shared = (candidate: SupportingSentence): number =>
    [...wanted].filter((word) => candidate.words.has(word)).length;
  const free = supporting.filter(({ text }) => !thinking.includes(text));
  const [best] = free
    .map((candidate) => ({ text: candidate.text, shared: shared(candidate) }))
    .sort((a, b) => b.shared - a.shared);
  return best === undefined || best.shared === 0 ? undefined : best.text;
}

const isTitle = (line: string | undefined): boolean =>
  line !== undefined && /^\s*(?:#{1,6}\s|\*\*[^*]+\*\*:?\s*$)/.test(line);

/** Lines that lost their text go, and so do titles under which nothing is left. */
function withoutEmptyTitles(lines: readonly string[]): string[] {
  const full = lines.filter((line) => /[\p{L}\p{N}]/u.test(line.replace(/^\s*(?:[-*+]|\d+[.)])\s*/, "")));
  return full.filter((line, i) => !isTitle(line) || (i + 1 < full.length && !isTitle(full[i + 1])));
}

/** Every sentence of the answers once, in order. */
function merge(answers: readonly string[]): string {
  return [...new Set(answers.flatMap(sentences))].join(" ");
}
