/** @file Recursion on held-out questions: accuracy of the best of N rounds, beside controls of the same cost. */
import type { EnvironmentQuestion } from "../../dist/agents/environments/index.js";
import {
  bestOf,
  type Critic,
  closedBook,
  costOf,
  createCritic,
  loadWorldCritic,
  loadWorldJudge,
  mostVoted,
  proportion,
  type ReasoningResult,
  type ReasoningRound,
  recursiveReasonMany,
  resample,
  selfCritic,
} from "../../dist/agents/index.js";
import { prefilledThinking, THINKING } from "../../dist/trainer/index.js";
import type { Lab } from "./lab.js";
import { type Share, shareOf } from "./measure.js";

export const DEPTHS = [1, 2, 3, 4] as const;

export interface Depth {
  readonly rounds: number;
  readonly accuracy: Share;
  /** New tokens of the student a question, those that a critic drew included. */
  readonly newTokens: number;
  readonly criticCalls: number;
  readonly verdicts: string;
}

export interface Curve {
  readonly method: Method;
  readonly depths: readonly Depth[];
}

export const METHODS = [
  "retrieval critic",
  "closed-book critic",
  "self critic",
  "resampling",
  "majority vote",
  "resampling, T = 0.3",
  "majority vote, T = 0.3",
] as const;
/** The assisted critic writes the sentence that names the class: an upper bound, not a method. */
export type Method = (typeof METHODS)[number] | "assisted critic (upper bound)" | "own reflection";

const GREEDY = { maxNewTokens: 192, temperature: 0, topP: 1 };
/** Of samples that shall differ. */
const DRAWN = { maxNewTokens: 192, temperature: 0.7, topP: 1 };
/** Nearer to the greedy answer, from which recursion begins. */
const COOLER = { ...DRAWN, temperature: 0.3 };
const MOST = DEPTHS[DEPTHS.length - 1] as number;

/** One run of four rounds tells the accuracy of one to four: the best of the first N by the score, which sees no key. */
export async function recursionCurve(
  lab: Lab,
  questions: readonly EnvironmentQuestion[],
  method: Method,
): Promise<Curve> {
  const results = await reasoned(lab, questions, method);
  const pick = method.startsWith("majority vote") ? mostVoted : bestOf;
  const depths = DEPTHS.map((rounds) => {
    const right = questions.map((question, i) => {
      const made = (results[i] as ReasoningResult).rounds;
      return lab.world.check(question, wholeReply(pick(made, rounds))).right;
    });
    const costs = results.map((result) => costOf(result.rounds.slice(0, rounds)));
    const mean = (key: "newTokens" | "criticCalls"): number =>
      costs.reduce((sum, cost) => sum + cost[key], 0) / costs.length;
    return {
      rounds,
      accuracy: shareOf(proportion(right.filter(Boolean).length, right.length)),
      newTokens: mean("newTokens"),
      criticCalls: mean("criticCalls"),
      verdicts: right.map((is) => (is ? 1 : 0)).join(""),
    };
  });
  return { method, depths };
}

async function reasoned(
  lab: Lab,
  questions: readonly EnvironmentQuestion[],
  method: Method,
): Promise<ReasoningResult[]> {
  const { student, store, options } = lab;
  const texts = questions.map(({ text }) => text);
  const judge = await loadWorldJudge(store, 3);
  const scored = { ...student, store, ...judge };
  const { seed } = options;
  if (/^(?:resampling|majority vote)/.test(method)) {
    const sampling = method.endsWith("T = 0.3") ? COOLER : DRAWN;
    return resample(scored, texts, { rounds: MOST, sampling, seed });
  }
  const critic = await criticOf(lab, method);
  return recursiveReasonMany({ ...scored, critic: async () => critic }, texts, {
    rounds: method === "own reflection" ? MOST - 1 : MOST,
    mode: method === "own reflection" ? "reflection" : "thinking",
    sampling: GREEDY,
    seed,
    keepGoing: true,
  });
}

async function criticOf({ student, options }: Lab, method: Method): Promise<Critic> {
  if (method === "self critic") return selfCritic(student, { sampling: GREEDY, seed: options.seed });
  const assisted = method === "assisted critic (upper bound)";
  const critic = await createCritic({ model: await loadWorldCritic({ assisted }), direct: true });
  if (method !== "closed-book critic") return critic;
  return closedBook(critic, student, { samples: 4, sampling: DRAWN, seed: options.seed });
}

/** The reply as the model would have written it in one piece. */
function wholeReply({ section, thinking, answer }: ReasoningRound): string {
  if (section === "missing") return answer;
  return section === "found" ? `${prefilledThinking(thinking)}\n${answer}` : `${THINKING.start}\n${thinking}`;
}
