/** @file Held-out measures against numbers that were worked out by hand. */
import { expect, test } from "vitest";
import type { Environment, EnvironmentQuestion } from "../../../src/agents/environments/index.js";
import { evaluateQuestions, pairedInterval, preferenceAccuracy } from "../../../src/agents/evaluation/evaluation.js";
import { scriptedStudent } from "../scripted-student.js";

test("the paired interval of 0,0,1,0 against 1,0,1,1 is 0.5 ± 0.5658", () => {
  // d = 1, 0, 0, 1: mean 0.5, variance 1/3, standard error sqrt(1/12) = 0.288675, times 1.959964.
  const { difference, halfWidth95 } = pairedInterval([0, 0, 1, 0], [1, 0, 1, 1]);
  expect(difference).toBe(0.5);
  expect(halfWidth95).toBeCloseTo(0.565793, 5);
});

test("the paired interval refuses lists of different questions", () => {
  expect(() => pairedInterval([1, 0], [1])).toThrow("found 2 and 1");
});

const question = (
  id: string,
  type: string,
  split: EnvironmentQuestion["split"] = "unseen-material",
): EnvironmentQuestion => ({
  id,
  type,
  split,
  subject: id,
  text: `Which ${type} has ${id}?`,
  candidates: ["red", "blue"],
});

const environment: Environment = {
  name: "colours",
  seed: 0,
  documents: [],
  questions: () => [],
  chance: (type) => (type === "hue" ? 0.5 : 0.25),
  check: (asked, reply) => ({
    right: reply.endsWith("red"),
    markable: reply !== "",
    thinkingRight: reply.includes("thought") ? asked.id === "a" : undefined,
  }),
  baseRows: () => [],
  recallProbes: () => [],
  vocabulary: () => [],
};

test("an evaluation reports per type, beside chance, over all replies", async () => {
  const student = scriptedStudent((prompt) =>
    prompt.includes(" a?") ? "thought red" : prompt.includes(" b?") ? "blue" : "",
  );
  const questions = [question("a", "hue"), question("b", "hue"), question("c", "tone")];
  const result = await evaluateQuestions(student, environment, questions, { maxNewTokens: 8 });
  expect(result).toEqual({
    split: "unseen-material",
    accuracy: 1 / 3,
    n: 3,
    chance: (0.5 + 0.5 + 0.25) / 3,
    byType: [
      { type: "hue", right: 1, n: 2, chance: 0.5 },
      { type: "tone", right: 0, n: 1, chance: 0.25 },
    ],
    markable: 2 / 3,
    thinkingRight: 1 / 3,
    verdicts: [1, 0, 0],
  });
  expect(student.generateCalls).toHaveLength(1);
  expect(student.generateCalls[0]?.temperature).toBe(0);
  expect(student.prompts[0]).toBe("[user] Which hue has a? Use <|thinking|>.[assistant] ");
});

test("questions of two splits are not pooled", async () => {
  const questions = [question("a", "hue"), question("b", "hue", "unseen-combination")];
  await expect(
    evaluateQuestions(
      scriptedStudent(() => ""),
      environment,
      questions,
      { maxNewTokens: 8 },
    ),
  ).rejects.toThrow("one split");
});

test("preference accuracy compares means, not sums, and a tie is no preference", async () => {
  const scores = [
    { chosen: { sum: -4, count: 4 }, rejected: { sum: -3, count: 1 } },
    { chosen: { sum: -1, count: 1 }, rejected: { sum: -2, count: 4 } },
    { chosen: { sum: -2, count: 2 }, rejected: { sum: -1, count: 1 } },
    { chosen: { sum: -1, count: 2 }, rejected: { sum: -3, count: 2 } },
  ];
  const pair = {
    prompt: new Int32Array(),
    chosen: { ids: new Int32Array(), labels: new Uint8Array() },
    rejected: { ids: new Int32Array(), labels: new Uint8Array() },
  };
  let i = 0;
  const { policy } = scriptedStudent(
    () => "",
    () => scores[i++]!,
  );
  expect(await preferenceAccuracy(policy, [pair, pair, pair, pair])).toEqual({
    accuracy: 0.5,
    n: 4,
    margin: (2 - 0.5 + 0 + 1) / 4,
  });
});
