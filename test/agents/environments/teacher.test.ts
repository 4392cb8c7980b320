/** @file The programmatic teacher: what it writes follows from passages and from nothing else. */
import { expect, test } from "vitest";
import {
  createMaterialsWorld,
  layOut,
  queriesFor,
  readQuestion,
  writeQuestion,
} from "../../../src/agents/environments/index.js";
import { createRng } from "../../../src/agents/rng.js";

const world = createMaterialsWorld({ seed: 7 });
const rules = world.documents.filter(({ source }) => source.startsWith("rules/"));
const noteOf = (subject: string) =>
  world.documents.find(({ source }) => source.endsWith(`/${subject.toLowerCase()}.md`))!;

// A material that no world holds: what is said of it can only come from these passages.
const question = "What is the stiffness class of Veltrin? Use <|thinking|>.";
const block = { text: "This note describes Veltrin. The building block of Veltrin is resilin." };
const surroundings = { text: "…of Veltrin is silk.\nThe surroundings of Veltrin\nare stormy. The interface of Vel" };
const link = { text: "The stiffness class follows from the building block and the surroundings." };
const rule = {
  text: "A resilin block in calm surroundings gives the firm stiffness class. A resilin block in stormy surroundings gives the brittle stiffness class.",
};

test("every question is laid out right from the note of its material and the rules", () => {
  for (const split of ["train", "unseen-combination", "unseen-material"] as const) {
    for (const asked of world.questions(split)) {
      const layout = layOut(asked.text, [noteOf(asked.subject), ...rules]);
      if (layout.kind !== "laid-out") throw new Error(layout.what.join("; "));
      const reply = `<|thinking|>\n${layout.thinking}\n<|/thinking|>\n${layout.answer}`;
      expect(world.check(asked, reply)).toEqual({ right: true, markable: true, thinkingRight: true });
      expect(reply.split(/\s+/).length).toBeLessThan(48);
    }
  }
});

test("a layout says what the passages say, even of a material and a class that no world knows", () => {
  expect(layOut(question, [rule, surroundings, link, block])).toEqual({
    kind: "laid-out",
    thinking:
      "The building block of Veltrin is resilin.\nThe surroundings of Veltrin are stormy.\nA resilin block in stormy surroundings gives the brittle stiffness class.",
    answer: "The stiffness class of Veltrin is brittle.",
  });
});

test.each([
  ["nothing", [], ["the facts that the stiffness class follows from"]],
  [
    "facts and rule, but not which facts decide",
    [block, surroundings, rule],
    ["the facts that the stiffness class follows from"],
  ],
  [
    "what decides, and no more",
    [link],
    [
      "the building block of Veltrin",
      "the surroundings of Veltrin",
      "the rule of the stiffness class for these two facts",
    ],
  ],
  [
    "one fact",
    [link, block, rule],
    ["the surroundings of Veltrin", "the rule of the stiffness class for these two facts"],
  ],
  [
    "both facts",
    [link, block, surroundings],
    ["the stiffness class that a resilin block in stormy surroundings gives"],
  ],
  [
    "a fact that is cut off",
    [link, block, { text: "The surroundings of Veltrin are storm" }],
    ["the surroundings of Veltrin", "the rule of the stiffness class for these two facts"],
  ],
  [
    "a contradiction",
    [link, block, surroundings, rule, { text: "The building block of Veltrin is chitin." }],
    [
      "the building block of Veltrin (the passages disagree: resilin, chitin)",
      "the rule of the stiffness class for these two facts",
    ],
  ],
])("passages with %s: the layout names all that is missing", (_, passages, what) => {
  expect(layOut(question, passages)).toEqual({ kind: "missing", what });
});

test("a question of another form is not laid out", () => {
  expect(layOut("Why is the sky blue?", world.documents)).toMatchObject({ kind: "missing" });
});

test("queries ask which facts decide, then for these facts, then for the rule that joins them, then for nothing", () => {
  expect(queriesFor(question)).toEqual(["The stiffness class follows from the"]);
  expect(queriesFor(question, [link])).toEqual(["The building block of Veltrin is", "The surroundings of Veltrin are"]);
  expect(queriesFor(question, [link, block])).toEqual(["The surroundings of Veltrin are"]);
  expect(queriesFor(question, [link, block, surroundings])).toEqual([
    "A resilin block in stormy surroundings gives the stiffness class",
  ]);
  expect(queriesFor(question, [link, block, surroundings, rule])).toEqual([]);
  expect(queriesFor("Why is the sky blue?", [link])).toEqual(["Why is the sky blue?"]);
});

test("all words of a query for a fact stand in the note of its material, of one for a rule in one document", () => {
  for (const { text, subject } of world.questions("unseen-material")) {
    const note = new Set(noteOf(subject).text.match(/\w+/g));
    const facts = queriesFor(text, rules);
    expect(facts).toHaveLength(2);
    for (const query of facts) expect(query.match(/\w+/g)!.every((word) => note.has(word))).toBe(true);
    const [overview] = rules.filter(({ source }) => source === `rules/${readQuestion(text)!.type}.md`);
    const words = queriesFor(text, [noteOf(subject), overview!])[0]!.match(/\w+/g)!;
    const holding = rules.filter((document) => words.every((word) => document.text.includes(word)));
    expect(holding).toHaveLength(1);
    expect(layOut(text, [noteOf(subject), holding[0]!]).kind).toBe("laid-out");
  }
});

test("a written question is about a material of the passages and never about anything held out", () => {
  const rng = createRng(1);
  const written = new Set<string>();
  for (let i = 0; i < 600; i++) {
    const passages = [rng.pick(world.documents), rng.pick(world.documents), rng.pick(world.documents)];
    const text = writeQuestion(passages, rng.int, world.isTrainable);
    if (text === undefined) continue;
    const { subjects, type } = readQuestion(text)!;
    const [subject] = subjects;
    expect(passages.some((passage) => passage.text.includes(` ${subject}`))).toBe(true);
    expect(world.isTrainable(subject, type)).toBe(true);
    written.add(text);
  }
  expect(written.size).toBeGreaterThan(200);
});

test("no question is written from held-out notes or from rules alone", () => {
  const rng = createRng(2);
  const heldOut = world.questions("unseen-material").map(({ subject }) => noteOf(subject));
  expect(writeQuestion([...heldOut, ...rules], rng.int, world.isTrainable)).toBeUndefined();
  expect(writeQuestion(rules, rng.int, () => true)).toBeUndefined();
});

test("the order of the passages does not change what is written", () => {
  const passages = world.documents.slice(0, 20);
  const write = (from: typeof passages) => writeQuestion(from, createRng(3).int, world.isTrainable);
  expect(write([...passages].reverse())).toBe(write(passages));
});

test("each type is read back from its question", () => {
  for (const { text, subject, type } of world.questions("train")) {
    expect(readQuestion(`${text} Use <|thinking|>.`)).toEqual({ subjects: [subject], type });
  }
});
