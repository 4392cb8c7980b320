/** @file The pairs of a round: what is filtered with its reason, whose replies are rejected, and what ends a run. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentFailure, createAgentCalls } from "../../../src/agents/calls/index.js";
import type { PassageStore } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { judgeOn } from "../../../src/agents/judge.js";
import { createLexicalJudge } from "../../../src/agents/lexical-judge.js";
import { ProgrammaticChatModel } from "../../../src/agents/models/programmatic-chat-model.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { readSection } from "../../../src/agents/prompts.js";
import { readRunLog } from "../../../src/agents/teaching/read-run.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import { readRunPairs } from "../../../src/agents/teaching/run-journal.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";
import { learningStudent, ofKind, planOf, taught } from "./teach-support.js";

const world = createMaterialsWorld({ seed: 3, materials: 24 });
let store: PassageStore;
let worldStore: PassageStore;
let folder: string;
let count = 0;
const place = (): string => join(folder, `run-${count++}`);

beforeAll(async () => {
  [store, worldStore] = await Promise.all([smallStore(), smallStore([...world.documents])]);
  folder = await mkdtemp(join(tmpdir(), "pairs-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Written {
  readonly question: string;
  readonly thinking?: string;
  readonly answer?: string;
  readonly wrong?: string;
}

const GOOD = { thinking: "Tablets slide.", answer: "Because its tablets slide over each other." };

/** A teacher that writes what the list has for a topic, and counts its calls. */
function listTeacher(list: Readonly<Record<string, Written>>) {
  const jobs: string[] = [];
  const byQuestion = new Map(Object.values(list).map((written) => [written.question, written]));
  const teacher = new ProgrammaticChatModel({
    name: "list",
    reply: ({ job, user }) => {
      jobs.push(job);
      const written = byQuestion.get(readSection(user, "question") ?? "");
      if (job === "write-question") {
        const question = list[readSection(user, "topic") ?? ""]?.question;
        if (question === undefined) throw new Error("nothing is known of this topic");
        return { submit: { question } };
      }
      if (job === "write-wrong-answer") return { submit: { answer: written?.wrong ?? "" } };
      const { thinking, answer } = { ...GOOD, ...written };
      return { submit: { thinking, answer } };
    },
  });
  return { teacher, jobs };
}

const run = (teacher: ProgrammaticChatModel, more: Partial<TeachContext> = {}): TeachContext => ({
  ...learningStudent((_, seed) => `guess ${seed}`),
  store,
  teacher,
  ...more,
});

const planFor = (topics: readonly string[], settings: Readonly<Record<string, unknown>> = {}) =>
  planOf({ phases: ["orpo"], topics, max_length: 3000, ...settings });

const reasons = (events: Awaited<ReturnType<typeof taught>>): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { reason } of ofKind(events, "failure")) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
};

describe("what is unfit for training", () => {
  const list = {
    fine: { question: "Why is nacre much tougher than aragonite?" },
    leaking: { question: "Is nacre tough because its tablets slide over each other?" },
    quoting: { question: "What does the passage say about the toughness of nacre?" },
    referring: { question: "Why does wood stand upright in a storm?", answer: "As the text states, its cells wind." },
    looping: {
      question: "Why does the stiffness of wood depend on its angle?",
      thinking: "the cell wall winds around and around ".repeat(6),
    },
    refusing: {
      question: "Why do trees grow their cells from lignin?",
      answer: "I'm sorry, but I can't help with that.",
    },
  } as const;

  test("is left out, each with its reason, and journalled with what exactly", async () => {
    const directory = place();
    const { teacher } = listTeacher(list);
    // Six tasks, and a topic is drawn again while pairs are wanting.
    const events = await taught(run(teacher, { directory }), planFor(Object.keys(list)));
    expect(ofKind(events, "pair").map(({ pair }) => pair.provenance.question)).toEqual([list.fine.question]);
    const counted = reasons(events);
    expect(Object.keys(counted).sort()).toEqual([
      "the chosen reply is unfit: quotes-source",
      "the chosen reply is unfit: refusal",
      "the chosen reply is unfit: repetition",
      "the question is unfit: leaks-answer",
      "the question is unfit: quotes-source",
      "the question was asked before",
    ]);
    const log = await readRunLog(directory);
    expect(log.failures).toEqual(counted);
    const lines = (await readFile(join(directory, "failures.jsonl"), "utf8")).trim().split("\n");
    const quoting = lines.map((line) => JSON.parse(line)).find(({ topic }) => topic === "quoting");
    expect(quoting).toMatchObject({ round: 1, detail: 'it points at a source: "the passage"' });
  });

  test("of an environment is what it does not ask: its closed questions are not filtered as free text", async () => {
    const context = run(createWorldTeacher({ allowed: world.isTrainable }), { store: worldStore, environment: world });
    const events = await taught(context, planOf({ phases: ["orpo"], topics: 6, max_length: 3000 }));
    expect(ofKind(events, "pair")).toHaveLength(6);
    expect(reasons(events)).toEqual({});
  });
});

test("a question is not asked again in a later round, nor one that is held out, in nearly the same words", async () => {
  const near = "Explain why nacre is much tougher than aragonite?";
  const asked = ["Why is nacre much tougher than aragonite?", near, near, "How does wood carry its load?"];
  const teacher = new ProgrammaticChatModel({
    name: "series",
    reply: ({ job }) => (job === "write-question" ? { submit: { question: asked.shift() ?? near } } : { submit: GOOD }),
  });
  const plan = planOf({ phases: ["orpo"], topics: 1, held_out_pairs: 1, concurrency: 1, max_length: 3000 });
  const events = await taught(run(teacher), plan);
  expect(ofKind(events, "pair").map(({ pair }) => pair.provenance.question)).toEqual(["How does wood carry its load?"]);
  expect(reasons(events)).toEqual({ "the question is held out, in these or nearly these words": 2 });
  const again = [...asked, "How does wood carry its load?", "How does wood carry its loads?", "Why is lignin brown?"];
  asked.push("Why is nacre white inside?", ...again);
  const two = await taught(run(teacher), { ...plan, heldOutPairs: 0, phases: [{ ...plan.phases[0]!, iterations: 3 }] });
  expect(ofKind(two, "pair").map(({ pair }) => pair.provenance.question)).toEqual([
    "Why is nacre white inside?",
    "How does wood carry its load?",
    "Why is lignin brown?",
  ]);
  expect(reasons(two)).toEqual({ "the question was asked before, in these or nearly these words": 1 });
});

describe("several samples of a question", () => {
  const topics = ["fine"];
  const { teacher } = listTeacher({ fine: { question: "Why is nacre much tougher than aragonite?" } });
  const settings = { student_samples: 3, temperature: 1 };

  test("are taken in the same batch with seeds of their own, the first with the one it would have alone", async () => {
    const seeds: number[][] = [];
    const context = (): TeachContext => {
      const student = scriptedStudent((_, seed) => `guess ${seed}`);
      const policy = {
        ...student.policy,
        generate: async (...args: Parameters<typeof student.policy.generate>) => {
          seeds.push(args[0].map(({ seed }) => seed));
          return student.policy.generate(...args);
        },
      };
      return { ...run(teacher), ...student, policy };
    };
    await taught(context(), planFor(topics, settings));
    await taught(context(), planFor(topics));
    const [three, one] = seeds as [number[], number[]];
    expect(new Set(three).size).toBe(3);
    expect(one).toEqual([three[0]]);
  });

  test("leave the pair with how many there were, which one it is and by which rule", async () => {
    let n = 0;
    const says = ["Its tablets break.", "Because its tablets slide over it.", "It is white."];
    const student = learningStudent(() => says[n++] ?? "");
    const context = { ...run(teacher), ...student };
    const [pair] = ofKind(
      await taught(context, planFor(topics, { ...settings, rejected_rule: "most-similar" })),
      "pair",
    ).map(({ pair: made }) => made);
    expect(pair?.rejected).toBe(says[1]);
    expect(pair?.provenance).toMatchObject({ samples: 3, sample: 1, rule: "most-similar" });
  });
});

describe("only wrong answers on free text", () => {
  const list = {
    nacre: { question: "Why is nacre much tougher than aragonite?", answer: "Its tablets slide and spread damage." },
    wood: { question: "How does wood become stiff along the grain?", answer: "A small microfibril angle." },
  };
  const settings = { only_include_wrong_answers: true, min_pairs: 1 };

  test("are those that the lexical judge says are wrong; the verdict goes with the pair and into the graph", async () => {
    const directory = place();
    const student = learningStudent((prompt) =>
      prompt.includes("nacre") ? "Tablets slide, and that spreads the damage." : "Lignin makes it so.",
    );
    const context = { ...run(listTeacher(list).teacher), ...student, judge: createLexicalJudge(), directory };
    const events = await taught(context, planFor(Object.keys(list), settings));
    expect(ofKind(events, "pair").map(({ pair }) => [pair.provenance.topic, pair.provenance.verdict])).toEqual([
      ["wood", { rejected: { right: false, reason: expect.stringMatching(/^F1 0\.00/) }, judge: "lexical-judge" }],
    ]);
    expect(reasons(events)["the student's answer is right"]).toBeGreaterThan(0);
    const state = JSON.parse(await readFile(join(directory, "state.json"), "utf8")) as { graph: string };
    expect(await readFile(join(directory, state.graph), "utf8")).toContain('"outcomes":[{"round":1,"right":false}]');
  });

  test("leave out what could not be judged, with a reason of its own", async () => {
    const judge = judgeOn({
      name: "away",
      compare: () => Promise.reject(new Error("out of reach")),
      mark: async ({ question }) => {
        if (question.includes("nacre")) throw new AgentFailure("timeout", "out of reach");
        return { verdict: "wrong", reason: "No." };
      },
    });
    const events = await taught(run(listTeacher(list).teacher, { judge }), planFor(Object.keys(list), settings));
    expect(ofKind(events, "pair").map(({ pair }) => pair.provenance.topic)).toEqual(["wood"]);
    expect(reasons(events)).toMatchObject({
      "the judge could not say whether the student's answer is right": expect.any(Number),
    });
  });

  test("that are too few end the run before it trains, with the counts", async () => {
    const student = learningStudent(() => "Tablets slide and spread damage at a small microfibril angle.");
    const context = { ...run(listTeacher(list).teacher), ...student, judge: createLexicalJudge() };
    await expect(taught(context, planFor(Object.keys(list), { ...settings, min_pairs: 2 }))).rejects.toThrow(
      /round 1: expected up to 2 preference pairs and at least 2, found 0 \(.*\d × the student's answer is right.*turn only_include_wrong_answers off/s,
    );
    expect(student.learned.batches).toEqual([]);
  });
});

describe("rejected replies that the teacher writes", () => {
  const settings = { get_rejected_from_trained_model: false };

  test("are its wrong answers, without thinking, and the student is not asked", async () => {
    const list = {
      nacre: { question: "Why is nacre much tougher than aragonite?", wrong: "It holds more iron." },
      same: { question: "How does wood become stiff along the grain?", wrong: GOOD.answer.toUpperCase() },
    };
    const student = learningStudent(() => "never");
    const { teacher, jobs } = listTeacher(list);
    const events = await taught({ ...run(teacher), ...student }, planFor(Object.keys(list), settings));
    expect(student.prompts).toEqual([]);
    expect(ofKind(events, "pair").map(({ pair }) => [pair.rejected, pair.provenance.rule])).toEqual([
      ["It holds more iron.", "teacher"],
    ]);
    expect(reasons(events)).toMatchObject({ "the teacher's wrong answer is the right one": expect.any(Number) });
    expect(jobs).toContain("write-wrong-answer");
  });

  test("of the world's teacher are wrong by the world's checker, in every pair", async () => {
    const context = run(createWorldTeacher({ allowed: world.isTrainable }), { store: worldStore, environment: world });
    const events = await taught(context, planOf({ phases: ["orpo"], topics: 12, max_length: 3000, ...settings }));
    const pairs = ofKind(events, "pair").map(({ pair }) => pair);
    expect(pairs).toHaveLength(12);
    for (const { rejected, provenance } of pairs) {
      const question = world.questions("train").find(({ text }) => text === provenance.question)!;
      expect(world.check(question, rejected)).toMatchObject({ right: false, markable: true });
    }
    expect(new Set(pairs.map(({ rejected }) => rejected)).size).toBeGreaterThan(6);
  });
});

test("what the model's context cannot hold is not asked of it: samples are shorter, and longer pairs are left out", async () => {
  const layers = Array.from({ length: 40 }, (_, i) => `Layer ${i} winds at ${7 * i} degrees.`);
  const { teacher } = listTeacher({
    short: { question: "Why is nacre much tougher than aragonite?" },
    long: {
      question: "How does wood become stiff along the grain?",
      thinking: layers.join(" "),
    },
  });
  const student = scriptedStudent((_, seed) => `guess ${seed}`);
  const policy = { ...student.policy, info: { ...student.policy.info, contextLength: 512 } };
  const plan = planFor(["short", "long"], { max_prompt_length: 200, max_length: 2000, max_new_tokens: 1500 });
  const events = await taught({ ...run(teacher), ...student, policy }, plan);
  expect(ofKind(events, "pair").map(({ pair }) => pair.provenance.topic)).toEqual(["short"]);
  expect(reasons(events)).toMatchObject({ "dropped when tokenized: end-marker-cut": 1 });
  expect(student.generateCalls[0]?.maxNewTokens).toBe(312); // 512 − 200
});

test("a budget that is spent ends the run; what was made is kept, and it goes on with a larger one", async () => {
  const directory = place();
  const context = (callBudget: number): TeachContext => ({
    ...run(createWorldTeacher({ allowed: world.isTrainable }), { store: worldStore, environment: world }),
    directory,
    calls: createAgentCalls({ callBudget, cacheFolder: join(directory, "teacher-calls") }),
  });
  const plan = planOf({ phases: ["orpo"], iterations: 2, topics: 4, max_length: 3000, concurrency: 1 });
  // A pair takes at least three calls: a question, a retrieval and an answer.
  await expect(taught(context(24), plan)).rejects.toThrow(/budget/);
  const before = await readRunPairs(directory);
  expect(before).toHaveLength(4);
  await taught(context(1000), plan);
  const after = await readRunPairs(directory);
  expect(after).toHaveLength(8);
  expect(after.slice(0, 4)).toEqual(before);
});
