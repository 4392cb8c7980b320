/** @file Which of a student's samples is rejected: by right and wrong, or by how near it comes to the chosen answer. */
import { answerAlone } from "../judge.js";
import { contentWords } from "../support.js";
import type { RejectedRule } from "./teach-plan.js";

/** What a checker or a judge says of a reply; `right` is undefined where it cannot say. */
export interface SampleVerdict {
  readonly right: boolean | undefined;
  /** Kept with the pair. */
  readonly record: Readonly<Record<string, unknown>>;
}

export interface JudgedDraft {
  readonly question: string;
  readonly chosen: string;
  /** The part of `chosen` that answers. */
  readonly answer: string;
}

export interface SampleJudge {
  /** Only wrong answers are kept: a question that the student answers right gives no pair. */
  readonly onlyWrong: boolean;
  judge(draft: JudgedDraft, reply: string, signal?: AbortSignal): Promise<SampleVerdict> | SampleVerdict;
}

export interface RuleOptions {
  readonly rule: RejectedRule;
  readonly judge?: SampleJudge;
  readonly signal?: AbortSignal;
}

export type Picked =
  | {
      readonly kind: "picked";
      readonly text: string;
      readonly sample: number;
      readonly verdict?: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: "failure"; readonly reason: string };

export const RIGHT_ANSWER = "the student's answer is right";
export const UNJUDGED_ANSWER = "the judge could not say whether the student's answer is right";

/** Picks by the rule among the samples that may be rejected at all. */
export async function pickRejected(
  draft: JudgedDraft,
  samples: readonly string[],
  { rule, judge, signal }: RuleOptions,
): Promise<Picked> {
  const filled = samples.map((text, sample) => ({ text, sample })).filter(({ text }) => text.trim() !== "");
  if (filled.length === 0) return { kind: "failure", reason: "the student's sample is empty" };
  if (judge === undefined) return { kind: "picked", ...(byRule(rule, draft, filled, []) as Candidate) };
  const judged: (Candidate & { readonly verdict: SampleVerdict })[] = [];
  for (const each of filled) judged.push({ ...each, verdict: await judge.judge(draft, each.text, signal) });
  const wrong = judged.filter(({ verdict }) => verdict.right === false);
  if (judge.onlyWrong && wrong.length === 0) {
    const reason = judged.some(({ verdict }) => verdict.right === undefined) ? UNJUDGED_ANSWER : RIGHT_ANSWER;
    return { kind: "failure", reason };
  }
  const candidates = judge.onlyWrong ? wrong : judged;
  const picked = byRule(rule, draft, candidates, wrong) as (typeof judged)[number];
  const verdict = { ...picked.verdict.record, ...(judged.length > 1 && { wrongSamples: wrong.length }) };
  return { kind: "picked", text: picked.text, sample: picked.sample, verdict };
}

interface Candidate {
  readonly text: string;
  readonly sample: number;
}

function byRule(
  rule: RejectedRule,
  { answer }: JudgedDraft,
  candidates: readonly Candidate[],
  wrong: readonly Candidate[],
): Candidate {
  const pool = rule === "first" || wrong.length === 0 ? candidates : wrong;
  const [first] = pool as readonly [Candidate, ...Candidate[]];
  if (rule === "first" || rule === "wrong-first") return first;
  const sign = rule === "most-similar" ? 1 : -1;
  const near = new Map(pool.map((each) => [each, sign * similarity(answer, each.text)]));
  return pool.reduce((best, each) => ((near.get(each) as number) > (near.get(best) as number) ? each : best), first);
}

/** Jaccard index of the content words of two answers, sections left out, in [0, 1]. */
function similarity(answer: string, reply: string): number {
  const [a, b] = [new Set(contentWords(answer)), new Set(contentWords(answerAlone(reply)))];
  const shared = [...a].filter((word) => b.has(word)).length;
  const all = a.size + b.size - shared;
  return all === 0 ? 0 : shared / all;
}
