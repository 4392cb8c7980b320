/** @file Accuracy by depth: from scripted rounds, and from a recursion whose own choice it must repeat. */
import { expect, it } from "vitest";
import type { EnvironmentQuestion } from "../../../src/agents/environments/index.js";
import type { MarkingEnvironment } from "../../../src/agents/evaluation/mark-replies.js";
import {
  accuracyByDepth,
  bestOfFirst,
  type Reasoner,
  recursiveReasoner,
  type ScoredReply,
} from "../../../src/agents/evaluation/recursion-depth.js";
import type { Critic } from "../../../src/agents/reasoning/critic.js";
import { recursiveReason } from "../../../src/agents/reasoning/recursive-reasoning.js";
import { createRng } from "../../../src/agents/rng.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";

const environment: MarkingEnvironment = {
  chance: () => 0.5,
  check: (_, reply) => ({ right: reply.endsWith("right"), markable: true, thinkingRight: undefined }),
};
const question = (id: string): EnvironmentQuestion => ({
  id,
  type: "t",
  split: "unseen-material",
  subject: id,
  text: id,
  candidates: [],
});
const scored = (score: number, reply: string): ScoredReply => ({ score, reply, hasAnswer: reply !== "" });

const ROUNDS: Readonly<Record<string, readonly ScoredReply[]>> = {
  improves: [scored(0.2, "wrong"), scored(0.9, "right"), scored(0.5, "wrong")],
  spoiled: [scored(0.2, "right"), scored(0.3, "wrong"), scored(0.1, "right")],
  stops: [scored(1, "right")],
  late: [scored(0.1, "wrong"), scored(0.1, "right"), scored(0.4, "right")],
};

it("keeps the best round so far at each depth, and a recursion that stopped keeps its answer", async () => {
  const seen: number[] = [];
  const reason: Reasoner = async (text, rounds) => {
    seen.push(rounds);
    return ROUNDS[text]!;
  };
  const found = await accuracyByDepth(reason, environment, Object.keys(ROUNDS).map(question), {
    depths: [1, 2, 3],
    seed: 7,
  });
  expect(seen).toEqual([3, 3, 3, 3]);
  // By hand: improves 0 1 1, spoiled 1 0 0, stops 1 1 1, late 0 0 1 (equal scores: the earlier round).
  expect(found.map(({ accuracy }) => accuracy.count)).toEqual([2, 2, 3]);
  expect(found.map(({ meanRounds }) => meanRounds)).toEqual([1, 7 / 4, 10 / 4]);
  expect(found.map(({ change }) => change && [change.gained, change.lost])).toEqual([null, [1, 1], [2, 1]]);
});

it("an answer beats none where scores are equal", () => {
  expect(bestOfFirst([scored(0, ""), scored(0, "right")], 2).reply).toBe("right");
});

it("a question's seed does not depend on the others, and an abort reaches the recursion", async () => {
  const seeds = new Map<string, number>();
  const reason: Reasoner = async (text, _, seed, signal) => {
    signal?.throwIfAborted();
    seeds.set(text, seed);
    return [scored(1, "right")];
  };
  await accuracyByDepth(reason, environment, [question("b")], { depths: [1], seed: 7 });
  const alone = seeds.get("b");
  await accuracyByDepth(reason, environment, [question("a"), question("b")], { depths: [1], seed: 7 });
  expect(seeds.get("b")).toBe(alone);
  const aborted = AbortSignal.abort(new Error("stopped"));
  await expect(
    accuracyByDepth(reason, environment, [question("a")], { depths: [1], seed: 7, signal: aborted }),
  ).rejects.toThrow("stopped");
});

it("at the full depth it keeps the round that the recursion itself calls the best, reply and all", async () => {
  const rng = createRng(5, "scores");
  const store = await smallStore();
  const critic: Critic = {
    modelName: "scripted",
    giveFeedback: async () => ({ feedback: "more" }),
    improveThinking: async ({ thinking }) => ({ thinking: `${thinking}+`, complete: true }),
    integrate: async () => "",
  };
  for (let trial = 0; trial < 12; trial++) {
    const scores = Array.from({ length: 4 }, () => Math.floor(3 * rng.uniform()) / 2);
    const context = () => {
      let round = 0;
      return {
        ...scriptedStudent((prompt) =>
          prompt.endsWith("<|/thinking|>")
            ? `\nanswer ${prompt.split("+").length}`
            : "<|thinking|>\nt\n<|/thinking|>\nanswer 1",
        ),
        store,
        critic: async () => critic,
        score: () => scores[round++] ?? 0,
        evidence: async () => [],
      };
    };
    const sampling = { maxNewTokens: 8, temperature: 0, topP: 1 };
    const replies = await recursiveReasoner(context(), { sampling })("why?", 4, trial);
    const steps = recursiveReason(context(), { question: "why?", rounds: 4, sampling, seed: trial });
    let step = await steps.next();
    while (!step.done) step = await steps.next();
    expect(bestOfFirst(replies, 4).reply).toMatch(new RegExp(`${step.value.answer}$`));
    expect(replies.indexOf(bestOfFirst(replies, 4)) + 1).toBe(step.value.best);
  }
});
