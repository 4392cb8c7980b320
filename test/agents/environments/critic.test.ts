/** @file The retrieval critic: where it cuts, what it writes, what it must not write. */
import { expect, test } from "vitest";
import {
  createMaterialsWorld,
  critique,
  layOut,
  reviseThinking,
  scoreThinking,
} from "../../../src/agents/environments/index.js";

const question = "What is the stiffness class of Veltrin?";
const block = "The building block of Veltrin is chitin.";
const surroundings = "The surroundings of Veltrin are dry.";
const rule = "A chitin block in dry surroundings gives the firm stiffness class.";
const begun = "A chitin block in dry surroundings gives the";
const note = { text: `This note describes Veltrin. The interface of Veltrin is water. ${block} ${surroundings}` };
const link = "The stiffness class follows from the building block and the surroundings.";
const rules = { text: `${link} ${rule} A chitin block in humid surroundings gives the soft stiffness class.` };
const both = [note, rules];

const wrongBlock = "The building block of Veltrin is collagen.";
const otherMaterial = "The building block of Mondrel is chitin.";
const irrelevant = "The interface of Veltrin is water.";
const wrongRule = "A chitin block in dry surroundings gives the soft stiffness class.";
const otherRule = "A chitin block in humid surroundings gives the soft stiffness class.";
const conclusion = "The stiffness class of Veltrin is firm.";
const lines = (...sentences: string[]): string => sentences.join("\n");

test.each([
  ["all steps stand", [block, surroundings, rule], [block, surroundings, rule], "nothing", 1],
  ["the facts come the other way round", [surroundings, block, rule], [surroundings, block, rule], "nothing", 1],
  ["a fact is wrong", [wrongBlock, surroundings, rule], [block], "fact", 1 / 3],
  ["a fact is about another material", [otherMaterial, surroundings, rule], [block], "fact", 1 / 3],
  [
    "the second fact is wrong",
    [block, "The surroundings of Veltrin are humid.", otherRule],
    [block, surroundings],
    "fact",
    1 / 3,
  ],
  [
    "the second fact comes first and is wrong",
    ["The surroundings of Veltrin are humid.", block],
    [surroundings],
    "fact",
    1 / 3,
  ],
  ["a true fact has no part in it", [block, irrelevant, surroundings, rule], [block, surroundings], "fact", 1],
  ["a fact is repeated", [block, block, surroundings, rule], [block, surroundings], "fact", 1],
  ["a sentence says nothing", [block, "Veltrin Veltrin is.", surroundings], [block, surroundings], "fact", 2 / 3],
  ["a value goes on", ["The building block of Veltrin is chitin collagen.", surroundings], [block], "fact", 1 / 3],
  ["a step is missing", [block], [block, surroundings], "fact", 1 / 3],
  ["nothing was thought", [], [block], "fact", 0],
  ["the rule comes before its facts", [rule, block, surroundings], [block], "fact", 2 / 3],
  ["the rule is missing", [block, surroundings], [block, surroundings, begun], "rule-premise", 2 / 3],
  [
    "the rule ends in a wrong class",
    [block, surroundings, wrongRule],
    [block, surroundings, begun],
    "rule-premise",
    2 / 3,
  ],
  ["the rule joins other facts", [block, surroundings, otherRule], [block, surroundings, begun], "rule-premise", 2 / 3],
  [
    "the conclusion is drawn in the thinking",
    [block, surroundings, rule, conclusion],
    [block, surroundings, rule],
    "nothing",
    1,
  ],
] as const)("%s", (_, thinking, expected, wrote, score) => {
  const revision = reviseThinking(question, lines(...thinking), both);
  expect(revision.thinking).toBe(lines(...expected));
  expect(revision.wrote).toBe(wrote);
  expect(revision.changed).toBe(lines(...thinking) !== lines(...expected));
  expect(revision.open).toBe(!revision.thinking.includes(rule));
  expect(scoreThinking(question, lines(...thinking), both)).toBeCloseTo(score, 12);
});

test("unasked, the critic never writes a class; assisted, it writes the rule that names it", () => {
  const before = lines(block, surroundings, wrongRule);
  expect(reviseThinking(question, before, both).thinking).not.toMatch(/firm|soft/);
  expect(reviseThinking(question, before, both, { assisted: true })).toEqual({
    thinking: lines(block, surroundings, rule),
    changed: true,
    wrote: "rule",
    open: true,
  });
});

test.each([
  ["the rules only", [rules], "", 0],
  ["the facts and which of them decide", [note, { text: link }], lines(block, surroundings), 2 / 3],
])(
  "passages that hold %s: what they do not support is cut, and nothing is invented",
  (_, passages, thinking, score) => {
    const full = lines(block, surroundings, rule);
    expect(reviseThinking(question, full, passages)).toMatchObject({ thinking, wrote: "nothing", changed: true });
    expect(scoreThinking(question, full, passages)).toBeCloseTo(score, 12);
  },
);

test.each([
  ["nothing at all", []],
  ["facts and rule, but not which facts decide", [note, { text: rule }]],
  ["which facts decide another class", [note, { text: `${link.replace("stiffness", "failure")} ${rule}` }]],
  ["a link that is cut off", [note, { text: `${rule} ${link.slice(0, -1)}` }]],
  ["two links that disagree", [note, rules, { text: link.replace("surroundings", "interface") }]],
])("passages that hold %s: the critic says so, changes nothing and scores nothing", (_, passages) => {
  const before = lines(wrongBlock, otherRule);
  expect(reviseThinking(question, before, passages)).toEqual({
    thinking: before,
    changed: false,
    wrote: "nothing",
    open: false,
  });
  expect(critique(question, before, passages)).toBe(
    "The passages do not settle the facts that the stiffness class follows from: the thinking cannot be held against them.",
  );
  expect(scoreThinking(question, lines(block, surroundings, rule), passages)).toBe(0);
});

test("which facts decide is read from the passages: under another link other facts are asked for", () => {
  const other = [note, { text: "The stiffness class follows from the building block and the interface." }];
  const beside = "A chitin block with a water interface gives the odd stiffness class.";
  expect(reviseThinking(question, lines(block, surroundings, rule), other).thinking).toBe(lines(block, irrelevant));
  expect(scoreThinking(question, lines(block, irrelevant, beside), [...other, { text: beside }])).toBe(1);
});

test("a wrong statement beside the right one costs the step", () => {
  expect(scoreThinking(question, lines(block, surroundings, rule, wrongBlock), both)).toBeCloseTo(2 / 3, 12);
});

test("the feedback quotes each faulty sentence with its reason and names each missing step, without the class", () => {
  const feedback = critique(question, lines(wrongBlock, otherMaterial, irrelevant, wrongRule), both);
  expect(feedback.split("\n")).toEqual([
    `Sentence 1 ("${wrongBlock}") is not supported by the passages.`,
    `Sentence 2 ("${otherMaterial}") is about Mondrel, not about Veltrin.`,
    `Sentence 3 ("${irrelevant}") has no part in the stiffness class.`,
    `Sentence 4 ("${wrongRule}") is not supported by the passages.`,
    "Missing: the building block of Veltrin.",
    "Missing: the surroundings of Veltrin.",
    "Missing: the stiffness class that a chitin block in dry surroundings gives.",
  ]);
  expect(feedback).not.toContain("firm");
  expect(critique(question, lines(block, surroundings, rule), both)).toMatch(/^Every needed step stands/);
});

test("a question that is not of this world is left alone", () => {
  expect(reviseThinking("Why?", block, both)).toMatchObject({ thinking: block, changed: false });
  expect(scoreThinking("Why?", block, both)).toBe(0);
  expect(critique("Why?", block, both)).toMatch(/not one that these passages/);
});

test("whatever the thinking was, revising and going on with the true rule ends in a full score within four rounds", () => {
  const world = createMaterialsWorld({ seed: 9, materials: 24 });
  for (const { text } of world.questions("unseen-material")) {
    const laidOut = layOut(text, world.documents);
    if (laidOut.kind !== "laid-out") throw new Error(laidOut.what.join("; "));
    let thinking = lines(otherMaterial, irrelevant, wrongRule);
    for (let round = 0; round < 4; round++) {
      const revision = reviseThinking(text, thinking, world.documents);
      thinking = revision.wrote === "rule-premise" ? laidOut.thinking : revision.thinking;
    }
    expect(scoreThinking(text, thinking, world.documents)).toBe(1);
    expect(reviseThinking(text, laidOut.thinking, world.documents)).toMatchObject({ changed: false, open: false });
  }
});
