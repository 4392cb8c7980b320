/** @file Recursive reasoning: rounds are scored, the best one wins, and it stops when nothing is gained. */
import { expect, test } from "vitest";
import { ingestDocuments } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createWorldCritic, worldEvidence, worldScore } from "../../../src/agents/models/world-critic.js";
import { type Critic, createCritic, type ThinkingScorer } from "../../../src/agents/reasoning/critic.js";
import {
  type ReasoningPlan,
  type ReasoningResult,
  type ReasoningRound,
  recursiveReason,
} from "../../../src/agents/reasoning/recursive-reasoning.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";

const plan: ReasoningPlan = {
  question: "Why?",
  rounds: 3,
  seed: 0,
  sampling: { maxNewTokens: 64, temperature: 0, topP: 1 },
};

const noCritic = async (): Promise<Critic> => {
  throw new Error("the critic was called");
};

/** A critic that marks the thinking it has seen, up to a number of times. */
function scriptedCritic(changes: readonly { thinking: string; complete: boolean }[], merged = "merged"): Critic {
  let call = 0;
  return {
    modelName: "scripted",
    critique: async ({ thinking }) => ({
      feedback: `about: ${thinking}`,
      ...(changes[call++] ?? { thinking, complete: true }),
    }),
    integrate: async ({ answers }) => `${merged}: ${answers.join(" + ")}`,
  };
}

const scoreBy =
  (scores: Readonly<Record<string, number>>): ThinkingScorer =>
  ({ thinking }) =>
    scores[thinking] ?? 0;

async function collect(reasoning: AsyncGenerator<ReasoningRound, ReasoningResult>) {
  const seen: ReasoningRound[] = [];
  for (;;) {
    const next = await reasoning.next();
    if (next.done === true) return { seen, result: next.value };
    seen.push(next.value);
  }
}

/** Answers with the number of the turn; thinks "t0" unless the reply was opened for it. */
function numbering() {
  let turn = 0;
  return scriptedStudent((prompt) => {
    const answer = `\nanswer ${turn++}`;
    if (prompt.endsWith("<|/thinking|>")) return answer;
    return prompt.endsWith("[assistant] ")
      ? `<|thinking|>\nt0\n<|/thinking|>${answer}`
      : ` and on\n<|/thinking|>${answer}`;
  });
}

test("one round calls no critic and is scored", async () => {
  const student = numbering();
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({ t0: 0.5 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 1, integrate: true }));
  expect(result).toMatchObject({ answer: "answer 0", best: 1, stopped: "rounds", integrated: false });
  expect(result.rounds[0]).toMatchObject({ thinking: "t0", section: "found", score: 0.5 });
});

test("the improved thinking opens the next reply, closed where it is complete and open where it is not", async () => {
  const student = numbering();
  const critic = async () =>
    scriptedCritic([
      { thinking: "t1", complete: true },
      { thinking: "t2 goes", complete: false },
    ]);
  const score = scoreBy({ t0: 0, t1: 0.5, "t2 goes and on": 1 });
  const { seen, result } = await collect(
    recursiveReason({ ...student, store: await smallStore(), critic, score }, plan),
  );
  expect(student.prompts.map((prompt) => prompt.split("[assistant] ")[1])).toEqual([
    "",
    "<|thinking|>\nt1\n<|/thinking|>",
    "<|thinking|>\nt2 goes",
  ]);
  expect(seen.map(({ thinking, feedback }) => [thinking, feedback])).toEqual([
    ["t0", undefined],
    ["t1", "about: t0"],
    ["t2 goes and on", "about: t1"],
  ]);
  expect(result).toMatchObject({ answer: "answer 2", best: 3, stopped: "rounds" });
});

test("a worse round does not win, and ends it", async () => {
  const critic = async () =>
    scriptedCritic([
      { thinking: "worse", complete: true },
      { thinking: "never", complete: true },
    ]);
  const context = { ...numbering(), store: await smallStore(), critic, score: scoreBy({ t0: 0.6, worse: 0.2 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 5 }));
  expect(result).toMatchObject({ answer: "answer 0", best: 1, stopped: "no-gain" });
  expect(result.rounds).toHaveLength(2);
});

test("a critic that changes nothing ends it after one answer", async () => {
  const context = {
    ...numbering(),
    store: await smallStore(),
    critic: async () => scriptedCritic([]),
    score: scoreBy({ t0: 0.6 }),
  };
  const { result } = await collect(recursiveReason(context, plan));
  expect(result).toMatchObject({ best: 1, stopped: "critic-content" });
});

test("the answers are merged only where that is asked for", async () => {
  const critic = async () => scriptedCritic([{ thinking: "t1", complete: true }]);
  const context = { store: await smallStore(), critic, score: scoreBy({ t0: 0, t1: 1 }) };
  const { result } = await collect(
    recursiveReason({ ...context, ...numbering() }, { ...plan, rounds: 2, integrate: true }),
  );
  expect(result).toMatchObject({ answer: "merged: answer 0 + answer 1", integrated: true, best: 2 });
});

test("a reply without thinking scores 0, and the next one is opened so that the model has to think", async () => {
  let turn = 0;
  const student = scriptedStudent(() => (turn++ === 0 ? "just so" : "t1\n<|/thinking|>\nbetter"));
  const context = { ...student, store: await smallStore(), critic: noCritic, score: scoreBy({ t1: 0.5, "": 1 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(student.prompts[1]?.endsWith("[assistant] <|thinking|>\n")).toBe(true);
  expect(result.rounds[0]).toMatchObject({ section: "missing", thinking: "", answer: "just so", score: 0 });
  expect(result).toMatchObject({ answer: "better", best: 2 });
});

test("thinking that never ends is a typed outcome without an answer, and the critic may still close it", async () => {
  let turn = 0;
  const student = scriptedStudent(() => (turn++ === 0 ? "<|thinking|>\nand on and on" : "\nat last"));
  const critic = async () => scriptedCritic([{ thinking: "and on and on", complete: true }]);
  const context = { ...student, store: await smallStore(), critic, score: scoreBy({ "and on and on": 0.5 }) };
  const { result } = await collect(recursiveReason(context, { ...plan, rounds: 2 }));
  expect(result.rounds[0]).toMatchObject({ section: "unterminated", answer: "", score: 0 });
  expect(result).toMatchObject({ answer: "at last", best: 2 });
});

test("an abort between rounds stops it", async () => {
  const stop = new AbortController();
  const critic = async () => scriptedCritic([{ thinking: "t1", complete: true }]);
  const context = { ...numbering(), store: await smallStore(), critic };
  const reasoning = recursiveReason(context, plan, stop.signal);
  await reasoning.next();
  stop.abort(new Error("enough"));
  await expect(reasoning.next()).rejects.toThrow("enough");
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
    const opened = prompt.split("[assistant] ")[1]!;
    if (opened === "")
      return `<|thinking|>\n${block}\nThe surroundings of ${question.subject} are purple.\n<|/thinking|>\nx`;
    return opened.endsWith("gives the") ? " purple stiffness class.\n<|/thinking|>\ny" : "\n<|/thinking|>\nz";
  });
  const critic = () => createCritic({ model: createWorldCritic() });
  const context = { ...student, store: full, critic, score: worldScore, evidence: worldEvidence(full, 3) };
  const { result } = await collect(recursiveReason(context, { ...plan, question: question.text, rounds: 3 }));
  const openings = student.prompts.map((prompt) => prompt.split("[assistant] ")[1]);
  expect(openings[1]).toBe(`<|thinking|>\n${block}\n${surroundings}`);
  expect(openings[2]).toMatch(/\nA \w+ block in \w+ surroundings gives the$/);
  expect(result.rounds.map((round) => Math.round(round.score * 3))).toEqual([1, 2, 2]);
  expect(result).toMatchObject({ best: 2, stopped: "no-gain" });
});
