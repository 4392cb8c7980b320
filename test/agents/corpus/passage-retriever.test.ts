import { beforeAll, expect, test } from "vitest";
import { createLexicalEmbedder, openInProcessStore, type PassageStore } from "../../../src/agents/corpus/index.js";
import { loadPassageRetriever } from "../../../src/agents/index.js";
import { templatedPassages } from "./templated-world.js";

let store: PassageStore;
let names: string[];
beforeAll(async () => {
  const world = await templatedPassages(40);
  names = world.names;
  store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });
  await store.add(world.passages);
});

test("documents are the passages of a search, best first, with source, offsets and score", async () => {
  const retriever = await loadPassageRetriever({ store, k: 3 });
  const documents = await retriever.invoke(`What is ${names[5]} built from?`);
  const passages = await store.search(`What is ${names[5]} built from?`, { k: 3 });
  expect(documents.map(({ id, pageContent }) => ({ id, text: pageContent }))).toEqual(
    passages.map(({ id, text }) => ({ id, text })),
  );
  const { source, start, end, score, found } = passages[0]!;
  expect(documents[0]?.metadata).toEqual({ source, start, end, score, found });
  expect(source).toBe(`${names[5]}.md`);
});

test("mode and mmr are those of the search", async () => {
  const lexical = await loadPassageRetriever({ store, k: 5, mode: "lexical" });
  expect(await lexical.invoke("nowhere")).toEqual([]);
  expect((await lexical.invoke(names[7]!)).map(({ metadata }) => metadata.source)).toEqual([`${names[7]}.md`]);
  const mmr = { lambda: 0, fetchK: 40 };
  const different = await loadPassageRetriever({ store, k: 5, mmr });
  const ids = (await different.invoke("sea water")).map(({ id }) => id);
  expect(ids).toEqual((await store.search("sea water", { k: 5, mmr })).map(({ id }) => id));
  expect(ids).not.toEqual((await store.search("sea water", { k: 5 })).map(({ id }) => id));
});

test("it is a runnable: it can be piped, and an empty store is its error", async () => {
  const retriever = await loadPassageRetriever({ store, k: 1 });
  const chain = retriever.pipe((documents) => documents.length);
  expect(await chain.invoke("silk")).toBe(1);
  const empty = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });
  await expect((await loadPassageRetriever({ store: empty })).invoke("silk")).rejects.toThrow(
    "call ingest-corpus first",
  );
});
