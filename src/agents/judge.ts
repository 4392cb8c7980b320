/** @file The judge: a LangChain agent that says which of two answers is better, and whether an answer is right. */
import { z } from "zod";
import { REFLECT, THINKING } from "../trainer/index.js";
import { AgentFailure } from "./calls/index.js";
import { mapInOrder } from "./map-in-order.js";
import { judgeAnswerPrompt, judgePairPrompt, type PairToJudge } from "./prompts.js";
import { type AgentOptions, createStructuredAgent, type StructuredAgent } from "./structured-agent.js";

/** What may be judged: replies with or without their sections; thinking is taken out before anyone sees it. */
export type { PairToJudge } from "./prompts.js";

export interface AnswerToJudge {
  readonly question: string;
  readonly answer: string;
  readonly reference: string;
}

export interface PairVerdict {
  /** A tie also where the judge changes its mind with the positions. Unjudged is no verdict: leave the pair out of every mean. */
  readonly winner: "a" | "b" | "tie" | "unjudged";
  readonly reason: string;
}

export interface AnswerVerdict {
  /** Unjudged is no verdict: it counts neither as right nor as wrong. */
  readonly verdict: "right" | "wrong" | "unjudged";
  readonly reason: string;
}

/** Verdicts so far. */
export interface JudgeCounts {
  readonly judged: number;
  readonly ties: number;
  readonly unjudged: number;
}

export interface Judge {
  /** For provenance. */
  readonly name: string;
  /** Throws only where it was aborted or where a budget of the run is spent. */
  comparePair(input: PairToJudge, signal?: AbortSignal): Promise<PairVerdict>;
  /** Throws as `comparePair` does. */
  judgeAnswer(input: AnswerToJudge, signal?: AbortSignal): Promise<AnswerVerdict>;
  counts(): JudgeCounts;
}

/** A way to judge answers that hold nothing but the answer, and are not empty. */
export interface Bench {
  readonly name: string;
  compare(input: PairToJudge, signal: AbortSignal | undefined): Promise<PairVerdict>;
  mark(input: AnswerToJudge, signal: AbortSignal | undefined): Promise<AnswerVerdict>;
}

const pairSchema = z
  .object({
    reason: z.string().trim().min(1).describe("One or two sentences"),
    verdict: z
      .string()
      .trim()
      .toLowerCase()
      .pipe(z.enum(["a", "b", "tie"]))
      .describe("The better answer, or tie"),
  })
  .meta({ title: "submit-verdict", description: "Hands in which answer is better." });

const markSchema = z
  .object({
    reason: z.string().trim().min(1).describe("One or two sentences"),
    right: z.boolean().describe("Whether the answer says what the reference says"),
  })
  .meta({ title: "submit-mark", description: "Hands in whether the answer is right." });

type Verdict = z.infer<typeof pairSchema>;

/** A chat model as the judge. Each pair is asked twice, with the positions swapped. */
export async function createJudge(options: AgentOptions): Promise<Judge> {
  const nothing = { question: "", a: "", b: "", answer: "", reference: "" };
  const [comparer, marker] = await Promise.all([
    createStructuredAgent<Verdict>({ ...options, system: judgePairPrompt(nothing).system, schema: pairSchema }),
    createStructuredAgent({ ...options, system: judgeAnswerPrompt(nothing).system, schema: markSchema }),
  ]);
  return judgeOn({
    name: comparer.modelName,
    compare: (input, signal) => compareBothWays(comparer, input, signal),
    async mark(input, signal) {
      const { right, reason } = (await marker.run(judgeAnswerPrompt(input).user, signal)).value;
      return { verdict: right ? "right" : "wrong", reason };
    },
  });
}

async function compareBothWays(
  agent: StructuredAgent<Verdict>,
  { a, b, ...others }: PairToJudge,
  signal: AbortSignal | undefined,
): Promise<PairVerdict> {
  const orders = [
    { ...others, a, b },
    { ...others, a: b, b: a },
  ];
  const ask = async (order: PairToJudge): Promise<Verdict> =>
    (await agent.run(judgePairPrompt(order).user, signal)).value;
  const [straight, swapped] = (await mapInOrder(orders, ask, { concurrency: 2, ...(signal && { signal }) })) as [
    Verdict,
    Verdict,
  ];
  const back = { a: "b", b: "a", tie: "tie" } as const;
  if (straight.verdict === back[swapped.verdict]) return { winner: straight.verdict, reason: straight.reason };
  return { winner: "tie", reason: `the verdict depends on the positions: "${straight.reason}" / "${swapped.reason}"` };
}

/** What every judge does: takes thinking out, decides what needs no judging, and turns a failure into "unjudged". */
export function judgeOn({ name, compare, mark }: Bench): Judge {
  const counts = { judged: 0, ties: 0, unjudged: 0 };
  const count = (outcome: string): void => {
    if (outcome === "unjudged") counts.unjudged += 1;
    else counts.judged += 1;
    if (outcome === "tie") counts.ties += 1;
  };
  return {
    name,
    async comparePair({ a, b, ...others }, signal) {
      const pair = { ...others, a: answerAlone(a), b: answerAlone(b) };
      const verdict = plainVerdict(pair) ?? (await judged(() => compare(pair, signal), signal, unjudgedPair));
      count(verdict.winner);
      return verdict;
    },
    async judgeAnswer({ answer, ...others }, signal) {
      const input = { ...others, answer: answerAlone(answer) };
      const verdict =
        input.answer === ""
          ? ({ verdict: "wrong", reason: "there is no answer" } as const)
          : await judged(() => mark(input, signal), signal, unjudgedAnswer);
      count(verdict.verdict);
      return verdict;
    },
    counts: () => ({ ...counts }),
  };
}

const unjudgedPair = (reason: string): PairVerdict => ({ winner: "unjudged", reason });
const unjudgedAnswer = (reason: string): AnswerVerdict => ({ verdict: "unjudged", reason });

async function judged<V>(
  judge: () => Promise<V>,
  signal: AbortSignal | undefined,
  unjudged: (reason: string) => V,
): Promise<V> {
  try {
    return await judge();
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof AgentFailure) || error.endsAll) throw error;
    return unjudged(`${error.reason}: ${error.message}`);
  }
}

/** What nobody needs to be asked: no answer loses to an answer, and the same text is a tie. */
function plainVerdict({ a, b }: PairToJudge): PairVerdict | undefined {
  if (a === b) return { winner: "tie", reason: "both answers are the same" };
  if (a === "") return { winner: "b", reason: "a has no answer" };
  if (b === "") return { winner: "a", reason: "b has no answer" };
  return undefined;
}

/** What follows the sections of a reply; empty where one was never closed, since nothing after it is an answer. */
export function answerAlone(reply: string): string {
  const sections = [THINKING, REFLECT];
  const ends = sections.map(({ end }) => (reply.includes(end) ? reply.lastIndexOf(end) + end.length : 0));
  const isOpen = sections.some(({ start, end }) => reply.lastIndexOf(start) > reply.lastIndexOf(end));
  return isOpen ? "" : reply.slice(Math.max(...ends)).trim();
}
