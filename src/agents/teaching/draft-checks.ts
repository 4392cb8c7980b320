/** @file What makes a question or a chosen reply unfit for training, in words. */
import type { WrittenAnswer } from "../answer-writer.js";
import { questionProblems, replyProblems } from "../question-checks.js";

export interface DraftProblem {
  /** The same for all drafts with this kind of problem, so that it can be counted. */
  readonly reason: string;
  readonly detail: string;
}

/** The first problem of the question or of what was written to it; undefined where both may be used. */
export function draftProblem(question: string, written: WrittenAnswer): DraftProblem | undefined {
  const [asked] = questionProblems(question, { answer: written.answer });
  if (asked !== undefined) return { reason: `the question is unfit: ${asked.kind}`, detail: asked.text };
  const [replied] = replyProblems(written);
  if (replied !== undefined) return { reason: `the chosen reply is unfit: ${replied.kind}`, detail: replied.text };
  return undefined;
}
