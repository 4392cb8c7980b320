/** @file Pairs: agents retrieve through the shared store, any chat model can teach, and failures carry their reason. */
import { AIMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";
import { expect, test } from "vitest";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
import {
  completePairs,
  createPairMakers,
  makeDrafts,
  makePreferencePair,
} from "../../../src/agents/teaching/answer-pair.js";
import { countingStore, scriptedStudent, smallStore } from "../scripted-student.js";

const sampling = { maxNewTokens: 64, temperature: 1, topP: 1 };

const submitQuestion = { name: "submit-question", args: { question: "Why is nacre tougher than aragonite?" } };
const submitAnswer = {
  name: "submit-answer",
  args: { thinking: "Tablets slide.", answer: "Because its tablets slide." },
};
const retrieve = (query: string) => ({ name: "retrieve-context", args: { query, k: 1 } });

test("a scripted chat model in the teacher's place makes a pair, and its retrievals reach the store", async () => {
  const model = fakeModel()
    .respondWithTools([retrieve("wood")])
    .respondWithTools([submitQuestion])
    .respondWithTools([retrieve("nacre tablets")])
    .respondWithTools([submitAnswer]);
  const store = countingStore(await smallStore());
  const student = scriptedStudent(() => "I do not know.");
  const pair = await makePreferencePair({ ...student, store, model }, { topic: "nacre", seed: 5 }, sampling);
  expect(store.queries).toEqual(["nacre", "wood", "nacre tablets"]);
  expect(pair).toMatchObject({
    prompt: "Why is nacre tougher than aragonite? Use <|thinking|>.",
    chosen: "<|thinking|>\nTablets slide.\n<|/thinking|>\nBecause its tablets slide.",
    rejected: "I do not know.",
    provenance: {
      student: "0123456789abcdef@0",
      seed: 5,
      topic: "nacre",
      question: "Why is nacre tougher than aragonite?",
    },
  });
  const all = (await store.list()).map((passage) => passage.id);
  expect([...pair.provenance.passages].sort()).toEqual(all);
});

test("the extractive teacher is one argument away", async () => {
  const store = await smallStore();
  const student = scriptedStudent(() => "No idea.");
  const pair = await makePreferencePair(
    { ...student, store, model: createExtractiveTeacher() },
    { topic: "nacre", seed: 1 },
    sampling,
  );
  expect(pair.provenance.teacher).toBe("extractive-teacher");
  expect(pair.chosen).toMatch(/^<\|thinking\|>\n\*\*.*<\|\/thinking\|>\n./s);
});

test("what a teacher cannot do is a counted failure with its reason, and the other drafts stand", async () => {
  const model = fakeModel()
    .respond(new Error("quota exceeded"))
    .respondWithTools([submitQuestion])
    .respondWithTools([submitAnswer])
    .respond(new AIMessage("Here is a question: why?"))
    .respond(new AIMessage("As I said: why?"));
  const makers = await createPairMakers({ model, store: await smallStore() });
  const outcomes = await makeDrafts(makers, [{ seed: 0, topic: "one" }, { seed: 1 }, { seed: 2, topic: "three" }], {
    concurrency: 1,
  });
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(["failure", "draft", "failure"]);
  expect(outcomes[0]).toEqual({ kind: "failure", topic: "one", reason: "quota exceeded" });
  expect(outcomes[2]).toMatchObject({
    topic: "three",
    reason: "the teacher failed: schema",
    detail: expect.stringContaining("submit-question"),
  });
});

test("a model that calls tools without end is stopped by the call limit", async () => {
  const model = fakeModel();
  for (let i = 0; i < 10; i++) model.respondWithTools([retrieve("nacre")]);
  const generator = await createTaskGenerator({ model, store: await smallStore(), maxModelCalls: 3 });
  const passages = await (await smallStore()).list();
  await expect(generator.generate({ passages, variation: 0 })).rejects.toThrow(/limit/i);
  expect(model.callCount).toBe(3);
});

test("drafts are in task order and the same for every concurrency", async () => {
  const makers = await createPairMakers({ model: createExtractiveTeacher(), store: await smallStore() });
  const tasks = Array.from({ length: 6 }, (_, seed) => ({ seed }));
  const alone = await makeDrafts(makers, tasks, { concurrency: 1 });
  const together = await makeDrafts(makers, tasks, { concurrency: 5 });
  expect(together).toEqual(alone);
  expect(alone.map((outcome) => (outcome.kind === "draft" ? outcome.draft.seed : -1))).toEqual([0, 1, 2, 3, 4, 5]);
});

test("all samples come from one batch, and identical or empty replies make no pair", async () => {
  const draft = {
    question: "Q?",
    prompt: "Q? Use <|thinking|>.",
    chosen: "yes",
    answer: "yes",
    askedFrom: [],
    passages: [],
    teacher: "t",
    prompts: "0",
  };
  const student = scriptedStudent((_, seed) => ["yes ", "", "no"][seed] ?? "");
  const outcomes = await completePairs(
    student,
    [0, 1, 2].map((seed) => ({ ...draft, seed })),
    sampling,
  );
  expect(student.generateCalls).toHaveLength(1);
  expect(outcomes.map((outcome) => (outcome.kind === "pair" ? outcome.pair.rejected : outcome.reason))).toEqual([
    "both replies are identical",
    "the student's sample is empty",
    "no",
  ]);
});

test("an abort ends it and is no failure of a draft", async () => {
  const stop = new AbortController();
  const model = fakeModel();
  for (let i = 0; i < 6; i++) {
    model.respond(() => {
      stop.abort(new Error("stopped by the user"));
      return new AIMessage("");
    });
  }
  const makers = await createPairMakers({ model, store: await smallStore() });
  const tasks = Array.from({ length: 6 }, (_, seed) => ({ seed }));
  await expect(makeDrafts(makers, tasks, { concurrency: 2, signal: stop.signal })).rejects.toThrow(
    "stopped by the user",
  );
  expect(model.callCount).toBeLessThanOrEqual(2);
});

test("a single pair is drawn again where a random draw failed, but a topic is kept to", async () => {
  const store = await smallStore();
  const model = fakeModel()
    .respond(new Error("nothing to ask"))
    .respondWithTools([submitQuestion])
    .respondWithTools([submitAnswer])
    .respond(new Error("nothing to ask"));
  const of = { ...scriptedStudent(() => "no"), store, model };
  expect((await makePreferencePair(of, { seed: 1 }, sampling)).rejected).toBe("no");
  await expect(makePreferencePair(of, { seed: 1, topic: "nacre" }, sampling)).rejects.toThrow("nothing to ask");
  expect(model.callCount).toBe(4);
});
