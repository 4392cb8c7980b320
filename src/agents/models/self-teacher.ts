/** @file Self-play: a model teaches itself. Given the retrieved passages it writes what it shall later write without them. */
import type { ChatMessage } from "../../trainer/index.js";
import { readSection } from "../prompts.js";
import { contentWords } from "../support.js";
import { afterSections, askForField } from "./plain-fields.js";
import type { PlainTextModel } from "./plain-text-model.js";
import { allPassages, type JobReply, type JobTurn, ProgrammaticChatModel } from "./programmatic-chat-model.js";
import { answerTurn, questionTurn, reflectionTurn, thinkingTurn, wrongAnswerTurn } from "./self-prompts.js";

export interface SelfTeacherOptions {
  readonly model: PlainTextModel;
  /** Asks where the model's own question cannot be used; named in provenance. Without it, such a draw fails. */
  readonly fallbackQuestions?: ProgrammaticChatModel;
  /** False leaves every question to `fallbackQuestions`, for environments that check what is asked. Default true. */
  readonly ownQuestions?: boolean;
  /** Default "self-play". */
  readonly name?: string;
}

/** Its name is "self-play", or "self-play(extractive questions)" where questions may be the extractive teacher's. */
export function createSelfTeacher(options: SelfTeacherOptions): ProgrammaticChatModel {
  const { name = "self-play", fallbackQuestions, ownQuestions = true } = options;
  if (!ownQuestions && fallbackQuestions === undefined) {
    throw new Error("fallbackQuestions: expected a teacher where ownQuestions is false, found none: nobody would ask");
  }
  const asker = fallbackQuestions?._llmType().replace(/-teacher$/, "");
  return new ProgrammaticChatModel({
    name: asker === undefined ? name : `${name}(${asker} questions)`,
    reply: async (turn, signal) => {
      if (turn.job === "write-question") return writeQuestion(options, turn, signal);
      if (turn.job === "write-answer") return writeAnswer(options.model, turn, signal);
      if (turn.job === "write-wrong-answer") return writeWrongAnswer(options.model, turn, signal);
      throw new Error(`${name} writes questions and answers, found the job ${turn.job}: use a critic for it`);
    },
  });
}

async function writeQuestion(
  { model, fallbackQuestions, ownQuestions = true }: SelfTeacherOptions,
  turn: JobTurn,
  signal: AbortSignal | undefined,
): Promise<JobReply> {
  if (ownQuestions) {
    const passages = turn.context.map(({ text }) => text);
    const topic = readSection(turn.user, "topic");
    const messages = (shown: readonly string[]): ChatMessage[] => [questionTurn(shown, topic)];
    const request = { field: "question", passages, leastPassages: 1, messages };
    const question = usableQuestion(await askForField(model, turn, request, signal), passages);
    if (question !== undefined) return { submit: { question } };
  }
  if (fallbackQuestions !== undefined) return fallbackQuestions.replyTo(turn, signal);
  throw new Error(
    "the model wrote no self-contained question about the passages: draw others, or name another teacher",
  );
}

/** Words that point at what the reader of a question cannot see. */
const POINTER =
  /\b(?:passages?|texts?|articles?|papers?|study|studies|context|authors?|figure|above|below|following)\b/i;
const LEAST_WORDS = 5;
const MOST_WORDS = 40;
/** Words in common with the passages; one is chance. */
const LEAST_COMMON_WORDS = 2;

/** The first question of a reply, where it is about the passages and stands on its own. */
export function usableQuestion(reply: string, passages: readonly string[]): string | undefined {
  const found = /[^\n?]*\?/.exec(afterSections(reply))?.[0] ?? "";
  const question = found
    .replace(/^.*[.!:]\s+(?=["'“]?\p{Lu})/u, "")
    .replace(/^[\s"'“*#>\-\d.)]+/, "")
    .trim();
  const words = question.split(/\s+/).length;
  if (words < LEAST_WORDS || words > MOST_WORDS || POINTER.test(question)) return undefined;
  const known = new Set(passages.flatMap(contentWords));
  const common = new Set(contentWords(question).filter((word) => known.has(word)));
  return common.size >= LEAST_COMMON_WORDS ? question : undefined;
}

/** Retrieves with the question, then asks for the thinking, for a look back at it where one is wanted, and for the answer. */
async function writeAnswer(model: PlainTextModel, turn: JobTurn, signal: AbortSignal | undefined): Promise<JobReply> {
  const question = readSection(turn.user, "question") ?? "";
  if (turn.canRetrieve && !turn.queries.includes(question)) return { retrieve: question };
  // What was found for the question comes first: a small context has no room for all.
  const found = [...turn.retrieved.flat(), ...turn.context];
  const passages = allPassages({ ...turn, context: found, retrieved: [] }).map(({ text }) => text);
  const said: ChatMessage[] = [];
  const ask = async (field: string, next?: ChatMessage): Promise<string> => {
    const messages = (shown: readonly string[]): ChatMessage[] => [
      thinkingTurn(shown, question),
      ...said,
      ...(next === undefined ? [] : [next]),
    ];
    const leastPassages = next === undefined ? 1 : 0;
    const text = await askForField(model, turn, { field, passages, leastPassages, messages }, signal);
    if (text === "") throw new Error(`the model wrote no ${field} for the question`);
    said.push(...(next === undefined ? [] : [next]), { role: "assistant", content: text });
    return text;
  };
  const thinking = await ask("thinking");
  const isReflected = readSection(turn.user, "reflection") !== undefined;
  const reflection = isReflected ? await ask("reflection", reflectionTurn()) : undefined;
  const answer = await ask("answer", answerTurn());
  return { submit: { thinking, ...(reflection !== undefined && { reflection }), answer } };
}

async function writeWrongAnswer(
  model: PlainTextModel,
  turn: JobTurn,
  signal: AbortSignal | undefined,
): Promise<JobReply> {
  const [question = "", right = ""] = [readSection(turn.user, "question"), readSection(turn.user, "answer")];
  const messages = (shown: readonly string[]): ChatMessage[] => [wrongAnswerTurn(shown, { question, right })];
  const passages = turn.context.map(({ text }) => text);
  const answer = await askForField(model, turn, { field: "answer", passages, leastPassages: 0, messages }, signal);
  if (answer === "") throw new Error("the model wrote no wrong answer to the question");
  return { submit: { answer } };
}
