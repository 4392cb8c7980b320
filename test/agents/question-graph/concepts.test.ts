import { expect, test } from "vitest";
import { extractConcepts, knownConcepts } from "../../../src/agents/question-graph/concepts.js";

const names = (text: string) => extractConcepts(text).map(({ name }) => name);
const counts = (text: string) => Object.fromEntries(extractConcepts(text).map(({ name, count }) => [name, count]));

test("a name counts wherever it stands, at the start of a sentence too", () => {
  expect(counts("Veltrin is light. Builders like Veltrin. They paint it.")).toEqual({ veltrin: 2 });
});

test("a capital at the start of a sentence alone makes no name", () => {
  expect(names("Builders paint it. Painters do not.")).toEqual([]);
});

test("names of up to three words stay together", () => {
  expect(names("We saw Rosa Luxemburg there.")).toEqual(["rosa luxemburg"]);
});

test("headings give their phrases, cut at function words", () => {
  expect(names("## The role of organic layers\n\nIt matters.")).toEqual(["role", "organic layer"]);
});

test("words and pairs that come back are concepts, in the singular; adverbs, participles and numbers are not", () => {
  const text = "Thin tablets slowly bent 12 times. The thin tablet slowly bent 12 times, as expected and expected.";
  expect(counts(text)).toEqual({ thin: 2, tablet: 2, "thin tablet": 2, bent: 2, time: 2 });
});

test("headings and names come first, then the more frequent", () => {
  expect(names("# Shell\n\nMud and mud and mud, clay and clay near Ulm.")).toEqual(["shell", "ulm", "mud", "clay"]);
});

test("letters of any script, composed or not, make the same concept", () => {
  expect(counts("Hier steht die Mu\u0308hle. Dort steht die Mühle.")).toMatchObject({ mühle: 2 });
  expect(counts("материал и материал")).toMatchObject({ материал: 2 });
});

test.each([
  ["", []],
  ["\u0000\uD800 ### \n#", []],
  ["1 2 3 1 2 3", []],
])("%j holds no concept", (text, expected) => {
  expect(names(text)).toEqual(expected);
});

test("known phrases are found in either number, at most three words long", () => {
  const known = new Set(["tablet", "organic layer", "a b", "tablets sliding in"]);
  expect(knownConcepts("Tablets and organic layers, tablets again", (name) => known.has(name))).toEqual([
    { name: "tablet", count: 2 },
    { name: "organic layer", count: 1 },
  ]);
});
