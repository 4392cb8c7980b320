/** @file Which sample is rejected: four rules, with and without somebody who knows right from wrong. */

import { describe, expect, test } from "vitest";
import { answerAlone, type Judge, judgeOn } from "../../../src/agents/judge.js";
import {
  pickRejected,
  RIGHT_ANSWER,
  type SampleJudge,
  UNJUDGED_ANSWER,
} from "../../../src/agents/teaching/rejected-rule.js";
import { referenceJudge } from "../../../src/agents/teaching/sample-judges.js";

const draft = {
  question: "Why is nacre tough?",
  chosen: "<|thinking|>\nTablets.\n<|/thinking|>\nTablets slide and spread damage.",
  answer: "Tablets slide and spread damage.",
};

// Content words of the answer: tablet, slid, spread, damag. Jaccard index of each sample with them, by hand:
const samples = [
  "Wood is light.", // 0 of 6
  "Tablets break.", // 1 of 5
  "<|thinking|>Tablets slide and spread damage.<|/thinking|>Tablets slide and break.", // 2 of 5
  "Tablets slide and spread damage widely.", // 4 of 5
];

/** Samples that hold `right` are right, those with a question mark cannot be judged. */
const judge = (onlyWrong: boolean, right = "damage"): SampleJudge => ({
  onlyWrong,
  judge: (_, reply) => {
    const verdict = reply.includes("?") ? undefined : answerAlone(reply).includes(right);
    return { right: verdict, record: { rejected: { ...(verdict !== undefined && { right: verdict }) } } };
  },
});

describe("without a judge", () => {
  test.each([
    ["first", 0],
    ["most-similar", 3],
    ["least-similar", 0],
  ] as const)("%s picks sample %i, by the answer behind its sections", async (rule, sample) => {
    expect(await pickRejected(draft, samples, { rule })).toEqual({ kind: "picked", sample, text: samples[sample] });
  });

  test("the nearest in its answer wins, not the nearest in its thinking", async () => {
    const [, near, thinks] = samples as [string, string, string];
    const nearer = "Tablets slide and spread.";
    expect(await pickRejected(draft, [thinks, nearer, near], { rule: "most-similar" })).toMatchObject({ sample: 1 });
  });

  test.each(["most-similar", "least-similar"] as const)("%s gives a tie to the earlier sample", async (rule) => {
    expect(await pickRejected(draft, ["It sticks.", "It glows."], { rule })).toMatchObject({ sample: 0 });
  });

  test("empty samples are passed over; where all are empty there is none", async () => {
    expect(await pickRejected(draft, ["", " \n", "Wood."], { rule: "first" })).toMatchObject({ sample: 2 });
    expect(await pickRejected(draft, ["", " "], { rule: "first" })).toEqual({
      kind: "failure",
      reason: "the student's sample is empty",
    });
  });
});

describe("with a judge", () => {
  test.each([
    ["first", false, 0],
    ["wrong-first", false, 1],
    ["most-similar", false, 2],
    ["least-similar", false, 1],
    ["first", true, 1],
    ["wrong-first", true, 1],
    ["most-similar", true, 2],
    ["least-similar", true, 1],
  ] as const)(
    "%s with only wrong ones %s picks sample %i, and says how many were wrong",
    async (rule, only, sample) => {
      const [, one, two, all] = samples as [string, string, string, string];
      const picked = await pickRejected(draft, [all, one, two], { rule, judge: judge(only) });
      expect(picked).toMatchObject({ sample, verdict: { rejected: { right: sample === 0 }, wrongSamples: 2 } });
    },
  );

  test("a single sample needs no count of wrong ones", async () => {
    expect(await pickRejected(draft, ["Wood."], { rule: "first", judge: judge(false) })).toEqual({
      kind: "picked",
      text: "Wood.",
      sample: 0,
      verdict: { rejected: { right: false } },
    });
  });

  test("where every sample is right, rules that prefer wrong ones take what there is, and only wrong ones give no pair", async () => {
    const right = ["spread damage", "Tablets spread damage."];
    expect(await pickRejected(draft, right, { rule: "wrong-first", judge: judge(false) })).toMatchObject({ sample: 0 });
    expect(await pickRejected(draft, right, { rule: "most-similar", judge: judge(false) })).toMatchObject({
      sample: 1,
    });
    expect(await pickRejected(draft, right, { rule: "first", judge: judge(true) })).toEqual({
      kind: "failure",
      reason: RIGHT_ANSWER,
    });
  });

  test("what could not be judged is not taken for wrong, and is told apart from right", async () => {
    const unsure = ["Is it damage?", "Who knows?"];
    expect(await pickRejected(draft, unsure, { rule: "first", judge: judge(true) })).toEqual({
      kind: "failure",
      reason: UNJUDGED_ANSWER,
    });
    expect(await pickRejected(draft, [...unsure, "Wood."], { rule: "first", judge: judge(true) })).toMatchObject({
      sample: 2,
      verdict: { wrongSamples: 1 },
    });
    expect(await pickRejected(draft, unsure, { rule: "wrong-first", judge: judge(false) })).toMatchObject({
      sample: 0,
    });
  });
});

describe("a judge that reads the chosen answer", () => {
  const asked: unknown[] = [];
  const judging = (verdict: "right" | "wrong" | "unjudged"): Judge =>
    judgeOn({
      name: "somebody",
      compare: async () => ({ winner: "tie", reason: "" }),
      mark: async (input) => {
        asked.push(input);
        return { verdict, reason: "Because." };
      },
    });

  test.each([
    ["right", true, { rejected: { right: true, reason: "Because." }, judge: "somebody" }],
    ["wrong", false, { rejected: { right: false, reason: "Because." }, judge: "somebody" }],
    ["unjudged", undefined, { rejected: { reason: "Because." }, judge: "somebody" }],
  ] as const)("that says %s is kept with the pair", async (verdict, right, record) => {
    expect(await referenceJudge(judging(verdict), true).judge(draft, "Wood.")).toEqual({ right, record });
  });

  test("is shown the answers alone, without thinking", async () => {
    asked.length = 0;
    await referenceJudge(judging("wrong"), true).judge(draft, "<|thinking|>\nHm.\n<|/thinking|>\nWood.");
    expect(asked).toEqual([{ question: draft.question, answer: "Wood.", reference: draft.answer }]);
  });

  test("is not asked about a reply that never comes to an answer: it is wrong", async () => {
    asked.length = 0;
    const verdict = await referenceJudge(judging("right"), true).judge(draft, "<|thinking|>\nHm.\n<|/thinking|>\n");
    expect(verdict).toMatchObject({ right: false, record: { rejected: { reason: "the reply has no answer" } } });
    expect(asked).toEqual([]);
  });
});
