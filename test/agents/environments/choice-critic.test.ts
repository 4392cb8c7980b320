/** @file The retrieval critic on two candidates: every kind of fault found and mended, the answer never written. */
import { describe, expect, test } from "vitest";
import {
  createMaterialsWorld,
  critique,
  layOut,
  reviseThinking,
  scoreThinking,
} from "../../../src/agents/environments/index.js";

const question = "Which of Veltrin and Morkax is of the firm stiffness class?";
const link = { text: "The stiffness class follows from the building block and the surroundings." };
const [v1, v2, vRule, v] = [
  "The building block of Veltrin is chitin.",
  "The surroundings of Veltrin are dry.",
  "A chitin block in dry surroundings gives the soft stiffness class.",
  "The stiffness class of Veltrin is soft.",
];
const [m1, m2, mRule, m] = [
  "The building block of Morkax is keratin.",
  "The surroundings of Morkax are marine.",
  "A keratin block in marine surroundings gives the firm stiffness class.",
  "The stiffness class of Morkax is firm.",
];
const [vBegun, mBegun] = [
  "A chitin block in dry surroundings gives the",
  "A keratin block in marine surroundings gives the",
];
const [vIs, mIs] = ["The stiffness class of Veltrin is", "The stiffness class of Morkax is"];
const notes = {
  text: `This note describes Veltrin and Morkax. ${v1} ${m1} ${m2} ${v2} The interface of Veltrin is lipid.`,
};
const rules = { text: `${vRule} ${mRule} A chitin block in marine surroundings gives the rigid stiffness class.` };
const passages = [notes, rules, link];
const veltrin = [v1, v2, vRule, v];
const morkax = [m1, m2, mRule, m];
const whole = [...veltrin, ...morkax];
const lines = (...sentences: readonly string[]): string => sentences.join("\n");

test.each([
  ["all steps stand", whole, whole, "nothing", 8],
  ["the candidates come the other way round", [...morkax, ...veltrin], [...morkax, ...veltrin], "nothing", 8],
  [
    "both are treated in turns",
    [v1, m1, v2, m2, vRule, mRule, v, m],
    [v1, m1, v2, m2, vRule, mRule, v, m],
    "nothing",
    8,
  ],
  ["nothing was thought", [], [v1], "fact", 0],
  ["only the first was treated", veltrin, [...veltrin, m1], "fact", 4],
  ["only the second was treated", morkax, [...morkax, v1], "fact", 4],
  [
    "a fact of the second is wrong",
    [...veltrin, "The building block of Morkax is chitin.", m2, mRule, m],
    [...veltrin, m1],
    "fact",
    5,
  ],
  [
    "a fact of the second is put under the name of the first",
    [...veltrin, m1.replace("Morkax", "Veltrin"), m2, mRule, m],
    [...veltrin, m1],
    "fact",
    // The slip contradicts the first fact of Veltrin, which stands no longer; Morkax lacks a fact and what builds on it.
    3 + 1,
  ],
  [
    "a true fact of the first is said again for the second",
    [...veltrin, v1, m2, mRule, m],
    [...veltrin, m1],
    "fact",
    5,
  ],
  [
    "a fact is about a stranger",
    [...veltrin, "The building block of Gorlan is keratin.", m2, mRule, m],
    [...veltrin, m1],
    "fact",
    5,
  ],
  [
    "a wrong fact of the second comes while the first is under way",
    [v1, m1.replace("keratin", "chitin"), v2],
    [v1, v2],
    "fact",
    2,
  ],
  ["a true fact has no part in it", [v1, "The interface of Veltrin is lipid.", v2], [v1, v2], "fact", 2],
  [
    "the rule joins the facts of neither",
    [v1, v2, "A chitin block in marine surroundings gives the rigid stiffness class."],
    [v1, v2, vBegun],
    "rule-premise",
    2,
  ],
  ["the rule of the second comes for the first", [v1, v2, mRule], [v1, v2, vBegun], "rule-premise", 2],
  ["the rule ends in a wrong class", [v1, v2, vRule.replace("soft", "firm"), v], [v1, v2, vBegun], "rule-premise", 2],
  ["the rule comes before its facts", [vRule, v1, v2], [v1], "fact", 2],
  ["the rule of the second is missing", [...veltrin, m1, m2], [...veltrin, m1, m2, mBegun], "rule-premise", 6],
  [
    "the class of the first is missing",
    [v1, v2, vRule, ...morkax],
    [v1, v2, vRule, ...morkax, vIs],
    "conclusion-premise",
    7,
  ],
  [
    "the class of the second is wrong",
    [...veltrin, m1, m2, mRule, m.replace("firm", "soft")],
    [...veltrin, m1, m2, mRule, mIs],
    "conclusion-premise",
    7,
  ],
  ["the class comes before its rule", [v1, v2, v], [v1, v2, vBegun], "rule-premise", 2],
  [
    "the class is a stranger's",
    [v1, v2, vRule, "The stiffness class of Gorlan is soft."],
    [v1, v2, vRule, vIs],
    "conclusion-premise",
    3,
  ],
  [
    "the class is of another type",
    [v1, v2, vRule, "The failure class of Veltrin is peeling."],
    [v1, v2, vRule, vIs],
    "conclusion-premise",
    3,
  ],
  ["a class is given twice", [...veltrin, v, ...morkax], [...veltrin, m1], "fact", 8],
  ["a sentence says nothing", [v1, "Veltrin and Morkax.", v2], [v1, v2], "fact", 2],
] as const)("%s", (_, thinking, expected, wrote, score) => {
  const revision = reviseThinking(question, lines(...thinking), passages);
  expect(revision.thinking).toBe(lines(...expected));
  expect(revision.wrote).toBe(wrote);
  expect(revision.changed).toBe(lines(...thinking) !== lines(...expected));
  expect(revision.open).toBe(wrote !== "nothing");
  expect(scoreThinking(question, lines(...thinking), passages)).toBeCloseTo(score / 8, 12);
});

test("assisted it writes the sentences that name a class, and only then", () => {
  const assisted = { assisted: true };
  expect(reviseThinking(question, lines(v1, v2), passages, assisted)).toMatchObject({
    thinking: lines(v1, v2, vRule),
    wrote: "rule",
  });
  expect(reviseThinking(question, lines(v1, v2, vRule), passages, assisted)).toMatchObject({
    thinking: lines(...veltrin),
    wrote: "conclusion",
  });
});

test("the feedback names faults and gaps of both candidates, and no class", () => {
  const feedback = critique(
    question,
    lines(v1, m1.replace("Morkax", "Gorlan"), m1.replace("keratin", "chitin")),
    passages,
  );
  expect(feedback.split("\n")).toEqual([
    'Sentence 2 ("The building block of Gorlan is keratin.") is about Gorlan, not about Veltrin or Morkax.',
    'Sentence 3 ("The building block of Morkax is chitin.") is not supported by the passages.',
    "Missing: the surroundings of Veltrin.",
    "Missing: the stiffness class that a chitin block in dry surroundings gives.",
    "Missing: the stiffness class of Veltrin.",
    "Missing: the building block of Morkax.",
    "Missing: the surroundings of Morkax.",
    "Missing: the stiffness class that a keratin block in marine surroundings gives.",
    "Missing: the stiffness class of Morkax.",
  ]);
  expect(critique(question, lines(...whole), passages)).toMatch(/^Every needed step stands/);
});

test("passages that lack one candidate leave the other's steps standing and invent nothing", () => {
  const found = [{ text: `${v1} ${v2}` }, rules, link];
  expect(reviseThinking(question, lines(...whole), found)).toMatchObject({
    thinking: lines(...veltrin),
    wrote: "nothing",
    open: true,
  });
  expect(scoreThinking(question, lines(...whole), found)).toBeCloseTo(4 / 8, 12);
});

describe("planted faults in a world of 24 materials", () => {
  const world = createMaterialsWorld({ seed: 9, materials: 24, choices: true });
  const classes =
    /\b(?:sliding|bridging|locking|unfolding|soft|pliant|firm|rigid|splitting|peeling|crushing|tearing)\b/;
  const heldOut = world.questions("unseen-material").filter(({ pairId }) => pairId !== undefined);
  const sourcesOf = (subjects: readonly string[]) =>
    world.documents.filter(
      ({ source }) =>
        source.startsWith("rules/") || subjects.some((name) => source === `materials/${name.toLowerCase()}.md`),
    );
  const layoutOf = (text: string, found: readonly { readonly text: string }[]): string[] => {
    const layout = layOut(text, found);
    if (layout.kind !== "laid-out") throw new Error(layout.what.join("; "));
    return layout.thinking.split("\n");
  };
  const replaceAt = (sentences: readonly string[], at: number, ...by: string[]): string[] =>
    sentences.flatMap((sentence, i) => (i === at ? by : [sentence]));
  const lastWord = (sentence: string, word: string): string => sentence.replace(/\w+\.$/, `${word}.`);

  test.each([
    ["a wrong first fact", (t: string[], at: number) => replaceAt(t, at * 4, lastWord(t[at * 4]!, "silk"))],
    ["a wrong second fact", (t: string[], at: number) => replaceAt(t, at * 4 + 1, lastWord(t[at * 4 + 1]!, "silk"))],
    [
      "a wrong class in the rule",
      (t: string[], at: number) => replaceAt(t, at * 4 + 2, t[at * 4 + 2]!.replace(classes, "odd")),
    ],
    ["a wrong class", (t: string[], at: number) => replaceAt(t, at * 4 + 3, lastWord(t[at * 4 + 3]!, "odd"))],
    ["a fact of the other", (t: string[], at: number) => replaceAt(t, at * 4, t[(1 - at) * 4]!)],
    ["the rule of the other", (t: string[], at: number) => replaceAt(t, at * 4 + 2, t[(1 - at) * 4 + 2]!)],
    ["one candidate left out", (t: string[], at: number) => t.filter((_, i) => Math.floor(i / 4) !== at)],
    ["a stranger", (t: string[], at: number) => replaceAt(t, at * 4, t[at * 4]!.replace(/of \w+/, "of Nobody"))],
    ["a sentence of no form", (t: string[], at: number) => replaceAt(t, at * 4, "Hello!", t[at * 4]!)],
    ["nothing at all", () => []],
  ] as const)("%s: mended in a few rounds, the class always left to the model", (_, plant) => {
    for (const [i, { text, subjects }] of heldOut.slice(0, 12).entries()) {
      const found = sourcesOf(subjects!);
      const truth = layoutOf(text, found);
      let thinking = lines(...plant([...truth], i % 2));
      expect(reviseThinking(text, thinking, found).changed).toBe(true);
      for (let round = 0; round < 9; round++) {
        const { wrote, thinking: revised } = reviseThinking(text, thinking, found);
        if (wrote !== "nothing") expect(revised.split("\n").at(-1)).not.toMatch(classes);
        // The model ends the sentence that was begun, with what it knows.
        const begun = revised.split("\n").at(-1)!;
        const ended = truth.find((sentence) => begun !== "" && sentence.startsWith(begun)) ?? begun;
        thinking = lines(...revised.split("\n").slice(0, -1), ended);
      }
      expect(scoreThinking(text, thinking, found)).toBe(1);
      expect(reviseThinking(text, thinking, found)).toMatchObject({ changed: false, open: false });
    }
  });
});
