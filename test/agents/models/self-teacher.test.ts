/** @file Self-play and the self critic: the jobs of the agents by a model that is asked in plain text. */
import { expect, test, vi } from "vitest";
import { createAnswerWriter } from "../../../src/agents/answer-writer.js";
import { EngineChatModel } from "../../../src/agents/models/engine-chat-model.js";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import { chatModelText, type PlainTextModel, studentText } from "../../../src/agents/models/plain-text-model.js";
import { createSelfCritic } from "../../../src/agents/models/self-critic.js";
import { createSelfTeacher, usableQuestion } from "../../../src/agents/models/self-teacher.js";
import { createCritic } from "../../../src/agents/reasoning/critic.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
import { makePreferencePair } from "../../../src/agents/teaching/answer-pair.js";
import { createWrongAnswerWriter } from "../../../src/agents/wrong-answer-writer.js";
import { countingStore, NACRE, passage, scriptedStudent, smallStore } from "../scripted-student.js";
import { PLAIN_TEMPLATE, scriptedTextModel } from "./scripted-text-model.js";

const sampling = { maxNewTokens: 64, temperature: 0.7, topP: 1 };
const question = "Why is nacre tougher than pure aragonite?";

/** Answers by what it is asked for; anything else is the student's bare reply. */
const talk = (prompt: string): string => {
  if (prompt.endsWith("Reply with the question alone.[assistant] ")) return `Question: ${question}`;
  if (prompt.endsWith("Do not answer yet.[assistant] ")) return "<|thinking|>Its tablets slide.<|/thinking|>";
  if (prompt.endsWith("say that they stand.[assistant] ")) return "The steps stand.<|/reflect|>";
  if (prompt.endsWith("Do not mention passages or steps.[assistant] ")) return "Because its tablets slide.";
  return "I do not know.";
};

test("the model's reply with the passages is chosen, its reply without them is rejected", async () => {
  const student = scriptedStudent(talk);
  const store = countingStore(await smallStore());
  const model = createSelfTeacher({ model: studentText(async () => student, sampling) });
  const pair = await makePreferencePair({ ...student, store, model }, { topic: "nacre", seed: 3 }, sampling);
  expect(pair).toMatchObject({
    prompt: `${question} Use <|thinking|>.`,
    chosen: "<|thinking|>\nIts tablets slide.\n<|/thinking|>\nBecause its tablets slide.",
    rejected: "I do not know.",
    provenance: { teacher: "self-play" },
  });
  expect(store.queries).toEqual(["nacre", question]);
  const [asked, thought, answered, bare] = student.prompts as [string, string, string, string];
  for (const prompt of [asked, thought, answered]) expect(prompt).toContain("tablets slide over each other");
  expect(answered).toContain("[assistant] Its tablets slide.[user] Now answer");
  expect(bare).toBe(`[user] ${question} Use <|thinking|>.[assistant] `);
});

test("a reflection is asked for where it is wanted, between thinking and answer", async () => {
  const student = scriptedStudent(talk);
  const model = createSelfTeacher({ model: studentText(async () => student, sampling) });
  const writer = await createAnswerWriter({ model, store: await smallStore(), reflection: true });
  expect(await writer.write({ question, passages: [] })).toMatchObject({
    thinking: "Its tablets slide.",
    reflection: "The steps stand.",
    answer: "Because its tablets slide.",
  });
});

test("another teacher asks where the model's own question cannot be used, and the name says so", async () => {
  const passages = [passage("n", NACRE)];
  const store = await smallStore();
  const ask = async (reply: string, ownQuestions?: boolean) => {
    const text = vi.fn(async () => reply);
    const model = createSelfTeacher({
      model: { reply: text, fits: async () => true },
      fallbackQuestions: createExtractiveTeacher(),
      ...(ownQuestions !== undefined && { ownQuestions }),
    });
    const generator = await createTaskGenerator({ model, store });
    const { question: made } = await generator.generate({ passages, variation: 0, topic: "aragonite" });
    return { made, name: generator.modelName, calls: text.mock.calls.length };
  };
  const extractive = "Why is nacre much tougher than pure aragonite?";
  const name = "self-play(extractive questions)";
  expect(await ask("nacre nacre nacre")).toEqual({ made: extractive, name, calls: 1 });
  expect(await ask("What is this passage about in the text?")).toEqual({ made: extractive, name, calls: 1 });
  expect(await ask(question)).toEqual({ made: question, name, calls: 1 });
  expect(await ask(question, false)).toEqual({ made: extractive, name, calls: 0 });
  const alone = createSelfTeacher({ model: { reply: async () => "nacre", fits: async () => true } });
  const generator = await createTaskGenerator({ model: alone, store });
  await expect(generator.generate({ passages, variation: 0 })).rejects.toThrow("no self-contained question");
  expect(() =>
    createSelfTeacher({ model: { reply: async () => "", fits: async () => true }, ownQuestions: false }),
  ).toThrow("fallbackQuestions: expected a teacher");
});

test.each([
  [
    "Sure! Here it is:\n1. Why does nacre with sliding tablets resist cracks?",
    "Why does nacre with sliding tablets resist cracks?",
  ],
  [
    "Here is one: Why does nacre with sliding tablets resist cracks? And more?",
    "Why does nacre with sliding tablets resist cracks?",
  ],
  [
    "<|thinking|>Why not?<|/thinking|>Why does nacre with sliding tablets resist cracks?",
    "Why does nacre with sliding tablets resist cracks?",
  ],
  ["Why is nacre tough?", undefined],
  ["Why does the author say that nacre tablets slide?", undefined],
  ["How many moons does the planet Jupiter have in total?", undefined],
  ["Nacre tablets slide over each other.", undefined],
  ["", undefined],
])("%j holds the usable question %j", (reply, expected) => {
  expect(usableQuestion(reply, [NACRE])).toBe(expected);
});

test("the same turn is answered with the same seed, another variation with another", async () => {
  const seeds: number[] = [];
  const model: PlainTextModel = {
    reply: async (_, seed) => {
      seeds.push(seed);
      return question;
    },
    fits: async () => true,
  };
  const generator = await createTaskGenerator({ model: createSelfTeacher({ model }), store: await smallStore() });
  for (const variation of [1, 1, 2]) await generator.generate({ passages: [passage("n", NACRE)], variation });
  expect(seeds[1]).toBe(seeds[0]);
  expect(seeds[2]).not.toBe(seeds[0]);
});

test("passages that do not fit the context are left out from the end; where not one fits, it says so", async () => {
  const shown: string[] = [];
  const fitting = (most: number): PlainTextModel => ({
    reply: async ([first]) => {
      shown.push(first?.content ?? "");
      return question;
    },
    fits: async (messages) => messages.reduce((sum, { content }) => sum + content.length, 0) <= most,
  });
  const store = await smallStore();
  const passages = [passage("a", "Nacre is tougher than pure aragonite."), passage("b", "z".repeat(500))];
  const ask = async (most: number) => {
    const generator = await createTaskGenerator({ model: createSelfTeacher({ model: fitting(most) }), store });
    return generator.generate({ passages, variation: 0 });
  };
  await ask(400);
  expect(shown[0]).toContain("tougher than pure aragonite");
  expect(shown[0]).not.toContain("zzz");
  await expect(ask(10)).rejects.toThrow("no room for its question beside the question and one passage");
});

test("a student's context counts its reply in", async () => {
  const student = scriptedStudent(() => "");
  const fits = (characters: number) =>
    studentText(async () => student, sampling).fits([{ role: "user", content: "x".repeat(characters) }]);
  // [user] and [assistant] are 19 characters, the reply 64 tokens, the context 2048.
  expect(await fits(2048 - 64 - 19)).toBe(true);
  expect(await fits(2048 - 64 - 18)).toBe(false);
});

test("a chat model of the engine plays the same part, with the seed of each turn", async () => {
  const seeds: number[] = [];
  const text = scriptedTextModel({
    template: PLAIN_TEMPLATE,
    reply: (prompt, seed) => {
      seeds.push(seed);
      return talk(prompt);
    },
  });
  const model = createSelfTeacher({ model: chatModelText(new EngineChatModel({ model: text })) });
  const writer = await createAnswerWriter({ model, store: await smallStore() });
  const first = await writer.write({ question, passages: [] });
  // All of the reply is a thinking section, which the engine's model reports apart.
  expect(first).toMatchObject({ thinking: "Its tablets slide.", answer: "Because its tablets slide." });
  await writer.write({ question, passages: [] });
  expect(seeds.slice(2)).toEqual(seeds.slice(0, 2));
});

test("a model that writes nothing makes no answer", async () => {
  const model = createSelfTeacher({ model: { reply: async () => "<|thinking|>\n", fits: async () => true } });
  const writer = await createAnswerWriter({ model, store: await smallStore() });
  await expect(writer.write({ question, passages: [] })).rejects.toThrow("the model wrote no thinking");
});

test("a wrong answer is asked for with question, right answer and passages, without the right answer as a reply", async () => {
  const prompts: string[] = [];
  const writing = (reply: string) =>
    createWrongAnswerWriter({
      model: createSelfTeacher({
        model: {
          reply: async ([turn]) => {
            prompts.push(turn?.content ?? "");
            return reply;
          },
          fits: async () => true,
        },
      }),
    });
  const input = { question, answer: "Its tablets slide.", passages: [passage("n", NACRE)], variation: 1 };
  const written = await (await writing("<|thinking|>Hm.<|/thinking|> Its protein is thick. ")).write(input);
  expect(written).toBe("Its protein is thick.");
  for (const part of [NACRE, `Question: ${question}`, "Right answer: Its tablets slide."])
    expect(prompts[0]).toContain(part);
  await expect((await writing("its tablets slide. ")).write(input)).rejects.toThrow("wrong answer is the right one");
  await expect((await writing(" ")).write(input)).rejects.toThrow("the model wrote no wrong answer");
});

test("the self critic sees what the job's message holds and nothing else, or not even that", async () => {
  const prompts: string[] = [];
  const model: PlainTextModel = {
    reply: async ([turn]) => {
      prompts.push(turn?.content ?? "");
      return (
        ["Say why.", "Tablets slide, so cracks stop.", "Both."][
          prompts.length % 3 === 0 ? 2 : (prompts.length % 3) - 1
        ] ?? ""
      );
    },
    fits: async () => true,
  };
  const store = countingStore(await smallStore());
  const input = { question, thinking: "Tablets slide.", passages: [passage("n", NACRE)] };
  const critic = await createCritic({ model: createSelfCritic({ model }), store });
  expect(critic.modelName).toBe("self-critic");
  const { feedback } = await critic.giveFeedback(input);
  expect(feedback).toBe("Say why.");
  expect(await critic.improveThinking({ ...input, feedback })).toEqual({
    thinking: "Tablets slide, so cracks stop.",
    complete: true,
  });
  expect(await critic.integrate({ question, answers: ["One.", "Two."] })).toBe("Both.");
  expect(store.queries).toEqual([]);
  expect(prompts.map((prompt) => prompt.includes("inner layer"))).toEqual([true, true, false]);
  expect(prompts[1]).toContain("Criticism:\nSay why.");
  prompts.length = 0;
  const blind = await createCritic({ model: createSelfCritic({ model, passages: "hidden" }) });
  expect(blind.modelName).toBe("self-critic(no passages)");
  await blind.improveThinking({ ...input, ...(await blind.giveFeedback(input)) });
  expect(prompts.map((prompt) => prompt.includes("inner layer"))).toEqual([false, false]);
});

test("a self critic that says nothing leaves the thinking as it was", async () => {
  const critic = await createCritic({
    model: createSelfCritic({ model: { reply: async () => " ", fits: async () => true } }),
  });
  const input = { question, thinking: "Tablets slide.", passages: [] };
  const { feedback } = await critic.giveFeedback(input);
  const { thinking } = await critic.improveThinking({ ...input, feedback });
  expect(thinking).toBe("Tablets slide.");
  expect(feedback).toContain("nothing");
});
