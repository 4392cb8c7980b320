import { beforeAll, describe, expect, test } from "vitest";
import { createLexicalEmbedder, openInProcessStore, type PassageStore } from "../../../src/agents/corpus/index.js";
import { ingestDocuments } from "../../../src/agents/corpus/ingest.js";
import { PassageTable } from "../../../src/agents/corpus/passage-table.js";
import { searchPassages } from "../../../src/agents/corpus/search-passages.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { templatedPassages } from "./templated-world.js";

const MODES = ["hybrid", "dense", "lexical"] as const;
const openStore = () => openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });

/** Vectors by hand: meaning and words can disagree. */
function tableOf(rows: Record<string, [string, [number, number]]>): PassageTable {
  const table = new PassageTable(2);
  for (const [id, [text, vector]] of Object.entries(rows)) {
    table.add({ id, text, source: `${id}.md`, start: 0, end: text.length }, vector);
  }
  return table;
}
const TABLE = tableOf({
  a: ["stiff and light", [1, 0]],
  b: ["the code XK-27 of a part", [0.6, 0.8]],
  c: ["stiff stiff wood", [0.8, 0.6]],
  d: ["nothing of the kind", [0, 1]],
});
const query = { text: "stiff XK-27", vector: Float32Array.of(1, 0) };
const search = (mode: (typeof MODES)[number], k = 4) => searchPassages(TABLE, query, { k, mode });
const ids = (passages: readonly { id: string }[]) => passages.map(({ id }) => id);

test("dense goes by vector, lexical by words, hybrid by the places in both", async () => {
  expect(ids(await search("dense"))).toEqual(["a", "c", "b", "d"]);
  expect(ids(await search("lexical"))).toEqual(["b", "c", "a"]);
  // a: 1/61 + 1/63; c: 1/62 + 1/62; b: 1/63 + 1/61: a and b are equal and ahead of c; d: 1/64.
  expect(ids(await search("hybrid"))).toEqual(["a", "b", "c", "d"]);
});

test("each passage says how it was found, and its score is the cosine similarity in every mode", async () => {
  const [a, b, , d] = await search("hybrid");
  expect(a).toMatchObject({ source: "a.md", start: 0, end: 15, score: 1 });
  expect(a?.found).toEqual({
    mode: "hybrid",
    denseRank: 1,
    lexicalRank: 3,
    bm25: expect.any(Number),
    fused: expect.closeTo(1 / 61 + 1 / 63, 12),
  });
  expect(d?.found).toEqual({ mode: "hybrid", denseRank: 4, fused: expect.closeTo(1 / 64, 12) });
  const [first] = await search("lexical");
  expect(first).toMatchObject({ id: "b", score: expect.closeTo(0.6, 6), found: { mode: "lexical", lexicalRank: 1 } });
  expect(b?.score).toBeCloseTo(0.6, 6);
  expect((await search("dense"))[1]?.found).toEqual({ mode: "dense", denseRank: 2 });
});

test("a smaller k cuts the result and changes nothing else", async () => {
  for (const mode of MODES) expect(await search(mode, 2)).toEqual((await search(mode)).slice(0, 2));
});

test("mmr puts a different passage before one that says the same again, in every mode", async () => {
  const table = tableOf({
    a: ["stiff and light", [0.96, 0.28]],
    b: ["stiff and light too", [0.936, 0.352]],
    c: ["stiff in water", [0.6, -0.8]],
  });
  for (const mode of MODES) {
    const found = await searchPassages(table, query, { k: 2, mode, mmr: { lambda: 0.5 } });
    expect(ids(found)).toEqual(["a", "c"]);
    expect(found[1]?.found?.mode).toBe(mode);
    expect(
      ids(await searchPassages(table, query, { k: 2, mode, mmr: { lambda: 0.5, fetchK: 2 } })).sort(),
    ).toHaveLength(2);
  }
  // From the best two alone there is nothing else to pick.
  const two = await searchPassages(table, query, { k: 2, mode: "dense", mmr: { lambda: 0.5, fetchK: 2 } });
  expect(ids(two)).toEqual(["a", "b"]);
});

test("what cannot be searched is refused with what is expected", async () => {
  await expect(searchPassages(new PassageTable(2), query, { k: 1 })).rejects.toThrow("call ingest-corpus first");
  await expect(searchPassages(TABLE, query, { k: 0 })).rejects.toThrow(/k is 0/);
  await expect(searchPassages(TABLE, query, { k: 1, mmr: { lambda: 2 } })).rejects.toThrow(/lambda is 2: .*0 to 1/);
  await expect(searchPassages(TABLE, query, { k: 3, mmr: { fetchK: 2 } })).rejects.toThrow(
    /fetchK is 2: .*k, which is 3/,
  );
});

test("above the exact limit hybrid still finds a passage by its rare word", async () => {
  const found = await searchPassages(TABLE, query, { k: 1, mode: "lexical" }, { exactLimit: 1 });
  expect(ids(found)).toEqual(["b"]);
  expect(ids(await searchPassages(TABLE, query, { k: 3 }, { exactLimit: 1 }))).toContain("b");
});

test("what comes and goes while words are being indexed for the first time is searched as it is afterwards", async () => {
  const { passages, names } = await templatedPassages(900);
  const table = new PassageTable(1);
  for (const passage of passages.slice(1)) table.add(passage, [1]);
  const indexing = table.words();
  const gone = passages.at(-1)!;
  table.remove(gone.id);
  table.add(passages[0]!, [1]);
  await indexing;
  const found = async (name: string) =>
    (await searchPassages(table, { text: name, vector: Float32Array.of(1) }, { k: 9, mode: "lexical" })).map(
      (p) => p.id,
    );
  expect(await found(names[0]!)).toEqual([passages[0]!.id]);
  expect(await found(names.at(-1)!)).toEqual([]);
  expect((await table.words()).size).toBe(899);
});

describe("over the documents of the materials world", () => {
  const world = createMaterialsWorld({ seed: 3 });
  const questions = (["train", "unseen-combination", "unseen-material"] as const).flatMap((split) =>
    world.questions(split),
  );
  let store: PassageStore;
  beforeAll(async () => {
    store = await openStore();
    await ingestDocuments(world.documents, store);
  });

  test.each(MODES)(
    "the note about the material that a question names comes first in at least 99 of 100 cases: %s",
    async (mode) => {
      let first = 0;
      for (const { text, subject } of questions) {
        const [best] = await store.search(text, { k: 1, mode });
        if (best?.source === `materials/${subject.toLowerCase()}.md`) first++;
      }
      expect(questions.length).toBeGreaterThan(300);
      expect(first / questions.length).toBeGreaterThanOrEqual(0.99);
    },
  );
});

describe("over 1,500 templated documents", () => {
  let store: PassageStore;
  let names: string[] = [];
  beforeAll(async () => {
    const world = await templatedPassages(1500);
    names = world.names;
    store = await openStore();
    await store.add(world.passages);
  });

  test.each([
    ["a short question", 0, (name: string) => `Which toughness class does ${name} have?`],
    ["the name in lower case", 1, (name: string) => `what is the interface of ${name.toLowerCase()}`],
    [
      "the words of many other documents",
      2,
      (name: string) =>
        `How stiff is ${name} in sea water, given a layered architecture of collagen and a sliding interface?`,
    ],
  ])("the passage that a question names comes first in at least 99 of 100 cases: %s", async (_, share, ask) => {
    const asked = names.filter((_name, i) => i % 30 === share);
    let first = 0;
    for (const name of asked) if ((await store.search(ask(name), { k: 1 }))[0]?.source === `${name}.md`) first++;
    expect(asked).toHaveLength(50);
    expect(first / asked.length).toBeGreaterThanOrEqual(0.99);
  });
});
