/** @file Recursive reasoning by a critic's feedback: pre-fills to the letter, rounds are scored, the best one wins, and every end has its reason. */
import { expect, test } from "vitest";
import { ingestDocuments } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createWorldCritic, worldEvidence, worldScore } from "../../../src/agents/models/world-critic.js";
import { createCritic, type ScoreInput } from "../../../src/agents/reasoning/critic.js";
import type { ReasoningPlan, ReasoningRound } from "../../../src/agents/reasoning/reasoning-types.js";
import { recursiveReason } from "../../../src/agents/reasoning/recursive-reasoning.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";
import {
  closed,
  collect,
  noCritic,
  numbering,
  openingOf,
  scoreBy,
  scriptedCritic,
  settings,
} from "./scripted-critic.js";

const plan: ReasoningPlan = { ...settings, question: "Why?" };

test("one round calls no critic and is scored", async () => {
  const student = numbering();
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({ t0: 0.5 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 1, integrate: true }));
  expect(result).toMatchObject({ answer: "answer 0", best: 1, stopped: "rounds", integrated: false });
  expect(result.rounds[0]).toMatchObject({ thinking: "t0", section: "found", score: 0.5, opening: "none" });
  // "<|thinking|>\nt0\n<|/thinking|>\nanswer 0" is 12 + 4 + 13 + 9 units, and a unit is a token.
  expect(result.cost).toEqual({ modelCalls: 1, newTokens: 38, criticCalls: 0 });
  expect(result.critic).toBeUndefined();
});

test("the improved thinking opens the next reply, closed where it is complete and open where it is not", async () => {
  const student = numbering();
  const critic = scriptedCritic([closed("t1"), { thinking: "t2 goes", complete: false }]);
  const score = scoreBy({ t0: 0, t1: 0.5, "t2 goes and on": 1 });
  const context = { ...student, store: await smallStore(), critic: async () => critic, score };
  const { result } = await collect(recursiveReason(context, plan));
  expect(student.prompts.map(openingOf)).toEqual(["", "<|thinking|>\nt1\n<|/thinking|>", "<|thinking|>\nt2 goes"]);
  expect(student.prompts.every((prompt) => prompt.startsWith("[user] Why? Use <|thinking|>.[assistant] "))).toBe(true);
  expect(critic.seen).toEqual([
    "feedback on t0",
    "improve t0 by about: t0",
    "feedback on t1",
    "improve t1 by about: t1",
  ]);
  expect(result.rounds.map(({ thinking, feedback, opening }) => [thinking, feedback, opening])).toEqual([
    ["t0", undefined, "none"],
    ["t1", "about: t0", "improved"],
    ["t2 goes and on", "about: t1", "improved"],
  ]);
  expect(result).toMatchObject({ answer: "answer 2", best: 3, stopped: "rounds", critic: "scripted" });
});

test("every step is told as it happens, and the result last", async () => {
  const critic = async () => scriptedCritic([closed("t1")]);
  const context = { ...numbering(), store: await smallStore(), critic, score: scoreBy({ t0: 0, t1: 1 }) };
  const { events, result } = await collect(recursiveReason(context, { ...plan, rounds: 2, integrate: true }));
  const kinds = ["answer", "score", "feedback", "improved", "answer", "score", "integrated", "done"];
  expect(events.map(({ kind }) => kind)).toEqual(kinds);
  expect(events[2]).toEqual({ kind: "feedback", round: 1, from: "critic", feedback: "about: t0" });
  expect(events[3]).toEqual({ kind: "improved", round: 1, thinking: "t1", complete: true });
  expect(events.at(-1)).toEqual({ kind: "done", result });
});

test("a worse last answer does not win, and ends it", async () => {
  const critic = async () => scriptedCritic([closed("worse"), closed("never")]);
  const context = { ...numbering(), store: await smallStore(), critic, score: scoreBy({ t0: 0.6, worse: 0.2 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 5 }));
  expect(result).toMatchObject({ answer: "answer 0", best: 1, stopped: "no-gain" });
  expect(result.rounds).toHaveLength(2);
});

test("of equally good rounds the earliest wins", async () => {
  const critic = async () => scriptedCritic([closed("same"), closed("better"), closed("as good")]);
  const score = scoreBy({ t0: 0.5, same: 0.5, better: 0.8, "as good": 0.8 });
  const context = { ...numbering(), store: await smallStore(), critic, score };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 4, keepGoing: true }));
  expect(result.rounds.map((round) => round.score)).toEqual([0.5, 0.5, 0.8, 0.8]);
  expect(result).toMatchObject({ answer: "answer 2", best: 3 });
});

test("a critic that changes nothing ends it after one answer, and its calls are counted", async () => {
  const critic = async () => scriptedCritic();
  const context = { ...numbering(), store: await smallStore(), critic, score: scoreBy({ t0: 0.6 }) };
  const { result } = await collect(recursiveReason(context, plan));
  expect(result).toMatchObject({ best: 1, stopped: "critic-content", cost: { modelCalls: 1, criticCalls: 2 } });
  expect(result.rounds[0]?.cost.criticCalls).toBe(0);
});

test("keepGoing makes exactly the rounds asked for, from the same thinking where the critic is content", async () => {
  const student = numbering();
  const context = { ...student, store: await smallStore(), critic: async () => scriptedCritic(), score: scoreBy({}) };
  const { result } = await collect(recursiveReason(context, { ...plan, keepGoing: true }));
  expect(result.stopped).toBe("rounds");
  const again = "<|thinking|>\nt0\n<|/thinking|>";
  expect(student.prompts.map(openingOf)).toEqual(["", again, again]);
  expect(result.rounds.map(({ cost }) => [cost.modelCalls, cost.criticCalls])).toEqual([
    [1, 0],
    [1, 2],
    [1, 2],
  ]);
});

test("a score that is high enough ends it", async () => {
  const critic = async () => scriptedCritic([closed("t1"), closed("t2")]);
  const context = { ...numbering(), store: await smallStore(), critic, score: scoreBy({ t1: 0.7, t2: 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, stopAtScore: 0.7 }));
  expect(result).toMatchObject({ best: 2, stopped: "score-reached" });
});

test("the scorer is shown question, thinking, answer and passages, and nothing else", async () => {
  const shown: ScoreInput[] = [];
  const score = (given: ScoreInput) => {
    shown.push(given);
    return 1;
  };
  const context = { ...numbering(), store: await smallStore(), critic: noCritic, score };
  await collect(recursiveReason(context, { ...plan, question: "What is nacre?", rounds: 1, k: 1 }));
  expect(Object.keys(shown[0]!).sort()).toEqual(["answer", "passages", "question", "thinking"]);
  expect(shown[0]).toMatchObject({ question: "What is nacre?", thinking: "t0", answer: "answer 0" });
  expect(shown[0]?.passages.map(({ source }) => source)).toContain("nacre.md");
});

test("the answers are merged only where that is asked for and they differ", async () => {
  const critic = async () => scriptedCritic([closed("t1")]);
  const context = { store: await smallStore(), critic, score: scoreBy({ t0: 0, t1: 1 }) };
  const merging = { ...plan, rounds: 2, integrate: true };
  const { result } = await collect(recursiveReason({ ...context, ...numbering() }, merging));
  expect(result).toMatchObject({ answer: "merged: answer 0 + answer 1", integrated: true, best: 2 });
  expect(result.cost.criticCalls).toBe(3);
  const agreeing = scriptedStudent((prompt) => (openingOf(prompt) === "" ? "<|thinking|>t0<|/thinking|>so" : "\nso"));
  const same = await collect(recursiveReason({ ...context, ...agreeing }, merging));
  expect(same.result).toMatchObject({ answer: "so", integrated: false });
});

test("the critic merges every answer, so that it can see how often each was given", async () => {
  let turn = 0;
  const student = scriptedStudent((prompt) => {
    const answer = ["a", "b", "b"][turn++];
    return openingOf(prompt) === "" ? `<|thinking|>t0<|/thinking|>${answer}` : `\n${answer}`;
  });
  const critic = async () => scriptedCritic([closed("t1"), closed("t2")]);
  const context = { ...student, store: await smallStore(), critic, score: scoreBy({ t1: 0.5, t2: 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, integrate: true }));
  expect(result.answer).toBe("merged: a + b + b");
});

test("a reply without thinking scores 0, and the next one is opened so that the model has to think", async () => {
  let turn = 0;
  const student = scriptedStudent(() => (turn++ === 0 ? "just so" : "t1\n<|/thinking|>\nbetter"));
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({ t1: 0.5, "": 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(openingOf(student.prompts[1]!)).toBe("<|thinking|>\n");
  expect(result.rounds[0]).toMatchObject({ section: "missing", thinking: "", answer: "just so", score: 0 });
  expect(result.rounds[1]?.opening).toBe("thinking");
  expect(result).toMatchObject({ answer: "better", best: 2 });
});

test("a model that does not think even where it has to is not asked a third time", async () => {
  const student = scriptedStudent((prompt) => (openingOf(prompt) === "" ? "just so" : "<|/thinking|>so"));
  const context = { ...student, store: await smallStore(), critic: noCritic };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 9 }));
  expect(result).toMatchObject({ answer: "just so", stopped: "no-thinking" });
  expect(result.rounds.map(({ section }) => section)).toEqual(["missing", "found"]);
});

test("thinking that never ends is a typed outcome without an answer, and the critic may still close it", async () => {
  let turn = 0;
  const student = scriptedStudent(() => (turn++ === 0 ? "<|thinking|>\nand on and on" : "\nat last"));
  const critic = async () => scriptedCritic();
  const context = { ...student, store: await smallStore(), critic, score: scoreBy({ "and on and on": 0.5 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(result.rounds[0]).toMatchObject({ section: "unterminated", answer: "", score: 0 });
  expect(result).toMatchObject({ answer: "at last", best: 2 });
});

test("markers in the critic's thinking do not close the section early", async () => {
  const student = numbering();
  const critic = async () => scriptedCritic([closed("<|thinking|>\nt1<|/thinking|>\n<|reflect|>")]);
  const context = { ...student, store: await smallStore(), critic, score: scoreBy({ t1: 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(openingOf(student.prompts[1]!)).toBe("<|thinking|>\nt1\n<|/thinking|>");
  expect(result).toMatchObject({ best: 2, answer: "answer 1" });
});

test("a critic that fails costs no round that was made, and its reason is kept", async () => {
  const failing = { ...scriptedCritic(), giveFeedback: () => Promise.reject(new Error("out of credit")) };
  const context = { ...numbering(), store: await smallStore(), critic: async () => failing, score: scoreBy({ t0: 1 }) };
  const { result } = await collect(recursiveReason(context, plan));
  expect(result).toMatchObject({ answer: "answer 0", stopped: "critic-failed", failure: "out of credit" });
});

test("where the integration fails, the best answer stands and the reason is kept", async () => {
  const failing = { ...scriptedCritic([closed("t1")]), integrate: () => Promise.reject(new Error("refused")) };
  const context = { ...numbering(), store: await smallStore(), critic: async () => failing, score: scoreBy({ t1: 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2, integrate: true }));
  expect(result).toMatchObject({ answer: "answer 1", stopped: "rounds", integrated: false, failure: "refused" });
});

test("improved thinking that leaves no room for a reply ends it by name", async () => {
  const student = numbering();
  const critic = async () => scriptedCritic([closed("long ".repeat(500))]);
  const context = { ...student, store: await smallStore(), critic, score: scoreBy({ t0: 0.5 }) };
  const { result } = await collect(recursiveReason(context, plan));
  expect(result).toMatchObject({ answer: "answer 0", stopped: "no-room" });
  expect(student.prompts).toHaveLength(1);
});

test.each(["answer", "score", "feedback", "improved"])("an abort after the event %s ends it there", async (kind) => {
  const stop = new AbortController();
  const student = numbering();
  const critic = async () => scriptedCritic([closed("t1")]);
  const reasoning = recursiveReason({ ...student, store: await smallStore(), critic }, plan, stop.signal);
  for (let seen = ""; seen !== kind; ) {
    const { value } = await reasoning.next();
    seen = "kind" in value ? value.kind : kind;
  }
  stop.abort(new Error("enough"));
  await expect(reasoning.next()).rejects.toThrow("enough");
  expect(student.prompts).toHaveLength(1);
});

test("a critic that is aborted does not count as one that failed", async () => {
  const stop = new AbortController();
  const critic = async () => ({
    ...scriptedCritic(),
    async giveFeedback(): Promise<never> {
      stop.abort(new Error("enough"));
      throw new Error("aborted within");
    },
  });
  const context = { ...numbering(), store: await smallStore(), critic };
  await expect(collect(recursiveReason(context, plan, stop.signal))).rejects.toThrow("enough");
});

test("a plan that nothing can come of is refused with all its problems", async () => {
  const context = { ...numbering(), store: await smallStore(), critic: noCritic };
  const impossible = { ...plan, question: " ", rounds: 0.5, stopAtScore: 2, keepGoing: true };
  await expect(collect(recursiveReason(context, impossible))).rejects.toThrow(
    "question 1: expected a text, found nothing; rounds: expected a whole number from 1, found 0.5; " +
      "stopAtScore: expected a number from 0 to 1, found 2; stopAtScore: expected none beside keepGoing",
  );
});

test("in the materials world the critic replaces a wrong fact and leaves the rule to the model", async () => {
  const world = createMaterialsWorld({ seed: 3, materials: 24 });
  const store = await smallStore([]).catch(() => undefined);
  const full = store ?? (await smallStore());
  await ingestDocuments(world.documents, full);
  const question = world.questions("unseen-material").find(({ type }) => type === "stiffness-class")!;
  const fact = (kind: string): string =>
    new RegExp(`The ${kind} of ${question.subject} (?:is|are) \\w+\\.`).exec(
      world.documents.map((d) => d.text).join("\n"),
    )![0];
  const block = fact("building block");
  const surroundings = fact("surroundings");
  const student = scriptedStudent((prompt) => {
    const opened = openingOf(prompt);
    if (opened === "")
      return `<|thinking|>\n${block}\nThe surroundings of ${question.subject} are purple.\n<|/thinking|>\nx`;
    return opened.endsWith("gives the") ? " purple stiffness class.\n<|/thinking|>\ny" : "\n<|/thinking|>\nz";
  });
  const critic = () => createCritic({ model: createWorldCritic() });
  const context = { ...student, store: full, critic, score: worldScore, evidence: worldEvidence(full, 3) };
  const { result } = await collect(recursiveReason(context, { ...plan, question: question.text, rounds: 3 }));
  const openings = student.prompts.map(openingOf);
  expect(openings[1]).toBe(`<|thinking|>\n${block}\n${surroundings}`);
  expect(openings[2]).toMatch(/\nA \w+ block in \w+ surroundings gives the$/);
  expect(result.rounds.map((round: ReasoningRound) => Math.round(round.score * 3))).toEqual([1, 2, 2]);
  expect(result).toMatchObject({ best: 2, stopped: "no-gain", critic: "world-critic" });
});
