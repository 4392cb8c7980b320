/** @file Recursive reasoning by the model's own reflection: its reflect section is the feedback, whatever became of the section. */
import { expect, test } from "vitest";
import { readReply } from "../../../src/agents/reasoning/read-reply.js";
import type { ReasoningPlan } from "../../../src/agents/reasoning/reasoning-types.js";
import { recursiveReason } from "../../../src/agents/reasoning/recursive-reasoning.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";
import { closed, collect, noCritic, openingOf, scoreBy, scriptedCritic, settings } from "./scripted-critic.js";

const plan: ReasoningPlan = { ...settings, mode: "reflection", question: "Why?", rounds: 1 };

const thinks = (text: string): string => `<|thinking|>\n${text}\n<|/thinking|>`;
const reflects = (text: string): string => `<|reflect|>\n${text}\n<|/reflect|>`;

/** A reply after the other, whatever is asked. */
function replying(...replies: readonly string[]) {
  let turn = 0;
  return scriptedStudent(() => replies[turn++] ?? "out of script");
}

test.each([
  [
    "both sections",
    `${thinks("t")}\n${reflects("f")}\ny`,
    { thinking: "t", section: "found", reflection: "f", reflectSection: "found", answer: "y" },
  ],
  [
    "a reflection that breaks off",
    `${thinks("t")}\n<|reflect|>\nf`,
    { thinking: "t", section: "found", reflection: "f", reflectSection: "unterminated", answer: "" },
  ],
  [
    "no reflection",
    `${thinks("t")}\ny`,
    { thinking: "t", section: "found", reflection: "", reflectSection: "missing", answer: "y" },
  ],
  [
    "thinking that breaks off",
    "<|thinking|>\nt",
    { thinking: "t", section: "unterminated", reflection: "", reflectSection: "missing", answer: "" },
  ],
  [
    "a reflection on nothing",
    `${reflects("f")}y`,
    { thinking: "", section: "missing", reflection: "f", reflectSection: "found", answer: "y" },
  ],
  ["nothing", "", { thinking: "", section: "missing", reflection: "", reflectSection: "missing", answer: "" }],
])("a reply with %s is read by its sections", (_, text, read) => {
  expect(readReply(text)).toEqual(read);
});

test("the critic improves the thinking by the reflection and gives no feedback of its own", async () => {
  const student = replying(`${thinks("t0")}\n${reflects("f0")}\nfirst`, `\n${reflects("f1")}\nsecond`);
  const critic = scriptedCritic([closed("t1")]);
  const context = { ...student, store: await smallStore(), critic: async () => critic, score: scoreBy({ t1: 1 }) };
  const { events, result } = await collect(recursiveReason(context, plan));
  expect(critic.seen).toEqual(["improve t0 by f0"]);
  expect(student.prompts.map(openingOf)).toEqual(["", "<|thinking|>\nt1\n<|/thinking|>"]);
  expect(events).toContainEqual({ kind: "feedback", round: 1, from: "reflection", feedback: "f0" });
  expect(result.rounds.map(({ thinking, reflection, answer, feedback }) => [thinking, reflection, answer, feedback])) //
    .toEqual([
      ["t0", "f0", "first", undefined],
      ["t1", "f1", "second", "f0"],
    ]);
  expect(result).toMatchObject({ answer: "second", best: 2, stopped: "rounds", cost: { criticCalls: 1 } });
});

test("rounds count the improvements: two of them make three answers", async () => {
  const student = replying(`${thinks("t0")}${reflects("f0")}a`, `${reflects("f1")}b`, `${reflects("f2")}c`);
  const critic = scriptedCritic([closed("t1"), closed("t2"), closed("t3")]);
  const context = {
    ...student,
    store: await smallStore(),
    critic: async () => critic,
    score: scoreBy({ t1: 0.5, t2: 1 }),
  };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(critic.seen).toEqual(["improve t0 by f0", "improve t1 by f1"]);
  expect(result.rounds.map(({ answer }) => answer)).toEqual(["a", "b", "c"]);
  expect(result.stopped).toBe("rounds");
});

test("a reflection that breaks off is used as far as it goes, and has no answer after it", async () => {
  const student = replying(`${thinks("t0")}<|reflect|>\nhalf a f`, "y");
  const critic = scriptedCritic([closed("t1")]);
  const context = {
    ...student,
    store: await smallStore(),
    critic: async () => critic,
    score: scoreBy({ t0: 1, t1: 0.5 }),
  };
  const { result } = await collect(recursiveReason(context, plan));
  expect(critic.seen).toEqual(["improve t0 by half a f"]);
  expect(result.rounds[0]).toMatchObject({ reflectSection: "unterminated", answer: "", score: 0 });
  expect(result).toMatchObject({ answer: "y", best: 2 });
});

test("where the model did not reflect, the next reply is opened so that it has to, and the round says so", async () => {
  const student = replying(`${thinks("t0")}\nfirst`, "f0\n<|/reflect|>\nsecond", "\nthird");
  const critic = scriptedCritic([closed("t1")]);
  const context = {
    ...student,
    store: await smallStore(),
    critic: async () => critic,
    score: scoreBy({ t0: 0.5, t1: 1 }),
  };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(student.prompts.map(openingOf)).toEqual([
    "",
    "<|thinking|>\nt0\n<|/thinking|>\n<|reflect|>\n",
    "<|thinking|>\nt1\n<|/thinking|>",
  ]);
  expect(result.rounds[0]).toMatchObject({ reflectSection: "missing", reflection: "" });
  expect(result.rounds[1]).toMatchObject({ opening: "reflection", reflection: "f0", answer: "second", score: 0.5 });
  expect(critic.seen).toEqual(["improve t0 by f0"]);
  expect(result).toMatchObject({ answer: "third", best: 3, stopped: "rounds" });
});

test("a model that does not reflect even where it has to ends it by name, with its best answer", async () => {
  const student = replying(`${thinks("t0")}\nfirst`, "<|/reflect|>\nsecond");
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({ t0: 0.5 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 5 }));
  expect(result).toMatchObject({ answer: "first", stopped: "no-reflection", cost: { modelCalls: 2, criticCalls: 0 } });
});

test("a model that does not think is made to think before it is made to reflect", async () => {
  const student = replying("just so", "t0\n<|/thinking|>\nso", "f\n<|/reflect|>\nthus");
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({}) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(result.rounds.map(({ opening }) => opening)).toEqual(["none", "thinking", "reflection"]);
});

test("what is merged follows the reflect sections", async () => {
  const student = replying(`${thinks("t0")}${reflects("f0")}\nfirst`, `${reflects("f1")}\nsecond`);
  const critic = scriptedCritic([closed("t1")]);
  const context = { ...student, store: await smallStore(), critic: async () => critic, score: scoreBy({ t1: 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, integrate: true }));
  expect(result).toMatchObject({ answer: "merged: first + second", integrated: true });
});

test("with feedback from a critic a reflection is no part of the answer either", async () => {
  const student = replying(`${thinks("t0")}${reflects("f0")}\ny`);
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({}) };
  const { result } = await collect(recursiveReason(context, { ...plan, mode: "thinking" }));
  expect(result).toMatchObject({ answer: "y", rounds: [{ reflection: "f0" }] });
});
