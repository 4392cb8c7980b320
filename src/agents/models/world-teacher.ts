/** @file The materials world's teacher as a chat model: it sees passages only, never the world's tables. */
import { type Allowed, followUpQuery, layOut, queriesFor, writeQuestion } from "../environments/index.js";
import { readSection } from "../prompts.js";
import { createRng } from "../rng.js";
import { allPassages, type JobReply, type JobTurn, ProgrammaticChatModel } from "./programmatic-chat-model.js";

export interface WorldTeacherOptions {
  /** False for everything that is held out: such a question is never asked. */
  readonly allowed: Allowed;
}

export function createWorldTeacher({ allowed }: WorldTeacherOptions): ProgrammaticChatModel {
  const reply = (turn: JobTurn): JobReply => {
    if (turn.job === "write-question") return { submit: { question: worldQuestion(turn, allowed) } };
    if (turn.job === "write-answer") return worldAnswer(turn);
    throw new Error(`the world's teacher writes questions and answers, found the job ${turn.job}: use a critic for it`);
  };
  return new ProgrammaticChatModel({ name: "world-teacher", reply });
}

function worldQuestion({ user, context }: JobTurn, allowed: Allowed): string {
  const variation = Number(readSection(user, "variation") ?? 0);
  const topic = readSection(user, "topic")?.toLowerCase();
  const pick = createRng(variation, "world-question").int;
  const question =
    (topic !== undefined
      ? writeQuestion(context, pick, (...of) => allowed(...of) && isOfTopic(topic, ...of))
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

/** Retrieves with the question, for facts that are still missing, and for the rule; then lays out what was found. */
function worldAnswer(turn: JobTurn): JobReply {
  const question = readSection(turn.user, "question") ?? "";
  const passages = allPassages(turn);
  if (!turn.queries.includes(question) && turn.canRetrieve) return { retrieve: question };
  const layout = layOut(question, passages);
  if (layout.kind === "laid-out") return { submit: { thinking: layout.thinking, answer: layout.answer } };
  const followUp = followUpQuery(question, passages);
  const wanted = followUp === undefined ? queriesFor(question) : [followUp];
  const next = wanted.find((query) => !turn.queries.includes(query));
  if (next !== undefined && turn.canRetrieve) return { retrieve: next };
  throw new Error(`the retrieved passages do not settle ${layout.what.join(", ")}`);
}
