/** @file The loop in the caller's hands: train, sample, save, make the pairs anew, in whatever order. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PassageStore } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { type ActiveTrainerOptions, createActiveTrainer } from "../../../src/agents/teaching/active-trainer.js";
import { smallStore } from "../scripted-student.js";
import { learningStudent, ofKind, planOf, quickPairs, scoreAt, taught } from "./teach-support.js";

const world = createMaterialsWorld({ seed: 3, materials: 24 });
let store: PassageStore;
let worldStore: PassageStore;
let folder: string;
beforeAll(async () => {
  [store, worldStore] = await Promise.all([smallStore(), smallStore([...world.documents])]);
  folder = await mkdtemp(join(tmpdir(), "active-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = {
  seed: 11,
  loss_type: "orpo",
  topics: 3,
  n_steps: 2,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 1,
  learning_rate: 1e-3,
  max_new_tokens: 40,
  max_prompt_length: 500,
  max_length: 2000,
};

type Learning = ReturnType<typeof learningStudent>;
const student = (): Learning => learningStudent((_, seed, theta) => `guess ${seed} of ${theta.join(" and ")}`);

const create = (more: Partial<ActiveTrainerOptions> = {}, of = student()) =>
  createActiveTrainer({ ...of, store, teacher: createExtractiveTeacher(), pairSource: quickPairs, settings, ...more });

test("the published loop: train, sample, save, update the data set, against the model as it has become", async () => {
  const of = student();
  const trainer = await create({}, of);
  const weights: string[] = [];
  for (let iteration = 0; iteration < 3; iteration++) {
    await trainer.train();
    weights.push(...new Set(trainer.dataset.map(({ provenance }) => provenance.student.split("@")[1] as string)));
    const [sample] = await trainer.sample(["What is nacre?"]);
    expect(sample?.reply).toContain(of.learned.theta().join(" and "));
    await trainer.saveModel(join(folder, `iteration-${iteration}`));
    await trainer.updateDataset();
  }
  await trainer.close();
  expect(weights).toEqual(["0", "2", "4"]);
  expect(of.learned.batches).toHaveLength(6);
  expect(trainer.accumulated).toHaveLength(12);
  expect(trainer.accumulated.slice(-3)).toEqual(trainer.dataset);
  expect(new Set(trainer.accumulated.map(({ provenance }) => provenance.question)).size).toBe(12);
  const saved = JSON.parse(await readFile(join(folder, "iteration-2", "theta.json"), "utf8")) as unknown;
  expect(saved).toEqual(of.learned.theta());
});

test("its first round has the pairs that a run of the same settings makes", async () => {
  const trainer = await create();
  const events = await taught(
    { ...student(), store, teacher: createExtractiveTeacher(), pairSource: quickPairs },
    planOf({ ...settings, phases: [{}] }),
  );
  expect(await trainer.updateDataset()).toEqual(ofKind(events, "pair").map(({ pair }) => pair));
  await trainer.close();
});

describe("train", () => {
  test("makes the data set where there is none, returns the log of its steps, and keeps all of it", async () => {
    const trainer = await create();
    expect(trainer.dataset).toEqual([]);
    const first = await trainer.train();
    expect(first.map(({ step, round, epoch, learning_rate: rate }) => [step, round, epoch, rate])).toEqual([
      [1, 1, 0.5, 1e-3],
      [2, 1, 1, 1e-3],
    ]);
    expect(first[0]).toMatchObject({ loss: expect.any(Number), grad_norm: expect.any(Number) });
    const again = await trainer.train();
    expect(again.map(({ step, round }) => [step, round])).toEqual([
      [3, 1],
      [4, 1],
    ]);
    expect(trainer.logHistory).toEqual([...first, ...again]);
    await trainer.close();
  });

  test("passes over the same data in another order each time", async () => {
    const of = student();
    const trainer = await create({ settings: { ...settings, topics: 8 } }, of);
    await trainer.train();
    await trainer.train();
    const orders = of.learned.batches.map(({ batch }) => batch.pairs.map(({ prompt }) => prompt.length).join());
    const rows = (from: number) => of.learned.batches.slice(from, from + 2).flatMap(({ batch }) => batch.pairs);
    expect(orders).toHaveLength(4);
    expect(rows(0)).not.toEqual(rows(2));
    await trainer.close();
  });

  test("of EXO compares with the weights that the trainer was made with", async () => {
    const of = student();
    // A phase before this one has left moments and steps behind.
    const before = await create({}, of);
    await before.train();
    await before.close();
    const start = of.learned.theta();
    const exo = { ...settings, loss_type: "exo_pair", beta: 0.1, label_smoothing: 5e-3 };
    const trainer = await create({ settings: exo }, of);
    expect(await of.policy.stepCount()).toBe(0);
    await trainer.train();
    await trainer.updateDataset();
    await trainer.train();
    expect(of.learned.theta()).not.toEqual(start);
    for (const { batch } of of.learned.batches.slice(2))
      expect(batch.reference).toEqual(batch.pairs.map((pair) => scoreAt(start, pair)));
    await trainer.close();
  });
});

test("sample asks greedily, with the words that ask for thinking", async () => {
  const of = student();
  const trainer = await create({ settings: { ...settings, demo_tokens: 9 } }, of);
  expect((await trainer.sample(["What is nacre?", "And wood?"])).map(({ prompt }) => prompt)).toEqual([
    "What is nacre?",
    "And wood?",
  ]);
  expect(of.prompts).toContain("[user] What is nacre? Use <|thinking|>.[assistant] ");
  expect(of.generateCalls.at(-1)).toMatchObject({ temperature: 0, maxNewTokens: 9 });
  await trainer.sample(["x"], 5);
  expect(of.generateCalls.at(-1)).toMatchObject({ maxNewTokens: 5 });
  await trainer.close();
});

test("evaluate marks the held-out questions by split, and the callbacks hear everything", async () => {
  const heard: string[] = [];
  const failures: string[] = [];
  const questions = [
    ...world.questions("unseen-material").slice(0, 3),
    ...world.questions("unseen-combination").slice(0, 2),
  ];
  const trainer = await createActiveTrainer({
    ...student(),
    store: worldStore,
    teacher: createWorldTeacher({
      allowed: (subject, type) => subject.length % 2 === 0 && world.isTrainable(subject, type),
    }),
    environment: world,
    evaluationQuestions: questions,
    settings: { ...settings, topics: 4, held_out_pairs: 1 },
    callbacks: [
      {
        onLog: ({ step }) => heard.push(`log ${step}`),
        onPair: ({ provenance }) => heard.push(`pair of round ${provenance.round}`),
        onFailure: ({ reason }) => failures.push(reason),
        onEvaluate: ({ split, n }) => heard.push(`${split} ${n}`),
        onSave: (directory) => heard.push(`saved ${directory}`),
      },
    ],
  });
  await trainer.train();
  expect((await trainer.evaluate()).map(({ split, n }) => [split, n])).toEqual([
    ["unseen-material", 3],
    ["unseen-combination", 2],
  ]);
  await trainer.saveModel(join(folder, "heard"));
  await trainer.close();
  expect(heard).toEqual([
    ...Array<string>(trainer.dataset.length).fill("pair of round 1"),
    "log 1",
    "log 2",
    "unseen-material 3",
    "unseen-combination 2",
    `saved ${join(folder, "heard")}`,
  ]);
  expect(failures.length).toBeGreaterThan(0);
});

describe("settings", () => {
  test("that a loop would follow, or that come with what is handed in, are refused together", async () => {
    const given = { ...settings, iterations: 3, roll_back: true, corpus: "./texts", phases: ["orpo"] };
    await expect(create({ settings: given })).rejects.toThrow(
      "active trainer: iterations, roll_back, corpus, phases would have no effect: your own loop decides, or what you hand in; leave it out",
    );
  });

  test("that are wrong are refused by name, all at once", async () => {
    await expect(create({ settings: { ...settings, topics: 0, learning_rat: 1 } })).rejects.toThrow(
      /active trainer: 2 problems\n.*topics: .*\n.*learning_rat": did you mean "learning_rate"/s,
    );
  });

  test("that the context has no means for are refused", async () => {
    await expect(create({ settings: { ...settings, only_include_wrong_answers: true } })).rejects.toThrow(
      "onlyWrong: needs an environment that can check answers, or a judge",
    );
  });
});

test("a data set that cannot be made throws with the counts, and what was there stays", async () => {
  let speechless = false;
  const of = learningStudent((_, seed) => (speechless ? "" : `guess ${seed}`));
  const trainer = await create({}, of);
  const known = await trainer.updateDataset();
  speechless = true;
  await expect(trainer.updateDataset()).rejects.toThrow("3 × the student's sample is empty");
  expect(trainer.dataset).toEqual(known);
  expect(trainer.accumulated).toEqual(known);
  await expect(trainer.train()).resolves.toHaveLength(2);
  await trainer.close();
});

test("a signal stops it, and closing leaves nothing behind but what was saved; the policy stays open", async () => {
  const before = new Set(await readdir(tmpdir()));
  const of = student();
  const stop = new AbortController();
  const trainer = await create({ signal: stop.signal }, of);
  await trainer.train();
  stop.abort(new Error("enough"));
  await expect(trainer.train()).rejects.toThrow("enough");
  await trainer.close();
  await expect(create({ signal: stop.signal, settings: { ...settings, held_out_pairs: 2 } })).rejects.toThrow("enough");
  const left = (await readdir(tmpdir())).filter((name) => name.startsWith("preflexor-run-") && !before.has(name));
  expect(left).toEqual([]);
  expect(await of.policy.stepCount()).toBe(2);
});
