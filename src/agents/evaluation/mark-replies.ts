/** @file Replies marked by an environment, and what many marks come to: accuracy, by type and position, and thinking beside it. */
import { extractSection, THINKING, type Tokenizer } from "../../trainer/index.js";
import type { Environment, EnvironmentQuestion } from "../environments/index.js";
import type { Reply } from "../student.js";
import { type Proportion, proportion, shareOf } from "./intervals.js";

/** An environment that can be marked by; one whose questions name their candidates also tells where the right one stands. */
export interface MarkingEnvironment extends Pick<Environment, "check" | "chance"> {
  /** Place of the right candidate in the question, from 0; undefined where the question names none. */
  goldPosition?(question: EnvironmentQuestion): number | undefined;
}

/** A question that is asked in several orders shares its `pairId` with the others. */
export type AskedQuestion = EnvironmentQuestion & { readonly pairId?: string };

/** A whole reply, drawn or read from a file, and whether the model ended it. */
export type WholeReply = Pick<Reply, "text" | "finish">;

/** One reply and what is known of it. */
export interface Mark {
  readonly question: AskedQuestion;
  readonly reply: WholeReply;
  readonly right: boolean;
  readonly markable: boolean;
  /** Undefined where the reply has no thinking. */
  readonly thinkingRight: boolean | undefined;
  readonly thinks: boolean;
  /** Tokens between the markers. */
  readonly thinkingTokens: number;
}

export function markReply(
  environment: MarkingEnvironment,
  question: AskedQuestion,
  reply: WholeReply,
  tokenizer: Tokenizer,
): Mark {
  const { right, markable, thinkingRight } = environment.check(question, reply.text);
  const { kind, text: thinking } = extractSection(reply.text, THINKING);
  // An empty section is one that was pre-filled to rule thinking out.
  const isEmpty = kind !== "missing" && thinking.trim() === "";
  const judged = isEmpty ? undefined : thinkingRight;
  return {
    question,
    reply,
    right,
    markable,
    thinkingRight: judged,
    thinks: judged !== undefined || (kind !== "missing" && !isEmpty),
    thinkingTokens: isEmpty ? 0 : tokenizer.encode(thinking.trim()).length,
  };
}

/** A share of the questions of one type, beside what guessing would give. */
export interface TypeAccuracy extends Proportion {
  readonly type: string;
  readonly chance: number;
}

export interface PositionAccuracy extends Proportion {
  /** Place of the right candidate in the question, from 0. */
  readonly position: number;
}

/** Shares have Wilson intervals; null where there is nothing to take a share of. */
export interface MarkSummary {
  readonly n: number;
  readonly chance: number;
  readonly accuracy: Proportion;
  readonly byType: readonly TypeAccuracy[];
  /** Empty where the environment does not tell positions. */
  readonly byGoldPosition: readonly PositionAccuracy[];
  /** Of the questions that are asked in both orders: those with both right, which a preference for a place never has. */
  readonly bothOrders: Proportion | null;
  /** Replies that name exactly one candidate. */
  readonly markable: Proportion;
  /** Replies that the model ended itself. */
  readonly ended: Proportion;
  /** Replies with thinking, asked for or not. */
  readonly thinks: Proportion;
  /** Of the replies with thinking: those whose thinking is right. */
  readonly thinkingRight: Proportion | null;
  /** Of the right answers with thinking: those whose thinking is wrong. */
  readonly rightWithWrongThinking: Proportion | null;
  /** Of the wrong answers with thinking: those whose thinking is right. */
  readonly wrongWithRightThinking: Proportion | null;
  /** Mean over the replies with thinking. */
  readonly meanThinkingTokens: number | null;
  /** 1 where right, in the order of the questions. */
  readonly verdicts: readonly number[];
}

/** One mark a question. */
export function summarizeMarks(environment: MarkingEnvironment, marks: readonly Mark[]): MarkSummary {
  const n = marks.length;
  if (n === 0) throw new Error("expected replies to sum up, found none");
  const share = (is: (mark: Mark) => boolean): Proportion => proportion(marks.filter(is).length, n);
  const judged = marks.filter(({ thinkingRight }) => thinkingRight !== undefined);
  const thinking = marks.filter(({ thinks }) => thinks);
  return {
    n,
    chance: marks.reduce((sum, { question }) => sum + environment.chance(question.type), 0) / n,
    accuracy: share(({ right }) => right),
    byType: accuracyByType(environment, marks),
    byGoldPosition: accuracyByPosition(environment, marks),
    bothOrders: accuracyOfCouples(marks),
    markable: share(({ markable }) => markable),
    ended: share(({ reply }) => reply.finish === "stop"),
    thinks: share(({ thinks }) => thinks),
    thinkingRight: shareOf(judged, (mark) => mark.thinkingRight === true),
    rightWithWrongThinking: shareOf(
      judged.filter(({ right }) => right),
      (mark) => mark.thinkingRight === false,
    ),
    wrongWithRightThinking: shareOf(
      judged.filter(({ right }) => !right),
      (mark) => mark.thinkingRight === true,
    ),
    meanThinkingTokens: meanTokens(thinking),
    verdicts: marks.map(({ right }) => (right ? 1 : 0)),
  };
}

function meanTokens(thinking: readonly Mark[]): number | null {
  if (thinking.length === 0) return null;
  return thinking.reduce((sum, { thinkingTokens }) => sum + thinkingTokens, 0) / thinking.length;
}

function accuracyByType(environment: MarkingEnvironment, marks: readonly Mark[]): TypeAccuracy[] {
  const groups = grouped(marks, ({ question }) => question.type);
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, of]) => ({ type, chance: environment.chance(type), ...right(of) }));
}

function accuracyByPosition(environment: MarkingEnvironment, marks: readonly Mark[]): PositionAccuracy[] {
  const groups = grouped(marks, ({ question }) => environment.goldPosition?.(question));
  return [...groups].sort(([a], [b]) => a - b).map(([position, of]) => ({ position, ...right(of) }));
}

/** A limit may have cut a couple in two: what is left of it does not count. */
function accuracyOfCouples(marks: readonly Mark[]): Proportion | null {
  const couples = [...grouped(marks, ({ question }) => question.pairId).values()].filter((of) => of.length > 1);
  return shareOf(couples, (of) => of.every((mark) => mark.right));
}

const right = (marks: readonly Mark[]): Proportion =>
  proportion(marks.filter((mark) => mark.right).length, marks.length);

/** Marks without a key are in no group. */
function grouped<K>(marks: readonly Mark[], keyOf: (mark: Mark) => K | undefined): Map<K, Mark[]> {
  const groups = new Map<K, Mark[]>();
  for (const mark of marks) {
    const key = keyOf(mark);
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), mark]);
  }
  return groups;
}
