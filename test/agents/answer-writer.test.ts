/** @file The answer writer: reflection, categories, marked sections, and what happens where nothing was retrieved. */
import { AIMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";
import { describe, expect, test } from "vitest";
import { createAnswerWriter } from "../../src/agents/answer-writer.js";
import { createAgentCalls } from "../../src/agents/calls/index.js";
import type { PassageStore } from "../../src/agents/corpus/types.js";
import { createTaskGenerator } from "../../src/agents/task-generator.js";
import { passage, smallStore } from "./scripted-student.js";

const question = "Why is nacre tougher than aragonite?";
const passages = [passage("p1", "Tablets of nacre slide.")];
const written = { thinking: "Tablets slide.", answer: "Because its tablets slide." };
const submit = (args: Record<string, unknown>) => [{ name: "submit-answer", args }];
const systemOf = (model: ReturnType<typeof fakeModel>) => model.calls[0]?.messages[0]?.text ?? "";

describe("a reflection", () => {
  test("is asked for and handed in where the writer is told so", async () => {
    const reflection = "The thinking stands.";
    const model = fakeModel().respondWithTools(submit({ ...written, reflection }));
    const writer = await createAnswerWriter({ model, store: await smallStore(), reflection: true });
    expect(await writer.write({ question, passages })).toEqual({ ...written, reflection, passages: [] });
    expect(systemOf(model)).toMatch(/^reflection: look back/m);
    expect(model.calls[0]?.messages[1]?.text).toContain("<reflection>");
  });

  test("that is missing is objected to, by name", async () => {
    const model = fakeModel()
      .respondWithTools(submit(written))
      .respondWithTools(submit({ ...written, reflection: "It stands." }));
    const writer = await createAnswerWriter({ model, store: await smallStore(), reflection: true });
    expect((await writer.write({ question, passages })).reflection).toBe("It stands.");
    expect(model.calls[1]?.messages.at(-1)?.text).toContain("reflection:");
  });

  test("is neither asked for nor kept otherwise", async () => {
    const model = fakeModel().respondWithTools(submit({ ...written, reflection: "Unasked." }));
    const writer = await createAnswerWriter({ model, store: await smallStore() });
    expect(await writer.write({ question, passages })).toEqual({ ...written, passages: [] });
    expect(systemOf(model)).not.toContain("reflection");
  });
});

describe("categories", () => {
  test("are the paper's by default, with the background that must not answer", async () => {
    const model = fakeModel().respondWithTools(submit(written));
    await (await createAnswerWriter({ model, store: await smallStore() })).write({ question, passages });
    expect(systemOf(model)).toContain("**Reasoning Steps**, **Relevant Materials or Concepts**");
    expect(systemOf(model)).toContain("'Additional Background' must not contain the answer");
  });

  test.each([
    [["Mechanism", "Evidence"], "under these titles: **Mechanism**, **Evidence**. Leave out"],
    [[], "thinking: brief, but step by step.\n"],
  ])("may be %s", async (categories, expected) => {
    const model = fakeModel().respondWithTools(submit(written));
    const writer = await createAnswerWriter({ model, store: await smallStore(), categories });
    await writer.write({ question, passages });
    expect(systemOf(model)).toContain(expected);
    expect(systemOf(model)).not.toMatch(/Reasoning Steps|Additional Background/);
  });
});

test("a plain reply in the form that students are trained to write is read as it stands", async () => {
  const model = fakeModel().respond(
    new AIMessage(
      "<|thinking|>\nTablets slide.\n<|/thinking|>\n<|reflect|>\nIt stands.\n<|/reflect|>\nBecause its tablets slide.",
    ),
  );
  const writer = await createAnswerWriter({ model, store: await smallStore(), reflection: true });
  const answer = await writer.write({ question, passages });
  expect(answer).toEqual({ ...written, reflection: "It stands.", passages: [] });
  expect(model.callCount).toBe(1);
});

describe("an empty retrieval", () => {
  const emptyStore = async (): Promise<PassageStore> => ({
    ...(await smallStore()),
    query: async () => [],
    search: async () => [],
  });

  test("fails the answer that nothing supports, with its reason, and is counted", async () => {
    const model = fakeModel()
      .respondWithTools([{ name: "retrieve-context", args: { query: question } }])
      .respondWithTools(submit(written));
    const calls = createAgentCalls();
    const writer = await createAnswerWriter({ model, store: await emptyStore(), calls });
    await expect(writer.write({ question, passages: [] })).rejects.toMatchObject({
      reason: "empty-retrieval",
      message: expect.stringContaining(question),
    });
    expect(calls.stats().failures["empty-retrieval"]).toBe(1);
  });

  test("is no failure where the question brought its own passages", async () => {
    const model = fakeModel().respondWithTools(submit(written));
    const writer = await createAnswerWriter({ model, store: await emptyStore() });
    expect((await writer.write({ question, passages })).answer).toBe(written.answer);
  });

  test("leaves the task generator nothing to ask about", async () => {
    const calls = createAgentCalls();
    const model = fakeModel();
    const generator = await createTaskGenerator({ model, store: await emptyStore(), calls });
    await expect(generator.generate({ passages: [], variation: 0 })).rejects.toMatchObject({
      reason: "empty-retrieval",
    });
    expect([model.callCount, calls.stats().failures["empty-retrieval"]]).toEqual([0, 1]);
  });
});
