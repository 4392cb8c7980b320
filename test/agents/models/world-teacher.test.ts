/** @file The world's teacher asks what is allowed and answers from what it retrieved, nothing else. */
import { expect, test } from "vitest";
import { createAnswerWriter } from "../../../src/agents/answer-writer.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
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
