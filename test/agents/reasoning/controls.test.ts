/** @file The controls of recursion: samples picked by score or by vote, critics without retrieval, and what each costs. */
import { expect, test } from "vitest";
import { majorityVote, resample } from "../../../src/agents/reasoning/controls.js";
import { recursiveReasonMany } from "../../../src/agents/reasoning/reason-many.js";
import type { ReasoningRound } from "../../../src/agents/reasoning/reasoning-types.js";
import { bestOf, costOf, mostVoted, normalisedAnswer } from "../../../src/agents/reasoning/rounds.js";
import { closedBook, selfCritic } from "../../../src/agents/reasoning/self-critic.js";
import { passage, scriptedStudent, smallStore } from "../scripted-student.js";
import { closed, noCritic, openingOf, scriptedCritic, settings } from "./scripted-critic.js";

const sampled = { ...settings, rounds: 4, sampling: { maxNewTokens: 64, temperature: 1, topP: 1 } };

/** Each sample of a question thinks its number in the order of drawing and answers by the list. */
function drawing(...answers: readonly string[]) {
  let turn = 0;
  return scriptedStudent(() => {
    const number = turn++ % answers.length;
    return `<|thinking|>${number}<|/thinking|>${answers[number]}`;
  });
}

const roundOf = (round: number, answer: string, score: number): ReasoningRound => ({
  round,
  opening: "none",
  thinking: "t",
  section: "found",
  reflection: "",
  reflectSection: "missing",
  answer,
  score,
  evidence: [],
  cost: { modelCalls: 1, newTokens: 10 * round, criticCalls: 2 },
});

test("one run of four rounds tells what one, two, three would have brought, and at what cost", () => {
  const rounds = [roundOf(1, "a", 0.2), roundOf(2, "b", 0.9), roundOf(3, "c", 0.9), roundOf(4, "d", 0.1)];
  expect([1, 2, 3, 4, 9].map((n) => bestOf(rounds, n).answer)).toEqual(["a", "b", "b", "b", "b"]);
  expect(costOf(rounds.slice(0, 3))).toEqual({ modelCalls: 3, newTokens: 60, criticCalls: 6 });
  expect(bestOf([roundOf(1, "", 0), roundOf(2, "b", 0)]).answer).toBe("b");
});

test("a best round is asked of rounds, and of a whole number of them", () => {
  expect(() => bestOf([])).toThrow("rounds: expected at least one, found none");
  expect(() => bestOf([roundOf(1, "a", 1)], 0)).toThrow("n: expected a whole number of rounds from 1, found 0");
});

test("the most frequent answer wins, the earliest of equals, and no answer has no vote", () => {
  const rounds = ["", "B", "a.", "b ", "A", ""].map((answer, i) => roundOf(i + 1, answer, 0));
  expect(mostVoted(rounds).round).toBe(2);
  expect(mostVoted(rounds, 3).round).toBe(2);
  expect(mostVoted(rounds, 1).round).toBe(1);
  expect(mostVoted(rounds, 6, (answer) => (/a/i.test(answer) ? "a" : "")).round).toBe(3);
});

test("case, white space, width and closing punctuation make no other answer", () => {
  expect(["Ductile.", " ductile", "DUCTILE !", "ｄｕｃｔｉｌｅ"].map(normalisedAnswer)).toEqual(
    Array(4).fill("ductile"),
  );
});

test("resampling draws all samples of all questions in one call and takes the one that scores best", async () => {
  const student = drawing("a", "b", "b", "d");
  const score = ({ thinking }: { thinking: string }) => ({ "1": 0.3, "3": 0.8 })[thinking] ?? 0;
  const results = await resample({ ...student, store: await smallStore(), score }, ["Why?", "How?"], sampled);
  expect(student.generateCalls).toHaveLength(1);
  expect(results.map(({ answer, best }) => [answer, best])).toEqual([
    ["d", 4],
    ["d", 4],
  ]);
  expect(results[0]?.cost).toMatchObject({ modelCalls: 4, criticCalls: 0 });
  expect(student.prompts.every((prompt) => openingOf(prompt) === "")).toBe(true);
});

test("the vote is over the same samples, whatever they score", async () => {
  const score = ({ thinking }: { thinking: string }) => Number(thinking) / 4;
  const context = { store: await smallStore(), score };
  const [voted] = await majorityVote({ ...context, ...drawing("a", "b", "B.", "d") }, ["Why?"], sampled);
  expect(voted).toMatchObject({ answer: "b", best: 2 });
  const byLength = { ...sampled, extract: (answer: string) => (answer.length > 1 ? "long" : "short") };
  const [extracted] = await majorityVote({ ...context, ...drawing("aa", "b", "bb", "dd") }, ["Why?"], byLength);
  expect(extracted).toMatchObject({ answer: "aa", best: 1 });
  const [best] = await resample({ ...context, ...drawing("a", "b", "B.", "d") }, ["Why?"], sampled);
  expect(best?.rounds).toEqual(voted?.rounds);
});

test("samples have seeds of their own, and the first is the first answer of recursion", async () => {
  const student = scriptedStudent((_, seed) => `<|thinking|>t<|/thinking|>${seed}`);
  const context = { ...student, store: await smallStore(), critic: noCritic };
  const [control] = await resample(context, ["Why?"], sampled);
  expect(new Set(control?.rounds.map(({ answer }) => answer)).size).toBe(4);
  const [recursion] = await recursiveReasonMany(context, ["Why?"], { ...sampled, rounds: 1 });
  expect(recursion?.rounds[0]).toEqual(control?.rounds[0]);
});

test("greedy samples are refused, since they are all the same", async () => {
  const context = { ...drawing("a"), store: await smallStore() };
  await expect(resample(context, ["Why?"], { ...settings, rounds: 2 })).rejects.toThrow(
    "temperature: expected more than 0, found 0",
  );
  expect(await resample(context, ["Why?"], { ...settings, rounds: 1 })).toHaveLength(1);
});

test("the self critic asks the student without passages, and what it draws is counted", async () => {
  const student = scriptedStudent((prompt) => {
    if (prompt.includes("Job: give-feedback")) return "be brief";
    if (prompt.includes("Job: improve-thinking")) return "<|thinking|>t1<|/thinking|>";
    return openingOf(prompt) === "" ? "<|thinking|>t0<|/thinking|>a" : "b";
  });
  const critic = selfCritic(student, { sampling: settings.sampling, seed: 1 });
  const [result] = await recursiveReasonMany(
    {
      ...student,
      store: await smallStore(),
      critic: async () => critic,
      score: ({ thinking }) => (thinking === "t1" ? 1 : 0),
    },
    ["What is nacre?"],
    { ...settings, rounds: 2 },
  );
  expect(result).toMatchObject({ answer: "b", critic: "self:0123456789abcdef" });
  // "be brief" (8), the improved section (12 + 2 + 13) and "b".
  expect(result?.rounds[1]?.cost).toEqual({ modelCalls: 3, newTokens: 36, criticCalls: 2 });
  const asked = student.prompts.filter((prompt) => prompt.includes("Job: "));
  expect(asked).toHaveLength(2);
  expect(asked[1]).toContain("be brief");
  for (const prompt of asked) expect(prompt).not.toContain("aragonite");
});

test("a critic with a closed book sees the student's own samples, drawn once, instead of passages", async () => {
  const student = drawing("x", "y");
  const shown: string[][] = [];
  const inner = {
    ...scriptedCritic([closed("better")]),
    modelName: "inner-assisted",
    giveFeedback: async ({ passages }: { passages: readonly { text: string }[] }) => {
      shown.push(passages.map(({ text }) => text));
      return { feedback: "f" };
    },
  };
  const critic = closedBook(inner, student, { samples: 2, sampling: sampled.sampling, seed: 3 });
  const input = { question: "Why?", thinking: "t", passages: [passage("p", "from the store")] };
  const first = await critic.giveFeedback(input);
  const improved = await critic.improveThinking({ ...input, feedback: first.feedback });
  expect(shown).toEqual([["0\nx", "1\ny"]]);
  expect(first.spent).toEqual({ modelCalls: 2, newTokens: 2 * 27 });
  expect(improved).toEqual(closed("better"));
  expect(critic.modelName).toBe("inner-assisted (closed book)");
});
