/** @file Questions to a model, closed-book: one greedy reply each, or several samples, whatever the number in few calls. */
import { createRng } from "../rng.js";
import { type Reply, type ReplyOptions, replies, type Student } from "../student.js";
import { type ThinkingMode, turnOf } from "./thinking-mode.js";

/** Who is asked: the student as it was trained, or with another adapter of its policy ("off": the bare base model). */
export interface Respondent extends Student {
  readonly adapter?: string;
}

export interface AskOptions extends Omit<ReplyOptions, "adapter"> {
  readonly thinking: ThinkingMode;
  readonly seed: number;
  /** Replies to each question; default 1. */
  readonly samples?: number;
}

/** Replies of one call of the engine. No reply depends on it: only the size of a message does. */
const TURNS_AT_ONCE = 4096;

/**
 * `result[q]` holds the replies to question q. A sample's seed follows from the question's id and its number alone, so other
 * questions or a limit change no reply.
 */
export async function askQuestions(
  { adapter, ...student }: Respondent,
  questions: readonly { readonly id: string; readonly text: string }[],
  { thinking, seed, samples = 1, onProgress, ...options }: AskOptions,
): Promise<Reply[][]> {
  const turns = questions.flatMap(({ id, text }) =>
    Array.from({ length: samples }, (_, sample) =>
      turnOf(text, thinking, createRng(seed, "sample", id, sample).int(2 ** 31)),
    ),
  );
  const all: Reply[] = [];
  while (all.length < turns.length) {
    const done = all.length;
    all.push(
      ...(await replies(student, turns.slice(done, done + TURNS_AT_ONCE), {
        ...options,
        ...(adapter !== undefined && { adapter }),
        onProgress: (finished) => onProgress?.(done + finished, turns.length),
      })),
    );
  }
  return questions.map((_, q) => all.slice(q * samples, (q + 1) * samples));
}
