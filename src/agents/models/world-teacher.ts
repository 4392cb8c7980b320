/** @file The materials world's teacher as a chat model: it sees passages only, never the world's tables. */
import {
  type Allowed,
  type ChoiceTopic,
  layOut,
  queriesFor,
  readChoiceTopic,
  writeChoice,
  writeQuestion,
  writeWrongAnswer,
} from "../environments/index.js";
import { readSection } from "../prompts.js";
import { createRng } from "../rng.js";
import { allPassages, type JobReply, type JobTurn, ProgrammaticChatModel } from "./programmatic-chat-model.js";

export interface WorldTeacherOptions {
  /** False for everything that is held out: such a question is never asked. */
  readonly allowed: Allowed;
}

export function createWorldTeacher({ allowed }: WorldTeacherOptions): ProgrammaticChatModel {
  const reply = (turn: JobTurn): JobReply => {
    if (turn.job === "write-question") return worldTask(turn, allowed);
    if (turn.job === "write-answer") return worldAnswer(turn);
    if (turn.job === "write-wrong-answer") return worldWrongAnswer(turn);
    throw new Error(`the world's teacher writes questions and answers, found the job ${turn.job}: use a critic for it`);
  };
  return new ProgrammaticChatModel({ name: "world-teacher", reply });
}

function worldTask(turn: JobTurn, allowed: Allowed): JobReply {
  const choice = readChoiceTopic(readSection(turn.user, "topic") ?? "");
  return choice === undefined
    ? { submit: { question: worldQuestion(turn, allowed) } }
    : worldChoice(turn, choice, allowed);
}

/** Only a topic that names it leads to a question with two candidates. Looks up what the passages lack for it. */
function worldChoice(turn: JobTurn, choice: ChoiceTopic, allowed: Allowed): JobReply {
  const pick = createRng(variationOf(turn), "world-question").int;
  const written = writeChoice(choice, allPassages(turn), pick, allowed);
  if (written.kind === "question") return { submit: { question: written.question } };
  const next = written.kind === "missing" ? written.queries.find((query) => !turn.queries.includes(query)) : undefined;
  if (next !== undefined && turn.canRetrieve) return { retrieve: next };
  const [one, other] = choice.subjects;
  throw new Error(
    written.kind === "missing"
      ? `the passages do not describe both ${one} and ${other}, or do not list the classes: choose another topic`
      : `no question may be asked about ${one} and ${other}, in this order: choose another topic`,
  );
}

const variationOf = ({ user }: JobTurn): number => Number(readSection(user, "variation") ?? 0);

function worldQuestion(turn: JobTurn, allowed: Allowed): string {
  const { user, context } = turn;
  const topic = readSection(user, "topic")?.toLowerCase();
  const pick = createRng(variationOf(turn), "world-question").int;
  const question =
    (topic !== undefined
      ? writeQuestion(context, pick, (subject, type) => allowed(subject, type) && isOfTopic(topic, subject, type))
      : undefined) ??
    // A topic in other words than a material and a class still chooses the passages.
    (topic === undefined || !namesAny(topic, context) ? writeQuestion(context, pick, allowed) : undefined);
  if (question === undefined)
    throw new Error("the passages hold no material that may be asked about: choose another topic");
  return question;
}

/** The topic names the subject and either the type or no type at all ("Veltrin", "Veltrin: stiffness class"). */
function isOfTopic(topic: string, subject: string, type: string): boolean {
  if (!hasWords(topic, subject)) return false;
  return hasWords(topic, type.replaceAll("-", " ")) || !/\bclass\b/.test(topic);
}

const hasWords = (text: string, words: string): boolean => new RegExp(`\\b${words.toLowerCase()}\\b`).test(text);

function namesAny(topic: string, passages: readonly { readonly text: string }[]): boolean {
  let named = false;
  writeQuestion(
    passages,
    () => 0,
    (subject) => {
      named ||= hasWords(topic, subject);
      return false;
    },
  );
  return named;
}

/** Retrieves with the question, then for whatever is still open; then lays out what was found, with a reflection if asked. */
function worldAnswer(turn: JobTurn): JobReply {
  const question = readSection(turn.user, "question") ?? "";
  const passages = allPassages(turn);
  if (!turn.queries.includes(question) && turn.canRetrieve) return { retrieve: question };
  const layout = layOut(question, passages, { reflection: readSection(turn.user, "reflection") !== undefined });
  if (layout.kind === "laid-out") {
    const { kind: _, ...written } = layout;
    return { submit: written };
  }
  const next = queriesFor(question, passages).find((query) => !turn.queries.includes(query));
  if (next !== undefined && turn.canRetrieve) return { retrieve: next };
  throw new Error(`the retrieved passages do not settle ${layout.what.join(", ")}`);
}

function worldWrongAnswer(turn: JobTurn): JobReply {
  const { user, context } = turn;
  const pick = createRng(variationOf(turn), "world-wrong-answer").int;
  const [question = "", right = ""] = [readSection(user, "question"), readSection(user, "answer")];
  const answer = writeWrongAnswer(question, right, context, pick);
  if (answer === undefined) throw new Error("the passages name no other class than the right one");
  return { submit: { answer } };
}
