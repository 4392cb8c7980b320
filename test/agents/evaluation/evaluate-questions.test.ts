/** @file Verified accuracy and what goes with it against counts by hand. */
import { expect, test } from "vitest";
import type { Environment, EnvironmentQuestion } from "../../../src/agents/environments/index.js";
import { evaluateQuestions, evaluateSplit } from "../../../src/agents/evaluation/evaluate-questions.js";
import {
  type AskedQuestion,
  type MarkingEnvironment,
  markReply,
  summarizeMarks,
} from "../../../src/agents/evaluation/mark-replies.js";
import { scriptedStudent } from "../scripted-student.js";

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

const greedy = { maxNewTokens: 8, seed: 7 };

test("samples are drawn beside the greedy reply, and pass@k counts the questions that some of k get right", async () => {
  // Question a is right in every draw, b in none; the greedy reply has the only call at temperature 0.
  const student = scriptedStudent((prompt) => (prompt.includes(" a?") ? "red" : "blue"));
  const questions = [question("a", "hue"), question("b", "hue")];
  const seen: [string, number][] = [];
  const result = await evaluateSplit(student, environment, questions, {
    ...greedy,
    thinking: "off",
    sampling: { samples: 3, ks: [1, 3], temperature: 0.8, topP: 0.9 },
    onMark: (mark, sample) => seen.push([mark.question.id, sample]),
  });
  expect(result.greedy.accuracy).toMatchObject({ count: 1, n: 2 });
  expect(result.passAtK.map(({ k, mean }) => [k, mean])).toEqual([
    [1, 0.5],
    [3, 0.5],
  ]);
  expect(student.generateCalls.map(({ temperature, topP }) => [temperature, topP])).toEqual([
    [0, 1],
    [0.8, 0.9],
  ]);
  expect(seen.filter(([id]) => id === "b").map(([, sample]) => sample)).toEqual([0, 1, 2, 3]);
});

test("a sample's seed depends on its question and number alone", async () => {
  const seedsOf = async (ids: readonly string[]): Promise<Map<string, number[]>> => {
    const seeds = new Map<string, number[]>();
    const student = scriptedStudent((prompt, seed) => {
      const id = /has (\w)\?/.exec(prompt)![1]!;
      seeds.set(id, [...(seeds.get(id) ?? []), seed]);
      return "";
    });
    const sampling = { samples: 2, ks: [1], temperature: 1, topP: 1 };
    await evaluateSplit(
      student,
      environment,
      ids.map((id) => question(id, "hue")),
      { ...greedy, thinking: "on", sampling },
    );
    return seeds;
  };
  const [alone, together] = [await seedsOf(["b"]), await seedsOf(["a", "b", "c"])];
  expect(alone.get("b")).toEqual(together.get("b"));
  expect(new Set([...together.values()].flatMap((seeds) => seeds.slice(1))).size).toBe(6);
});

test.each([
  ["on", "[user] Which hue has a? Use <|thinking|>.[assistant] "],
  ["off", "[user] Which hue has a?[assistant] "],
  ["forced-off", "[user] Which hue has a?[assistant] <|thinking|>\n\n<|/thinking|>"],
] as const)("thinking %s asks %j", async (thinking, prompt) => {
  const student = scriptedStudent(() => "red");
  const { greedy: marks } = await evaluateSplit(student, environment, [question("a", "hue")], { ...greedy, thinking });
  expect(student.prompts).toEqual([prompt]);
  expect(marks.accuracy.count).toBe(1);
  expect(marks.thinks.count).toBe(0);
  expect(marks.meanThinkingTokens).toBeNull();
});

test("a section that was pre-filled to rule thinking out is no wrong thinking", () => {
  const marking: MarkingEnvironment = {
    chance: () => 0.5,
    check: (_, text) => ({
      right: true,
      markable: true,
      thinkingRight: text.includes("<|/thinking|>") ? false : undefined,
    }),
  };
  const { tokenizer } = scriptedStudent(() => "");
  const mark = (text: string) => markReply(marking, question("a", "hue"), reply(text), tokenizer);
  expect(mark("<|thinking|>\n\n<|/thinking|>\nred")).toMatchObject({ thinkingRight: undefined, thinks: false });
  expect(mark("<|thinking|>\nso\n<|/thinking|>\nred")).toMatchObject({
    thinkingRight: false,
    thinks: true,
    thinkingTokens: 2,
  });
});

const reply = (text: string, finish: "stop" | "length" = "stop") => ({ text, finish });
const thinkingOf = (text: string): string => /<\|thinking\|>(.*)<\|\/thinking\|>/.exec(text)?.[1] ?? "";

test("right answers with wrong thinking and wrong answers with right thinking are shares of those that think", () => {
  const marking: MarkingEnvironment = {
    chance: () => 0.25,
    check: (_, text) => ({
      right: text.endsWith("red"),
      markable: true,
      thinkingRight: thinkingOf(text) === "" ? undefined : thinkingOf(text) === "true",
    }),
  };
  const replies = [
    reply("<|thinking|>true<|/thinking|>red"),
    reply("<|thinking|>false<|/thinking|>red"),
    reply("<|thinking|>true<|/thinking|>blue"),
    reply("<|thinking|>false<|/thinking|>blue", "length"),
    reply("<|thinking|>false<|/thinking|>red"),
    reply("red"),
  ];
  const { tokenizer } = scriptedStudent(() => "");
  const summary = summarizeMarks(
    marking,
    replies.map((text, i) => markReply(marking, question(String(i), "hue"), text, tokenizer)),
  );
  expect(summary.rightWithWrongThinking).toMatchObject({ count: 2, n: 3 });
  expect(summary.wrongWithRightThinking).toMatchObject({ count: 1, n: 2 });
  expect(summary.thinkingRight).toMatchObject({ count: 2, n: 5 });
  expect(summary.thinks).toMatchObject({ count: 5, n: 6 });
  expect(summary.ended).toMatchObject({ count: 5, n: 6 });
  // A token is a letter here: "true" has 4, "false" 5.
  expect(summary.meanThinkingTokens).toBe((2 * 4 + 3 * 5) / 5);
});

test("accuracy by gold position and in both orders shows a model that always takes the first", () => {
  const marking: MarkingEnvironment = {
    chance: () => 0.5,
    check: ({ id }, text) => ({ right: id.endsWith(text), markable: true, thinkingRight: undefined }),
    goldPosition: ({ id }) => (id === "plain" ? undefined : id.endsWith("first") ? 0 : 1),
  };
  const { tokenizer } = scriptedStudent(() => "");
  const asked = (id: string, pairId?: string): AskedQuestion => ({
    ...question(id, "choice"),
    ...(pairId && { pairId }),
  });
  const questions = [asked("a-first", "a"), asked("a-second", "a"), asked("b-first", "b"), asked("plain")];
  const summary = summarizeMarks(
    marking,
    questions.map((each) => markReply(marking, each, reply("first"), tokenizer)),
  );
  expect(summary.byGoldPosition).toMatchObject([
    { position: 0, count: 2, n: 2 },
    { position: 1, count: 0, n: 1 },
  ]);
  // The second half of couple b is missing.
  expect(summary.bothOrders).toMatchObject({ count: 0, n: 1 });
});
