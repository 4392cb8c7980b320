/** @file Many questions in lock step: one batch a round, and each result is that of the question alone. */
import { expect, test } from "vitest";
import { createTextCritic } from "../../../src/agents/models/text-critic.js";
import { createCritic } from "../../../src/agents/reasoning/critic.js";
import { recursiveReasonMany } from "../../../src/agents/reasoning/reason-many.js";
import type { ReasoningSettings } from "../../../src/agents/reasoning/reasoning-types.js";
import { recursiveReason } from "../../../src/agents/reasoning/recursive-reasoning.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";
import { collect, noCritic, openingOf, scoreBy, scriptedCritic, settings } from "./scripted-critic.js";

const questions = ["What is nacre?", "What is wood?", "What is glass?", "What is silk?"];

const NOTES = ["Nacre contains aragonite.", "Wood is a cellular material.", "Copper conducts.", "Iron rusts."];

/** Says what follows from prompt and seed alone, as the engine does: sometimes no section, sometimes one that breaks off. */
function sampling() {
  return scriptedStudent((prompt, seed) => {
    const thinking = `${NOTES[seed % 4]} ${NOTES[(seed >> 2) % 4]}`;
    if (openingOf(prompt) !== "") return `\nanswer ${seed % 7}`;
    const forms = [`answer ${seed % 7}`, `<|thinking|>\n${thinking}`];
    return forms[(seed >> 4) % 4] ?? `<|thinking|>\n${thinking}\n<|/thinking|>\n<|reflect|>\nf\n<|/reflect|>\nanswer`;
  });
}

const variants: [string, Partial<ReasoningSettings>][] = [
  ["feedback from the critic", {}],
  ["the model's reflection", { mode: "reflection" }],
  ["all rounds kept", { keepGoing: true }],
  ["answers merged", { integrate: true, keepGoing: true }],
  ["a score to stop at", { stopAtScore: 0.5 }],
];

test.each(variants)("each result is that of the question alone: %s", async (_, changed) => {
  const critic = () => createCritic({ model: createTextCritic() });
  const context = { store: await smallStore(), critic };
  const given = { ...settings, ...changed, seed: 7 };
  const many = await recursiveReasonMany({ ...context, ...sampling() }, questions, given, { concurrency: 3 });
  for (const [i, question] of questions.entries()) {
    const alone = await collect(recursiveReason({ ...context, ...sampling() }, { ...given, question }));
    expect(many[i]).toEqual(alone.result);
  }
});

test("all questions of a round are decoded in one call, and those that ended are left out", async () => {
  const student = scriptedStudent((prompt) => {
    if (openingOf(prompt) !== "") return "\nb";
    return `<|thinking|>\n${prompt.includes("wood") ? "wood" : "other"}\n<|/thinking|>\na`;
  });
  const calls: number[] = [];
  const generate: typeof student.policy.generate = (requests, options) => {
    calls.push(requests.length);
    return student.policy.generate(requests, options);
  };
  const critic = async () => ({
    ...scriptedCritic(),
    improveThinking: async ({ thinking }: { thinking: string }) => ({
      thinking: thinking === "wood" ? "wood" : "better",
      complete: true,
    }),
  });
  const context = { ...student, policy: { ...student.policy, generate }, store: await smallStore(), critic };
  const progress: [number, number][] = [];
  const results = await recursiveReasonMany({ ...context, score: scoreBy({ better: 1 }) }, questions, settings, {
    onProgress: (finished, total) => progress.push([finished, total]),
  });
  expect(results.map(({ stopped }) => stopped)).toEqual([
    "critic-content",
    "critic-content",
    "critic-content",
    "critic-content",
  ]);
  expect(results.map(({ rounds }) => rounds.length)).toEqual([2, 1, 2, 2]);
  expect(calls).toEqual([4, 3]);
  expect(progress).toEqual([
    [6, 12],
    [12, 12],
  ]);
});

test("a critic that fails on one question leaves the others alone", async () => {
  const student = scriptedStudent((prompt) => `<|thinking|>\n${prompt.slice(7, 20)}\n<|/thinking|>\na`);
  const critic = async () => ({
    ...scriptedCritic(),
    giveFeedback: async ({ question }: { question: string }) => {
      if (question.includes("glass")) throw new Error("no opinion");
      return { feedback: "fine" };
    },
  });
  const results = await recursiveReasonMany({ ...student, store: await smallStore(), critic }, questions, settings);
  expect(results.map(({ stopped, failure }) => failure ?? stopped)).toEqual([
    "critic-content",
    "critic-content",
    "no opinion",
    "critic-content",
  ]);
});

test("an abort within a round ends all of them", async () => {
  const stop = new AbortController();
  const student = scriptedStudent(() => "<|thinking|>\nt\n<|/thinking|>\na");
  const critic = async () => ({
    ...scriptedCritic(),
    giveFeedback: async () => {
      stop.abort(new Error("enough"));
      return { feedback: "f" };
    },
  });
  const context = { ...student, store: await smallStore(), critic };
  await expect(recursiveReasonMany(context, questions, settings, { signal: stop.signal })).rejects.toThrow("enough");
});

test("no questions, no results; an empty one is refused with its number", async () => {
  const context = { ...sampling(), store: await smallStore(), critic: noCritic };
  expect(await recursiveReasonMany(context, [], settings)).toEqual([]);
  await expect(recursiveReasonMany(context, ["a", " "], settings)).rejects.toThrow("question 2: expected a text");
});
