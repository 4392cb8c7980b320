/** @file What a model answers to a set of questions, and how right that is. */
import type { EnvironmentQuestion } from "../../dist/agents/environments/index.js";
import { replies, type Student } from "../../dist/agents/index.js";
import { PROMPT_SUFFIX } from "../../dist/trainer/index.js";
import type { Lab } from "./lab.js";

export interface Answered {
  readonly question: EnvironmentQuestion;
  readonly reply: string;
  readonly right: boolean;
  readonly markable: boolean;
  readonly thinkingRight: boolean | undefined;
}

const MAX_NEW_TOKENS = 160;

/** Greedy, closed-book. `asked` appends the request to think. */
export async function answer(
  { student, world }: Pick<Lab, "student" | "world">,
  questions: readonly EnvironmentQuestion[],
  asked: boolean,
): Promise<Answered[]> {
  const found = await greedy(
    student,
    questions.map(({ text }) => text + (asked ? PROMPT_SUFFIX : "")),
  );
  return questions.map((question, i) => {
    const reply = found[i] as string;
    return { question, reply, ...world.check(question, reply) };
  });
}

async function greedy(student: Student, prompts: readonly string[]): Promise<string[]> {
  const turns = prompts.map((prompt) => ({ prompt, seed: 0 }));
  const found = await replies(student, turns, { maxNewTokens: MAX_NEW_TOKENS, temperature: 0, topP: 1 });
  return found.map(({ text }) => text);
}

export const share = (of: readonly unknown[], all: readonly unknown[]): number =>
  all.length === 0 ? Number.NaN : of.length / all.length;
