/** @file The programmatic teacher on two candidates: what it writes follows from passages and from nothing else. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createAnswerWriter } from "../../../src/agents/answer-writer.js";
import { createLexicalEmbedder, ingestDocuments, openInProcessStore } from "../../../src/agents/corpus/index.js";
import {
  createMaterialsWorld,
  layOut,
  queriesFor,
  readChoiceTopic,
  readQuestion,
  type Split,
  writeChoice,
} from "../../../src/agents/environments/index.js";
import { worldEvidence } from "../../../src/agents/models/world-critic.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
import { topicOf } from "../../../src/agents/teaching/round-pairs.js";

const splits: readonly Split[] = ["train", "unseen-combination", "unseen-material"];
const world = createMaterialsWorld({ seed: 7, choices: true });
const choices = splits.flatMap((split) => world.questions(split).filter(({ pairId }) => pairId !== undefined));

async function storeOf(documents: typeof world.documents) {
  const store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });
  await ingestDocuments(documents, store);
  return store;
}

test.each([
  ["with notes that compare", true, 3],
  ["without them", false, 1],
])("every question is laid out right from what exact retrieval brings up, %s", async (_, comparisonNotes, k) => {
  const { documents } = createMaterialsWorld({ seed: 7, choices: true, comparisonNotes });
  const evidence = worldEvidence(await storeOf(documents), k);
  for (const asked of choices) {
    const layout = layOut(asked.text, await evidence({ question: asked.text, thinking: "" }));
    if (layout.kind !== "laid-out") throw new Error(layout.what.join("; "));
    const reply = `<|thinking|>\n${layout.thinking}\n<|/thinking|>\n${layout.answer}`;
    expect(world.check(asked, reply), reply).toEqual({ right: true, markable: true, thinkingRight: true });
  }
});

test("the agents ask the question of a topic, to the letter, and answer it", async () => {
  const store = await storeOf(world.documents);
  const model = createWorldTeacher({ allowed: world.isTrainable });
  const [generator, writer] = await Promise.all([
    createTaskGenerator({ model, store }),
    createAnswerWriter({ model, store }),
  ]);
  for (const asked of choices.filter(({ split }) => split === "train").slice(0, 16)) {
    const passages = await store.query(topicOf(asked), 3);
    const { question } = await generator.generate({ passages, variation: 5, topic: topicOf(asked) });
    expect(question).toBe(asked.text);
    const { thinking, answer } = await writer.write({ question, passages });
    expect(world.check(asked, `<|thinking|>\n${thinking}\n<|/thinking|>\n${answer}`)).toMatchObject({
      right: true,
      thinkingRight: true,
    });
  }
});

test("what is held out is never asked, nor a trained couple by another type or with a stranger", async () => {
  const store = await storeOf(world.documents);
  const generator = await createTaskGenerator({ model: createWorldTeacher({ allowed: world.isTrainable }), store });
  const ask = (topic: string) =>
    store.query(topic, 3).then((passages) => generator.generate({ passages, variation: 1, topic }));
  const heldOut = choices.filter(({ split }) => split !== "train");
  for (const asked of [heldOut[0]!, heldOut.at(-1)!]) {
    await expect(ask(topicOf(asked))).rejects.toThrow("no question may be asked about");
  }
  const [trained] = choices;
  await expect(ask(`${trained!.subjects![0]} and Nobody: stiffness choice`)).rejects.toThrow("do not describe both");
  const otherType = trained!.type === "failure-choice" ? "stiffness choice" : "failure choice";
  await expect(ask(`${trained!.subject}: ${otherType}`)).rejects.toThrow("no question may be asked about");
});

// Materials and classes that no world holds: what is said of them can only come from these passages.
const question = "Which of Veltrin and Morkax is of the brittle stiffness class? Use <|thinking|>.";
const link = { text: "The stiffness class follows from the building block and the surroundings." };
const veltrin = { text: "The building block of Veltrin is resilin. The surroundings of Veltrin are stormy." };
const morkax = { text: "The building block of Morkax is silk. The surroundings of Morkax are calm." };
const veltrinRule = { text: "A resilin block in stormy surroundings gives the brittle stiffness class." };
const morkaxRule = { text: "A silk block in calm surroundings gives the firm stiffness class." };
const all = [morkaxRule, veltrinRule, morkax, veltrin, link];

test("a layout treats the candidates in the order of the question, each to its class, and names the one that has it", () => {
  expect(layOut(question, all)).toEqual({
    kind: "laid-out",
    thinking: [
      "The building block of Veltrin is resilin.",
      "The surroundings of Veltrin are stormy.",
      "A resilin block in stormy surroundings gives the brittle stiffness class.",
      "The stiffness class of Veltrin is brittle.",
      "The building block of Morkax is silk.",
      "The surroundings of Morkax are calm.",
      "A silk block in calm surroundings gives the firm stiffness class.",
      "The stiffness class of Morkax is firm.",
    ].join("\n"),
    answer: "The stiffness class of Veltrin is brittle.",
  });
  const turned = layOut("Which of Morkax and Veltrin is of the brittle stiffness class?", all);
  expect(turned).toMatchObject({ answer: "The stiffness class of Veltrin is brittle." });
  expect(turned.kind === "laid-out" && turned.thinking.startsWith("The building block of Morkax")).toBe(true);
});

test.each([
  ["nothing", [], ["the facts that the stiffness class follows from"]],
  [
    "one candidate only",
    [link, veltrin, veltrinRule],
    [
      "the building block of Morkax",
      "the surroundings of Morkax",
      "the rule of the stiffness class for these two facts",
    ],
  ],
  [
    "all facts and one rule",
    [link, veltrin, morkax, morkaxRule],
    ["the stiffness class that a resilin block in stormy surroundings gives"],
  ],
  [
    "two candidates of the class",
    [...all.slice(1), { text: morkaxRule.text.replace("firm", "brittle") }],
    ["exactly one of Veltrin and Morkax that is of the brittle stiffness class"],
  ],
  [
    "no candidate of the class",
    [link, veltrin, morkax, morkaxRule, { text: veltrinRule.text.replace("brittle", "soft") }],
    ["exactly one of Veltrin and Morkax that is of the brittle stiffness class"],
  ],
])("passages with %s: the layout names what is missing", (_, passages, what) => {
  expect(layOut(question, passages)).toEqual({ kind: "missing", what });
});

test("queries are for whatever is open of either candidate, as far as it is known what to ask", () => {
  expect(queriesFor(question)).toEqual(["The stiffness class follows from the"]);
  expect(queriesFor(question, [link, veltrin])).toEqual([
    "A resilin block in stormy surroundings gives the stiffness class",
    "The building block of Morkax is",
    "The surroundings of Morkax are",
  ]);
  expect(queriesFor(question, all)).toEqual([]);
});

test("a choice is written from passages that describe both and list the classes, and says what to look up otherwise", () => {
  const list = { text: "The stiffness classes are soft, brittle and firm." };
  const topic = readChoiceTopic(" veltrin and Morkax: stiffness choice")!;
  const write = (passages: readonly { text: string }[], classes: readonly string[]) =>
    writeChoice(
      topic,
      passages,
      () => 0,
      (subject, type, value) =>
        subject === "Veltrin and Morkax" && type === "stiffness-choice" && classes.includes(value!),
    );
  expect(write([veltrin, morkax, list], ["brittle"])).toEqual({
    kind: "question",
    question: "Which of Veltrin and Morkax is of the brittle stiffness class?",
  });
  expect(write([veltrin, morkax, list], ["unheard"])).toEqual({ kind: "not-allowed" });
  expect(write([veltrin], ["brittle"])).toEqual({
    kind: "missing",
    queries: ["This note describes Morkax.", "The stiffness classes are"],
  });
});

test.each([
  "Veltrin: stiffness class",
  "Veltrin and Veltrin: stiffness choice",
  "Veltrin and Morkax: colour choice",
  "Veltrin and Morkax",
  "stiffness choice",
])("the topic %j is none with two candidates", (topic) => {
  expect(readChoiceTopic(topic)).toBeUndefined();
});

test.each([
  ["Which of Veltrin and Veltrin is of the firm stiffness class?"],
  ["Which of Veltrin and Morkax is firm?"],
  ["Which of Veltrin and Morkax is of the firm colour class?"],
])("%j is no question of this world", (text) => {
  expect(readQuestion(text)).toBeUndefined();
});

test("teacher and critic cannot reach the key: no file that they import leads to it", () => {
  const folder = fileURLToPath(new URL("../../../src/agents/environments/materials-world/", import.meta.url)).replace(
    "/dist/",
    "/src/",
  );
  const reached = new Set<string>();
  const walk = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, next] of readFileSync(`${folder}${file}`, "utf8").matchAll(/from "\.\/([a-z-]+)\.js"/g)) {
      walk(`${next}.ts`);
    }
  };
  for (const file of ["teacher.ts", "write-question.ts", "wrong-answer.ts", "critic.ts"]) walk(file);
  expect([...reached].sort()).toEqual([
    "critic.ts",
    "evidence.ts",
    "judge.ts",
    "language.ts",
    "reading.ts",
    "reflection.ts",
    "teacher.ts",
    "write-question.ts",
    "wrong-answer.ts",
  ]);
  walk("checker.ts");
  expect(reached).toContain("world.ts");
});
