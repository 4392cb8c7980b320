import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createLexicalEmbedder } from "../../../src/agents/corpus/lexical-embedder.js";
import { PassageTable } from "../../../src/agents/corpus/passage-table.js";
import { templatedPassages } from "./templated-world.js";

const embedder = createLexicalEmbedder();
const one = async (text: string) => (await embedder.embed([text]))[0]!;
const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const similarity = async (a: string, b: string) => cosine(await one(a), await one(b));

test("every text gives a finite unit vector, the same each time", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 60 }), async (text) => {
      const vector = await one(text);
      expect(Math.abs(cosine(vector, vector) - 1)).toBeLessThan(1e-5);
      expect(Buffer.from((await one(text)).buffer).equals(Buffer.from(vector.buffer))).toBe(true);
    }),
    { seed: 3, numRuns: 60 },
  );
});

test("capitals and plural do not part a word from itself", async () => {
  expect(await similarity("collagen fibre", "Collagen fibres")).toBeGreaterThan(0.6);
  expect(await similarity("collagen fibre", "ceramic bricks")).toBeLessThan(0.25);
});

test("a shared name outweighs a shared phrase", async () => {
  const query = "How stiff is the wet interface of Veltrin?";
  const named = await similarity(query, "Some notes about Veltrin are here.");
  expect(named).toBeGreaterThan(await similarity(query, "How stiff is the wet interface of Dorwex?"));
});

test("text without spaces between words is compared by neighbouring characters", async () => {
  expect(await similarity("貝殻の構造", "構造について")).toBeGreaterThan(0.1);
});

test("too few dimensions to tell names apart are refused", () => {
  expect(() => createLexicalEmbedder(64)).toThrow(/64 dimensions; expected/);
});

describe("over 1,500 templated documents", () => {
  // Each asks about its own third of the names.
  const QUESTIONS: [string, number, (name: string) => string][] = [
    ["a short question", 0, (name) => `Which toughness class does ${name} have?`],
    [
      "the name in lower case among the documents' own words",
      1,
      (name) => `what is the interface of ${name.toLowerCase()}`,
    ],
    [
      "the words of many other documents",
      2,
      (name) => `How stiff is ${name} in sea water, given a layered architecture of collagen and a sliding interface?`,
    ],
  ];

  const table = new PassageTable(embedder.dimensions);
  let names: string[] = [];
  beforeAll(async () => {
    const world = await templatedPassages(1500);
    names = world.names;
    const vectors = await embedder.embed(world.passages.map((p) => p.text));
    for (const [i, passage] of world.passages.entries()) table.add(passage, vectors[i]!);
  });

  test.each(QUESTIONS)(
    "the passage that a question names comes first in at least 99 of 100 cases: %s",
    async (_, share, ask) => {
      const asked = names.filter((_name, i) => i % QUESTIONS.length === share);
      const queries = await embedder.embed(asked.map(ask));
      const found = asked.filter((name, i) => table.rank(queries[i]!, 1)[0]?.source === `${name}.md`);
      expect(asked).toHaveLength(500);
      expect(found.length / asked.length).toBeGreaterThanOrEqual(0.99);
    },
  );
});
