/** @file The extractive teacher: grammatical, self-contained questions whose answers stand in the passages. */
import { expect, test } from "vitest";
import { createAnswerWriter } from "../../../src/agents/answer-writer.js";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import { aboutTitle, sentenceQuestion } from "../../../src/agents/models/sentence-question.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
import { createWrongAnswerWriter } from "../../../src/agents/wrong-answer-writer.js";
import { NACRE, passage, smallStore, WOOD } from "../scripted-student.js";

test.each([
  [
    "Nacre is much tougher than pure aragonite because its tablets slide.",
    "Why is nacre much tougher than pure aragonite?",
  ],
  ["Tablets interlock because their surfaces are rough.", undefined],
  ["Collagen fibrils resist swelling, because they form a net.", "Why is it that collagen fibrils resist swelling?"],
  [
    "A small microfibril angle leads to high stiffness along the grain.",
    "How does a small microfibril angle lead to high stiffness along the grain?",
  ],
  ["Rough walls improve interlocking in the composite.", "How do rough walls improve interlocking in the composite?"],
  ["When the outer layer dries, the scale bends outwards.", "What happens when the outer layer dries?"],
  [
    "The DOPA group binds iron, so the cuticle becomes hard.",
    "What follows from the fact that the DOPA group binds iron?",
  ],
  [
    "Because the S2 layer is thick, it dominates the stiffness.",
    "What follows from the fact that the S2 layer is thick?",
  ],
  ["It is tough because its tablets slide over each other.", undefined],
  ["This behaviour leads to higher toughness of the shell.", undefined],
  ["tablets slide over each other, so no crack grows.", undefined],
  ["Nacre is tough because its tablets slide over", undefined],
])("%s -> %s", (sentence, question) => {
  expect(sentenceQuestion(sentence)?.question).toBe(question);
});

test("a plain statement makes a question of the last resort", () => {
  expect(sentenceQuestion("The S2 layer contains long cellulose microfibrils in a matrix of lignin.")).toEqual({
    question: "What is known about the S2 layer in connection with lignin?",
    quality: "stated",
  });
});

test("a question that does not name its topic is given the title", () => {
  expect(aboutTitle("Why is the step abrupt?", "Tooth enamel")).toBe("Regarding tooth enamel: why is the step abrupt?");
  expect(aboutTitle("Why is enamel hard?", "Tooth enamel")).toBe("Why is enamel hard?");
});

test("the question is answered by a sentence of the passages, and thinking quotes retrieved sentences under the paper's titles", async () => {
  const store = await smallStore();
  const model = createExtractiveTeacher();
  const generator = await createTaskGenerator({ model, store });
  const { question } = await generator.generate({ passages: [passage("n", NACRE)], variation: 0, topic: "aragonite" });
  expect(question).toBe("Why is nacre much tougher than pure aragonite?");
  const written = await (await createAnswerWriter({ model, store })).write({ question, passages: [] });
  expect(
    written.answer.startsWith(
      "Nacre is much tougher than pure aragonite because its tablets slide over each other before they break.",
    ),
  ).toBe(true);
  const lines = written.thinking.split("\n");
  expect(lines.filter((line) => line.startsWith("**"))).toContain("**Reasoning Steps**");
  for (const line of lines.filter((text) => text.startsWith("- "))) expect(`${NACRE} ${WOOD}`).toContain(line.slice(2));
  expect(lines.at(-1)).toContain("tougher than pure aragonite");
});

test("passages without a usable sentence are refused with what to do", async () => {
  const generator = await createTaskGenerator({ model: createExtractiveTeacher(), store: await smallStore() });
  await expect(generator.generate({ passages: [passage("x", "See there. It works.")], variation: 0 })).rejects.toThrow(
    "draw other passages",
  );
});

test("variations that follow each other ask different questions until all were asked", async () => {
  const generator = await createTaskGenerator({ model: createExtractiveTeacher(), store: await smallStore() });
  const text = [
    "A small microfibril angle leads to high stiffness along the grain.",
    "Nacre is much tougher than pure aragonite because its tablets slide.",
    "When the outer layer dries, the scale bends outwards.",
  ].join(" ");
  const ask = async (variation: number): Promise<string> =>
    (await generator.generate({ passages: [passage("p", text)], variation })).question;
  const asked = [await ask(7), await ask(8), await ask(9)];
  expect(asked.toSorted()).toEqual([
    "How does a small microfibril angle lead to high stiffness along the grain?",
    "What happens when the outer layer dries?",
    "Why is nacre much tougher than pure aragonite?",
  ]);
  expect(await ask(10)).toBe(asked[0]);
});

test("a reflection, where one is wanted, quotes the statement that carries the answer", async () => {
  const model = createExtractiveTeacher();
  const store = await smallStore();
  const question = "Why is nacre much tougher than pure aragonite?";
  const { reflection, answer } = await (await createAnswerWriter({ model, store, reflection: true })).write({
    question,
    passages: [],
  });
  const key = "Nacre is much tougher than pure aragonite because its tablets slide over each other before they break.";
  expect(reflection).toContain(`"${key}"`);
  expect(answer).toContain(key);
  const plain = await (await createAnswerWriter({ model, store })).write({ question, passages: [] });
  expect(plain.reflection).toBeUndefined();
});

test("a wrong answer is a whole sentence of the passages on what was asked that does not answer it; variations in turn give all", async () => {
  const writer = await createWrongAnswerWriter({ model: createExtractiveTeacher() });
  const question = "Why is nacre much tougher than pure aragonite?";
  const answer =
    "Nacre is much tougher than pure aragonite because its tablets slide over each other before they break.";
  const passages = [passage("n", `${NACRE} Nacre is cut off in the mid`), passage("w", WOOD)];
  const written: string[] = [];
  for (let variation = 0; variation < 4; variation++)
    written.push(await writer.write({ question, answer, passages, variation }));
  // Of the sentences that share a word with the question, without the answer and without what was cut.
  const wrong = [
    "Nacre is the inner layer of many mollusc shells.",
    "Nacre contains about 95 percent aragonite by weight.",
  ];
  expect([...new Set(written)].sort()).toEqual(wrong.toSorted());
  expect(written.slice(2)).toEqual(written.slice(0, 2));
});

test("where no sentence is on what was asked, a wrong answer is any other; where none is left, it says so", async () => {
  const writer = await createWrongAnswerWriter({ model: createExtractiveTeacher() });
  const question = "Why do gecko feet stick?";
  const answer = "Setae split into spatulae.";
  const other = "Wood is a cellular material that trees grow from cellulose and lignin.";
  const write = (text: string) => writer.write({ question, answer, passages: [passage("p", text)], variation: 3 });
  expect(await write(`${answer} ${other}`)).toBe(other);
  await expect(write(`${answer} It is so.`)).rejects.toThrow("hold no sentence that does not answer the question");
});

test("a sentence that stands within a long answer is no wrong answer", async () => {
  const writer = await createWrongAnswerWriter({ model: createExtractiveTeacher() });
  const key = "Nacre is tough because tablets slide.";
  const more =
    "Sliding tablets spread the damage over a large region of many layers, so no single crack can grow quickly enough.";
  const written = writer.write({
    question: "Why is nacre tough?",
    answer: `${key} ${more}`,
    passages: [passage("p", `${key} ${more}`)],
    variation: 0,
  });
  await expect(written).rejects.toThrow("hold no sentence");
});
