/** @file The outer loop: every pair and failure is told, files depend on the seed alone, nothing is trained on nothing. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fakeModel } from "@langchain/core/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ingestDocuments, type PassageStore } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { balancedTopics } from "../../../src/agents/teaching/round-pairs.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import { teach } from "../../../src/agents/teaching/teach.js";
import type { TeachPlan } from "../../../src/agents/teaching/teach-plan.js";
import { scriptedStudent, smallStore } from "../scripted-student.js";
import { ofKind, planOf, taught } from "./teach-support.js";

const world = createMaterialsWorld({ seed: 3, materials: 24 });
let store: PassageStore;
let folder: string;

beforeAll(async () => {
  store = await smallStore();
  await ingestDocuments(world.documents, store);
  folder = await mkdtemp(join(tmpdir(), "teach-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const plan = planOf({ iterations: 2, topics: 6, warmup_steps: 4 });
const withPhase = (phase: Partial<TeachPlan["phases"][number]>, more: Partial<TeachPlan> = {}): TeachPlan => ({
  ...plan,
  ...more,
  phases: [{ ...plan.phases[0]!, ...phase }],
});

const context = (
  student = scriptedStudent((_, seed) => `guess ${seed}`),
): TeachContext & { student: typeof student } => ({
  ...student,
  student,
  store,
  teacher: createWorldTeacher({ allowed: world.isTrainable }),
  environment: world,
});

const events = (of: TeachContext, with_: TeachPlan) => taught(of, with_);

test("a round makes its pairs, passes over them, and the rate warms up", async () => {
  const of = context();
  const seen = await events(of, plan);
  expect(ofKind(seen, "pair")).toHaveLength(12);
  expect(ofKind(seen, "step").map(({ step, round }) => [round, step])).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n > 4 ? 2 : 1, n]),
  );
  expect(of.student.batches.map(({ batch }) => batch.pairs.length)).toEqual([4, 2, 4, 2, 4, 2, 4, 2]);
  expect(of.student.batches.map(({ options }) => options.learningRate)).toEqual([
    0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3,
  ]);
  expect(of.student.batches[0]?.batch.pairs).not.toEqual(of.student.batches[2]?.batch.pairs);
});

test("pairs are of training questions alone, each once a round, types in balance, with the checker's verdicts", async () => {
  const pairs = ofKind(await events(context(), withPhase({ iterations: 1, topics: 9 })), "pair").map(
    ({ pair }) => pair,
  );
  const asked = pairs.map((pair) => world.questions("train").find(({ text }) => text === pair.provenance.question));
  expect(new Set(asked.map((question) => question?.id)).size).toBe(9);
  const counts = ["failure-class", "mechanism-class", "stiffness-class"].map(
    (type) => asked.filter((q) => q?.type === type).length,
  );
  expect(counts).toEqual([3, 3, 3]);
  for (const { provenance } of pairs) {
    expect(provenance.verdict).toMatchObject({
      chosen: { right: true, thinkingRight: true },
      rejected: { right: false },
    });
    expect(provenance.student).toBe("0123456789abcdef@0");
  }
});

test("topics differ between rounds and seeds and name every training question once", () => {
  const topics = balancedTopics(world, 1, 1);
  expect(new Set(topics).size).toBe(world.questions("train").length);
  expect(balancedTopics(world, 1, 2)).not.toEqual(topics);
  expect(balancedTopics(world, 1, 1)).toEqual(topics);
});

test("the files depend on the seed alone: not on concurrency, and not on the clock", async () => {
  const files = async (name: string, more: Partial<TeachPlan>) => {
    const directory = join(folder, name);
    await events({ ...context(), directory }, { ...plan, ...more });
    return Promise.all(["pairs.jsonl", "metrics.jsonl"].map((file) => readFile(join(directory, file), "utf8")));
  };
  const [one, two, other] = [
    await files("a", { concurrency: 1 }),
    await files("b", { concurrency: 7 }),
    await files("c", { seed: 12 }),
  ];
  expect(two).toEqual(one);
  expect(other[0]).not.toEqual(one[0]);
  expect(one[0]!.trim().split("\n")).toHaveLength(12);
  expect(JSON.parse(one[1]!.split("\n")[0]!)).toMatchObject({
    kind: "step",
    step: 1,
    round: 1,
    loss: 1,
    learning_rate: 0.25e-3,
    epoch: 0.5,
  });
  const timing = (await readFile(join(folder, "a", "timing.jsonl"), "utf8")).split("\n")[0]!;
  expect(JSON.parse(timing)).toMatchObject({ kind: "step", step: 1, ms: expect.any(Number) });
});

test("a checkpoint follows every round, named after the step", async () => {
  const of = { ...context(), directory: join(folder, "d") };
  const seen = await events(of, plan);
  expect(ofKind(seen, "checkpoint").map(({ path }) => path)).toEqual(
    [4, 8].map((step) => join(folder, "d", `checkpoint-${step}`)),
  );
});

test("held-out questions are evaluated before the first round and after each, held-out pairs are never trained on", async () => {
  const of = context();
  const evaluationQuestions = [...world.questions("unseen-material"), ...world.questions("unseen-combination")];
  const seen = await events(of, { ...plan, evaluateEvery: 1, evaluationQuestions, heldOutPairs: 4 });
  expect(ofKind(seen, "evaluation").map(({ round, result }) => [round, result.split])).toEqual(
    [0, 1, 2].flatMap((round) => [
      [round, "unseen-material"],
      [round, "unseen-combination"],
    ]),
  );
  expect(ofKind(seen, "preference-accuracy").map(({ round, accuracy, n }) => [round, accuracy, n])).toEqual(
    [0, 1, 2].map((r) => [r, 1, 4]),
  );
  const sampled = of.student.prompts.filter((prompt) => prompt.includes("Use <|thinking|>")).slice(0, 4);
  const trained = ofKind(seen, "pair").map(({ pair }) => `[user] ${pair.prompt}[assistant] `);
  expect(sampled.filter((prompt) => trained.includes(prompt))).toEqual([]);
});

test("only wrong answers: pairs that the student answers rightly are dropped and counted, and others are drawn", async () => {
  const answers = new Map<string, string>();
  for (const question of world.questions("train")) {
    const right = question.candidates.find((answer) => world.check(question, answer).right)!;
    answers.set(question.text, question.type === "stiffness-class" ? right : "no idea");
  }
  const student = scriptedStudent((prompt) => answers.get(/\[user\] (.*\?)/.exec(prompt)![1]!) ?? "");
  const seen = await events(context(student), withPhase({ iterations: 1, onlyWrong: true }));
  expect(ofKind(seen, "pair")).toHaveLength(6);
  const reasons = ofKind(seen, "failure").map(({ reason }) => reason);
  expect(new Set(reasons)).toEqual(new Set(["the student's answer is right"]));
});

test("a round without pairs trains nothing and says what dropped them and what to do", async () => {
  const student = scriptedStudent(() => "");
  const run = events(context(student), plan);
  await expect(run).rejects.toThrow(
    /round 1: expected up to 6 preference pairs and at least 1, found 0 \(24 × the student's sample is empty\).*Nothing was trained/s,
  );
  expect(student.batches).toEqual([]);
});

test("a teacher that asks a held-out question is refused", async () => {
  const heldOut = world.questions("unseen-material")[0]!.text;
  const model = fakeModel();
  for (let i = 0; i < 8; i++) model.respondWithTools([{ name: "submit-question", args: { question: heldOut } }]);
  const of = { ...context(), teacher: model };
  await expect(events(of, withPhase({ topics: 2 }))).rejects.toThrow("8 × the question is held out");
});

test("replay rows go into every step, other ones each time", async () => {
  const of = {
    ...context(),
    replay: (count: number, seed: number) =>
      Array.from({ length: count }, () => ({ ids: Int32Array.of(seed), labels: Uint8Array.of(1) })),
  };
  await events(of, withPhase({ iterations: 1, replayShare: 0.75 }));
  expect(of.student.batches.map(({ batch }) => batch.texts.length)).toEqual([3, 3, 3, 3]);
  expect(new Set(of.student.batches.map(({ batch }) => batch.texts[0]?.ids[0])).size).toBe(4);
});

test("a corpus without an environment is drawn from at random, and a question is asked once a round", async () => {
  const { environment: _, ...of } = { ...context(), store: await smallStore(), teacher: createExtractiveTeacher() };
  const pairs = ofKind(await events(of, withPhase({ iterations: 1 })), "pair").map(({ pair }) => pair);
  expect(pairs.length).toBeGreaterThan(0);
  expect(new Set(pairs.map((pair) => pair.provenance.question)).size).toBe(pairs.length);
  expect(pairs.every((pair) => pair.provenance.teacher === "extractive-teacher")).toBe(true);
});

test("all problems of a plan are told at once", async () => {
  const { environment: _, ...of } = context();
  const run = events(of, withPhase({ iterations: 0, batchPairs: 1.5, onlyWrong: true, replayShare: 2, topics: [] }));
  await expect(run).rejects.toThrow(/iterations: .*batchPairs: .*topics: .*onlyWrong: .*replayShare: /s);
});

test("an abort stops between steps", async () => {
  const stop = new AbortController();
  const of = { ...context(), signal: stop.signal };
  const run = (async () => {
    for await (const event of teach(of, plan))
      if (event.kind === "step" && event.step === 2) stop.abort(new Error("enough"));
  })();
  await expect(run).rejects.toThrow("enough");
  expect(of.student.batches).toHaveLength(2);
});
