/** @file What a model makes of held-out questions: accuracy with intervals, by type, beside chance, thinking marked apart. */
import type { EnvironmentQuestion } from "../../dist/agents/environments/index.js";
import { evaluateSplit, type Proportion } from "../../dist/agents/index.js";
import type { Lab } from "./lab.js";

export const SPLITS = ["unseen-combination", "unseen-material"] as const;
export type Split = (typeof SPLITS)[number];

export interface Share {
  readonly share: number;
  readonly n: number;
  readonly low: number;
  readonly high: number;
}

export interface Measured {
  readonly accuracy: Share;
  readonly chance: number;
  readonly byType: Readonly<Record<string, Share>>;
  readonly markable: number;
  readonly thinks: number;
  readonly thinkingRight: number | null;
  /** Of the right answers with thinking: those whose thinking is wrong. */
  readonly rightWithWrongThinking: number | null;
  /** One digit a question, 1 where right. */
  readonly verdicts: string;
}

export type BySplit = Readonly<Record<Split, Measured>>;

/** Longer than any thinking that was taught. */
const MAX_NEW_TOKENS = 192;

/** Greedy and closed-book; "on" asks to think. */
export async function measure(
  { student, world }: Lab,
  questions: readonly EnvironmentQuestion[],
  thinking: "on" | "off" = "on",
): Promise<Measured> {
  const { greedy } = await evaluateSplit(student, world, questions, {
    thinking,
    maxNewTokens: MAX_NEW_TOKENS,
    seed: 0,
  });
  return {
    accuracy: shareOf(greedy.accuracy),
    chance: greedy.chance,
    byType: Object.fromEntries(greedy.byType.map(({ type, ...of }) => [type, shareOf(of)])),
    markable: greedy.markable.share,
    thinks: greedy.thinks.share,
    thinkingRight: greedy.thinkingRight?.share ?? null,
    rightWithWrongThinking: greedy.rightWithWrongThinking?.share ?? null,
    verdicts: greedy.verdicts.join(""),
  };
}

export const shareOf = ({ share, n, low, high }: Proportion): Share => ({ share, n, low, high });

export const isChoice = ({ pairId }: EnvironmentQuestion): boolean => pairId !== undefined;

/** Questions about one material of a split. */
export const singles = ({ world }: Pick<Lab, "world">, split: Split): EnvironmentQuestion[] =>
  world.questions(split).filter((question) => !isChoice(question));

export async function measureSplits(lab: Lab, thinking: "on" | "off" = "on"): Promise<BySplit> {
  return {
    "unseen-combination": await measure(lab, singles(lab, "unseen-combination"), thinking),
    "unseen-material": await measure(lab, singles(lab, "unseen-material"), thinking),
  };
}
