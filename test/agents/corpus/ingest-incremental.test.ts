import { mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type CorpusDocument,
  createLexicalEmbedder,
  type Embedder,
  ingest,
  ingestDocuments,
  openInProcessStore,
  openPassageStore,
  type PassageStore,
  removeFromCorpus,
} from "../../../src/agents/corpus/index.js";
import { memoryRecords } from "../../../src/agents/corpus/ingest-records.js";

let home = "";
let corpus = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "corpus-home-"));
  corpus = mkdtempSync(join(tmpdir(), "corpus-files-"));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
  rmSync(corpus, { recursive: true, force: true });
});

const put = (files: Record<string, string>, folder = corpus) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
};
const texts = async (store: PassageStore) => (await store.list()).map(({ text }) => text).sort();

/** Counts what is embedded. */
function countingEmbedder(): Embedder & { embedded: string[] } {
  const inner = createLexicalEmbedder(256);
  const embedded: string[] = [];
  return {
    ...inner,
    embedded,
    embed: (list, work) => {
      embedded.push(...list);
      return inner.embed(list, work);
    },
  };
}

const open = (embedder: Embedder = createLexicalEmbedder(256), collection = "docs") =>
  openPassageStore({ collection, dataDir: home, chroma: "off", embedder });

describe("of a folder", () => {
  test("only new and edited files are embedded, and passages of edited and deleted ones are gone, also after a restart", async () => {
    put({ "a.md": "Nacre is tough.", "b.md": "Silk is strong.", "c.md": "Bone is stiff." });
    const first = await open();
    expect(await ingest(corpus, first)).toMatchObject({ documents: 3, added: 3, removed: 0, unchanged: 0 });
    await first.close();
    put({ "b.md": "Silk is stronger.", "d.md": "Wood is light." });
    unlinkSync(join(corpus, "c.md"));
    const embedder = countingEmbedder();
    const store = await open(embedder);
    expect(await ingest(corpus, store)).toEqual({ documents: 3, passages: 3, added: 2, removed: 2, unchanged: 1 });
    expect(embedder.embedded.sort()).toEqual(["Silk is stronger.", "Wood is light."]);
    expect(await texts(store)).toEqual(["Nacre is tough.", "Silk is stronger.", "Wood is light."]);
    await store.close();
    const again = await open();
    expect(await texts(again)).toEqual(["Nacre is tough.", "Silk is stronger.", "Wood is light."]);
    expect(await ingest(corpus, again)).toMatchObject({ added: 0, removed: 0, unchanged: 3 });
  });

  test("a passage that moves within its file gets its new offsets without being embedded again", async () => {
    const part = (name: string) => `\n## ${name}\n\n${`About ${name}, at length.\n`.repeat(40)}`;
    put({ "a.md": part("Bone") + part("Silk") });
    const embedder = countingEmbedder();
    const store = await open(embedder);
    await ingest(corpus, store, { overlap: 0 });
    const before = (await store.list()).find(({ text }) => text.startsWith("## Silk"));
    embedder.embedded.length = 0;
    put({ "a.md": part("A new part") + part("Bone") + part("Silk") });
    await ingest(corpus, store, { overlap: 0 });
    expect(embedder.embedded.some((text) => text.includes("Silk"))).toBe(false);
    const file = readFileSync(join(corpus, "a.md"), "utf8");
    for (const opened of [store, await open()]) {
      const passages = await opened.list();
      for (const { text, start, end } of passages) expect(file.slice(start, end)).toBe(text);
      expect(passages.find(({ id }) => id === before?.id)?.start).toBe(
        (before?.start ?? 0) + part("A new part").length,
      );
    }
  });

  test("other chunk sizes cut unchanged files again", async () => {
    put({ "a.md": "One sentence is here. Another sentence is there." });
    const store = await open();
    await ingest(corpus, store);
    expect(await ingest(corpus, store, { size: 28, overlap: 0 })).toMatchObject({ added: 2, removed: 1, unchanged: 0 });
  });

  test("a store that lost its passages is filled again, whatever the record says", async () => {
    put({ "a.md": "Nacre is tough.", "b.md": "Silk is strong." });
    const store = await open();
    await ingest(corpus, store);
    rmSync(join(home, "in-process"), { recursive: true });
    expect(await ingest(corpus, await open())).toMatchObject({ added: 2, unchanged: 0 });
  });

  test("folders that hold the same document share its passage, which goes with the last of them", async () => {
    const other = mkdtempSync(join(home, "other-"));
    put({ "same.md": "Nacre is tough.", "a.md": "Silk is strong." });
    put({ "same.md": "Nacre is tough." }, other);
    const store = await open();
    await ingest(corpus, store);
    expect(await ingest(other, store)).toMatchObject({ added: 0 });
    expect(await removeFromCorpus(store, { root: corpus })).toEqual({ documents: 2, removed: 1 });
    expect(await texts(store)).toEqual(["Nacre is tough."]);
    unlinkSync(join(other, "same.md"));
    put({ "b.md": "Bone is stiff." }, other);
    await ingest(other, store);
    expect(await texts(store)).toEqual(["Bone is stiff."]);
  });

  test("a folder that cannot be read changes nothing", async () => {
    put({ "a.md": "Nacre is tough." });
    const store = await open();
    await ingest(corpus, store);
    unlinkSync(join(corpus, "a.md"));
    await expect(ingest(corpus, store)).rejects.toThrow("no readable file");
    expect(await store.count()).toBe(1);
  });
});

describe("removal", () => {
  test("takes out a root, whose next ingest brings everything back", async () => {
    put({ "a.md": "Nacre is tough.", "b.md": "Silk is strong." });
    const store = await open();
    await ingest(corpus, store);
    expect(await removeFromCorpus(store, { root: corpus })).toEqual({ documents: 2, removed: 2 });
    expect(await (await open()).count()).toBe(0);
    expect(await ingest(corpus, store)).toMatchObject({ added: 2 });
  });

  test("takes out a single source, and the passages of documents that were added without a root", async () => {
    put({ "a.md": "Nacre is tough.", "b.md": "Silk is strong." });
    const store = await open();
    await ingest(corpus, store);
    await ingestDocuments([{ source: "loose.md", text: "Wood is light." }], store);
    expect(await removeFromCorpus(store, { source: "a.md" })).toEqual({ documents: 1, removed: 1 });
    expect(await removeFromCorpus(store, { source: "loose.md" })).toEqual({ documents: 1, removed: 1 });
    expect(await texts(store)).toEqual(["Silk is strong."]);
    expect(await ingest(corpus, store)).toMatchObject({ added: 1, unchanged: 1 });
  });

  test("of what was never ingested names what was", async () => {
    put({ "a.md": "Nacre is tough." });
    const store = await open();
    await ingest(corpus, store);
    await expect(removeFromCorpus(store, { root: "/nowhere" })).rejects.toThrow(
      `nothing was ingested from /nowhere. Ingested: ${corpus}`,
    );
    await expect(removeFromCorpus(store, { source: "z.md" })).rejects.toThrow(/z\.md.*Sources: a\.md/);
  });
});

describe("records", () => {
  test("a damaged record is refused with the file to remove", async () => {
    put({ "a.md": "Nacre is tough." });
    await ingest(corpus, await open());
    const folder = join(home, "ingested", "in-process", "docs");
    const [file] = readdirSync(folder);
    writeFileSync(join(folder, file ?? ""), "{");
    await expect(ingest(corpus, await open())).rejects.toThrow(
      /\.json does not say what was ingested: remove the file/,
    );
  });

  test("two documents of one root with the same source are refused; names of objects' own properties are sources like others", async () => {
    const store = await open();
    const twice = ["x", "x"].map((source) => ({ source, text: "Nacre" }));
    await expect(ingestDocuments(twice, store, { root: "r" })).rejects.toThrow(/two documents of r have the source x/);
    const odd = ["__proto__", "constructor"].map((source) => ({ source, text: `About ${source}` }));
    expect(await ingestDocuments(odd, store, { root: "r" })).toMatchObject({ added: 2 });
    expect(await ingestDocuments(odd, await open(), { root: "r" })).toMatchObject({ added: 0, unchanged: 2 });
  });
});

const memoryStore = (records = memoryRecords()) =>
  openInProcessStore({ embedder: createLexicalEmbedder(256), version: "test", records });

const sentence = fc.constantFrom(
  "Nacre is tough.",
  "Silk is strong.",
  "Bone is stiff.",
  "Wood is light.",
  "Chitin bends.",
);
const version: fc.Arbitrary<CorpusDocument[]> = fc
  .uniqueArray(
    fc.record({ source: fc.constantFrom("a", "b", "c", "d"), lines: fc.array(sentence, { maxLength: 6 }) }),
    {
      selector: ({ source }) => source,
    },
  )
  .map((documents) => documents.map(({ source, lines }) => ({ source, text: lines.join("\n\n") })));
const CUT = { size: 20, overlap: 0 };

test("a corpus that was ingested version after version is the one that its last version makes from scratch", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(version, { minLength: 1, maxLength: 5 }), async (versions) => {
      const [grown, fresh] = [await memoryStore(), await memoryStore()];
      for (const documents of versions) await ingestDocuments(documents, grown, { ...CUT, root: "r" });
      await ingestDocuments(versions.at(-1) ?? [], fresh, { ...CUT, root: "r" });
      expect(await grown.list()).toEqual(await fresh.list());
      expect(await grown.records.all()).toEqual(await fresh.records.all());
    }),
    { seed: 7, numRuns: 60 },
  );
});

/** A store whose n-th change of anything, counted from 0, does not come about, as when the process ends there. */
function crashing(store: PassageStore, at: number): PassageStore {
  let changes = 0;
  const change = async <T>(work: () => Promise<T>): Promise<T> => {
    if (changes++ === at) throw new Error("crashed");
    return work();
  };
  const { records } = store;
  return {
    ...store,
    add: (...args) => change(() => store.add(...args)),
    remove: (...args) => change(() => store.remove(...args)),
    records: {
      ...records,
      write: (record) => change(() => records.write(record)),
      remove: (root) => change(() => records.remove(root)),
    },
  };
}

test("wherever an ingest is cut off, the next one makes of it what it would have been", async () => {
  await fc.assert(
    fc.asyncProperty(
      version,
      version,
      fc.option(version, { freq: 1 }),
      fc.nat({ max: 4 }),
      async (before, during, edited, at) => {
        // Often nothing is edited between the crash and the next ingest.
        const after = edited ?? during;
        const [store, fresh] = [await memoryStore(), await memoryStore()];
        await ingestDocuments(before, store, { ...CUT, root: "r" });
        await ingestDocuments(during, crashing(store, at), { ...CUT, root: "r" }).catch((error: Error) => {
          expect(error.message).toBe("crashed");
        });
        await ingestDocuments(after, store, { ...CUT, root: "r" });
        await ingestDocuments(after, fresh, { ...CUT, root: "r" });
        expect(await store.list()).toEqual(await fresh.list());
        expect(await store.records.all()).toEqual(await fresh.records.all());
      },
    ),
    { seed: 8, numRuns: 150 },
  );
});

test("a removal that is cut off is finished by the same call, or undone by an ingest", async () => {
  const documents = [{ source: "a", text: "Nacre is tough." }];
  for (const at of [0, 1]) {
    const store = await memoryStore();
    await ingestDocuments(documents, store, { root: "r" });
    await expect(removeFromCorpus(crashing(store, at), { root: "r" })).rejects.toThrow("crashed");
    await removeFromCorpus(store, { root: "r" });
    expect([await store.count(), await store.records.all()]).toEqual([0, []]);
    await ingestDocuments(documents, store, { root: "r" });
    await expect(removeFromCorpus(crashing(store, at), { root: "r" })).rejects.toThrow("crashed");
    await ingestDocuments(documents, store, { root: "r" });
    expect(await store.count()).toBe(1);
  }
});
