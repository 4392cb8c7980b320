/** @file The world's teacher asks what is allowed and answers from what it retrieved, nothing else. */
import { expect, test } from "vitest";
import { createAnswerWriter } from "../../../src/agents/answer-writer.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
import { createWrongAnswerWriter } from "../../../src/agents/wrong-answer-writer.js";
import { countingStore, passage, smallStore } from "../scripted-student.js";

const documents = [
  {
    source: "veltrin.md",
    text: "This note describes Veltrin. The building block of Veltrin is chitin. The interface of Veltrin is lipid. The architecture of Veltrin is layered. The surroundings of Veltrin are wet.",
  },
  {
    source: "orbane.md",
    text: "This note describes Orbane. The building block of Orbane is silk. The interface of Orbane is mineral. The architecture of Orbane is fibrous. The surroundings of Orbane are dry.",
  },
  {
    source: "rule.md",
    text: "The mechanism class follows from the building block and the interface. A chitin block with a lipid interface gives the sliding mechanism class.",
  },
];
const passages = documents.map(({ source, text }) => passage(source, text));
const everything = () => true;

test("it retrieves with the question, then for what decides and for the rule, and lays out what it found", async () => {
  const apart = [
    ...documents.slice(0, 2),
    { source: "link.md", text: "The mechanism class follows from the building block and the interface." },
    { source: "rule.md", text: "A chitin block with a lipid interface gives the sliding mechanism class." },
  ];
  const store = countingStore(await smallStore(apart));
  const writer = await createAnswerWriter({ model: createWorldTeacher({ allowed: everything }), store, k: 1 });
  const written = await writer.write({ question: "What is the mechanism class of Veltrin?", passages: [] });
  expect(store.queries).toEqual([
    "What is the mechanism class of Veltrin?",
    "The mechanism class follows from the",
    "A chitin block with a lipid interface gives the mechanism class",
  ]);
  expect(written).toMatchObject({
    thinking:
      "The building block of Veltrin is chitin.\nThe interface of Veltrin is lipid.\nA chitin block with a lipid interface gives the sliding mechanism class.",
    answer: "The mechanism class of Veltrin is sliding.",
  });
  expect(written.passages.map(({ source }) => source)).toEqual(["veltrin.md", "link.md", "rule.md"]);
});

test("what retrieval does not bring up it cannot answer, and says what is missing", async () => {
  const write = async (found: typeof documents): Promise<unknown> => {
    const writer = await createAnswerWriter({
      model: createWorldTeacher({ allowed: everything }),
      store: await smallStore(found),
    });
    return writer.write({ question: "What is the mechanism class of Veltrin?", passages: [] });
  };
  await expect(write(documents.slice(0, 2))).rejects.toThrow("the facts that the mechanism class follows from");
  await expect(
    write([documents[0]!, { source: "link.md", text: `${documents[2]!.text.split(". ")[0]}.` }]),
  ).rejects.toThrow("the mechanism class that a chitin block with a lipid interface gives");
});

test("a topic chooses material and class, and what is not allowed is never asked", async () => {
  const store = await smallStore(documents);
  const ask = async (allowed: (subject: string, type: string) => boolean, topic?: string) => {
    const generator = await createTaskGenerator({ model: createWorldTeacher({ allowed }), store });
    const questions = new Set<string>();
    for (let variation = 0; variation < 8; variation++) {
      questions.add(
        (await generator.generate({ passages, variation, ...(topic !== undefined && { topic }) })).question,
      );
    }
    return [...questions].sort();
  };
  expect(await ask(everything, "Orbane: failure class")).toEqual(["What is the failure class of Orbane?"]);
  expect((await ask(everything, "Orbane")).every((question) => question.includes("Orbane"))).toBe(true);
  expect(await ask((subject, type) => subject === "Veltrin" && type === "stiffness-class")).toEqual([
    "What is the stiffness class of Veltrin?",
  ]);
  await expect(ask((subject) => subject === "Veltrin", "Orbane: failure class")).rejects.toThrow(
    "choose another topic",
  );
});

const LIST = passage("list.md", "The mechanism classes are sliding, bridging, crushing and peeling.");
const OTHER_RULE = passage("more.md", "A silk block with a mineral interface gives the bridging mechanism class.");
const asked = {
  question: "What is the mechanism class of Veltrin?",
  answer: "The mechanism class of Veltrin is sliding.",
};

const wrongAnswers = async (input: { question: string; answer: string }, shown: typeof passages) => {
  const writer = await createWrongAnswerWriter({ model: createWorldTeacher({ allowed: everything }) });
  const written = new Set<string>();
  for (let variation = 0; variation < 24; variation++)
    written.add(await writer.write({ ...input, passages: shown, variation }));
  return [...written].sort();
};

test("a wrong answer has each of the other classes that the passages list, by the variation, and never the right one", async () => {
  expect(await wrongAnswers(asked, [...passages, LIST])).toEqual(
    ["bridging", "crushing", "peeling"].map((value) => `The mechanism class of Veltrin is ${value}.`),
  );
  const writer = await createWrongAnswerWriter({ model: createWorldTeacher({ allowed: everything }) });
  const once = () => writer.write({ ...asked, passages: [LIST], variation: 5 });
  expect(await once()).toBe(await once());
});

test("without a list the classes are those that rules give, of this type alone", async () => {
  const failure = passage("f.md", "A silk block with a mineral interface gives the tearing failure class.");
  expect(await wrongAnswers(asked, [...passages, OTHER_RULE, failure])).toEqual([
    "The mechanism class of Veltrin is bridging.",
  ]);
});

test("passages that name no other class, and answers in another form, make no wrong answer", async () => {
  await expect(wrongAnswers(asked, passages)).rejects.toThrow("the passages name no other class than the right one");
  await expect(wrongAnswers({ ...asked, answer: "Sliding, I think." }, [...passages, LIST])).rejects.toThrow(
    "no other class",
  );
});

test("of two candidates the wrong answer names the one that does not have the class", async () => {
  const question = "Which of Veltrin and Orbane is of the sliding mechanism class?";
  expect(await wrongAnswers({ question, answer: asked.answer }, [])).toEqual([
    "The mechanism class of Orbane is sliding.",
  ]);
  const turned = "Which of Orbane and Veltrin is of the sliding mechanism class?";
  expect(await wrongAnswers({ question: turned, answer: asked.answer }, [])).toEqual([
    "The mechanism class of Orbane is sliding.",
  ]);
});
