import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { drawPassages, ingest, ingestDocuments, openPassageStore } from "../../../src/agents/corpus/index.js";
import { createLexicalEmbedder } from "../../../src/agents/corpus/lexical-embedder.js";

let dataDir = "";
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "corpus-memory-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = (dimensions = 256) =>
  openPassageStore({ collection: "world", dataDir, chroma: "off", embedder: createLexicalEmbedder(dimensions) });
const file = () => join(dataDir, "in-process", "world.jsonl");
const documents = Array.from({ length: 12 }, (_, i) => ({
  source: `${i}.md`,
  text: `Material M${i}x is number ${i}.`,
}));

test("what was added is there after reopening, with the same scores, and adding it again adds nothing", async () => {
  const store = await open();
  expect(await ingestDocuments(documents, store)).toEqual({
    documents: 12,
    passages: 12,
    added: 12,
    removed: 0,
    unchanged: 0,
  });
  const before = await store.query("What is M7x?", 5);
  await store.close();
  const again = await open();
  expect(await again.query("What is M7x?", 5)).toEqual(before);
  expect(before[0]?.source).toBe("7.md");
  expect(await ingestDocuments(documents, again)).toMatchObject({ passages: 12, added: 0 });
  expect(await ingestDocuments([{ source: "new.md", text: "M99x" }], again)).toMatchObject({ added: 1 });
  expect(await (await open()).count()).toBe(13);
  expect(readdirSync(join(dataDir, "in-process"))).toEqual(["world.jsonl"]);
});

test("passages listed are ordered by id", async () => {
  const store = await open();
  await ingestDocuments(documents, store);
  const ids = (await store.list()).map((p) => p.id);
  expect(ids).toEqual([...ids].sort());
});

test("line separators inside a text survive the file of lines", async () => {
  const text = "one\u2028two\u2029three\r\nfour";
  const store = await open();
  await ingestDocuments([{ source: "odd.txt", text }], store);
  expect((await (await open()).list()).map((p) => p.text)).toEqual([text]);
});

test("half a line, left by a crash, is dropped and the next rows follow cleanly", async () => {
  await ingestDocuments(documents, await open());
  appendFileSync(file(), '{"id":"torn","text":"ha');
  const store = await open();
  expect(await store.count()).toBe(12);
  await ingestDocuments([{ source: "new.md", text: "M99x" }], store);
  expect(await (await open()).count()).toBe(13);
});

test("a file of another embedder and a damaged line are refused with the next step", async () => {
  await ingestDocuments(documents, await open());
  await expect(open(512)).rejects.toThrow(/lexical-v\d-256, this is lexical-v\d-512.*ingest again/s);
  const lines = readFileSync(file(), "utf8").split("\n");
  lines[3] = "{}";
  writeFileSync(file(), lines.join("\n"));
  await expect(open()).rejects.toThrow(/line 4 cannot be used/);
});

test("a cancelled add keeps what it reported and can be repeated", async () => {
  const store = await open();
  await expect(store.add([], AbortSignal.abort(new Error("stop")))).resolves.toBe(0);
  await expect(ingestDocuments(documents, store, { signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow(
    "stop",
  );
  expect(await store.count()).toBe(0);
  expect(await ingestDocuments(documents, store)).toMatchObject({ added: 12 });
});

test("a bad file leaves the store as it was", async () => {
  const corpus = join(dataDir, "corpus");
  writeFileSync(join(dataDir, "good.md"), "fine");
  writeFileSync(join(dataDir, "bad.txt"), Uint8Array.of(0xff, 0xfe, 0x41));
  const store = await open();
  await expect(ingest(dataDir, store)).rejects.toThrow("bad.txt");
  await expect(ingest(corpus, store)).rejects.toThrow("nothing to read");
  expect(await store.count()).toBe(0);
});

test("draws are seeded without a topic, and the nearest with one", async () => {
  const store = await open();
  await expect(drawPassages(store, { k: 2 })).rejects.toThrow("call ingest-corpus first");
  await ingestDocuments(documents, store);
  const draw = async (seed: number) => (await drawPassages(store, { k: 5, seed })).map((p) => p.id);
  expect(await draw(1)).toEqual(await draw(1));
  expect(await draw(1)).not.toEqual(await draw(2));
  expect(new Set(await draw(1)).size).toBe(5);
  expect((await drawPassages(store, { k: 1, topic: "M3x" }))[0]?.source).toBe("3.md");
});

test("draws around a topic are seeded, and stay among the passages found first for it", async () => {
  const store = await open();
  const near = Array.from({ length: 6 }, (_, i) => ({
    source: `near-${i}.md`,
    text: `Nacre number ${i}x has aragonite.`,
  }));
  await ingestDocuments([...documents, ...near], store);
  const draw = async (seed: number) =>
    (await drawPassages(store, { k: 3, topic: "nacre aragonite", among: 6, seed })).map((p) => p.source);
  expect(await draw(1)).toEqual(await draw(1));
  const drawn = (await Promise.all([1, 2, 3, 4, 5, 6].map(draw))).flat();
  for (const source of drawn) expect(source).toMatch(/^near-/);
  expect(new Set(drawn).size).toBeGreaterThan(3);
  await expect(drawPassages(store, { k: 3, topic: "nacre", among: 2 })).rejects.toThrow(/among is 2: .*k, which is 3/);
});

test("what was removed is gone after reopening, and can be added again", async () => {
  const store = await open();
  await ingestDocuments(documents, store);
  const ids = (await store.query("What is M7x?", 2)).map(({ id }) => id);
  expect(await store.remove([...ids, ...ids, "unknown"])).toBe(2);
  expect(await store.remove(ids)).toBe(0);
  const again = await open();
  expect(await again.count()).toBe(10);
  expect((await again.search("What is M7x?", { k: 12 })).map(({ id }) => id)).not.toContain(ids[0]);
  expect(await ingestDocuments(documents, again)).toMatchObject({ added: 2 });
  expect((await (await open()).query("What is M7x?", 2)).map(({ id }) => id)).toEqual(ids);
});

test("what could not be written is written by the next change; a file that is gone is written whole", async () => {
  const store = await open();
  await ingestDocuments(documents.slice(0, 2), store);
  // A folder in the file's place refuses to be appended to.
  renameSync(file(), `${file()}.kept`);
  mkdirSync(file());
  await expect(ingestDocuments(documents.slice(2, 4), store)).rejects.toThrow(/EISDIR/);
  rmSync(file(), { recursive: true });
  renameSync(`${file()}.kept`, file());
  await ingestDocuments(documents.slice(4, 6), store);
  expect(await (await open()).count()).toBe(6);
  rmSync(file());
  await ingestDocuments(documents.slice(6, 8), store);
  expect(await (await open()).count()).toBe(8);
  writeFileSync(file(), "");
  await ingestDocuments(documents.slice(0, 1), await open());
  expect(await (await open()).count()).toBe(1);
});

test("a file of mostly removed passages is written anew when it is opened", async () => {
  const store = await open();
  for (let round = 0; round < 30; round++) {
    await ingestDocuments(documents, store);
    await store.remove((await store.list()).map(({ id }) => id));
  }
  await ingestDocuments(documents, store);
  const lines = () => readFileSync(file(), "utf8").trim().split("\n").length;
  expect(lines()).toBe(1 + 31 * 12 + 30);
  expect(await (await open()).count()).toBe(12);
  expect(lines()).toBe(13);
});

test("a collection name that a server would refuse is refused here", async () => {
  await expect(openPassageStore({ collection: "../x", dataDir, chroma: "off" })).rejects.toThrow(
    /collection "\.\.\/x"/,
  );
});
