/** @file A corpus that is embedded by the engine: stored, found again, and refused to another embedder. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createNeuralEmbedder, ingestDocuments, openPassageStore } from "../../../src/agents/corpus/index.js";
import { type Embedder, openEmbedder } from "../../../src/trainer/index.js";
import { embeddingGolden, farthest, tinyBert } from "../../support/embedding-golden.js";

const dataDir = mkdtempSync(join(tmpdir(), "corpus-neural-"));
const engines = {} as Record<"cls" | "mean", Embedder>;
beforeAll(async () => {
  engines.cls = await openEmbedder({ model: tinyBert("cls"), threads: 1 });
  engines.mean = await openEmbedder({ model: tinyBert("mean"), threads: 1 });
});
afterAll(async () => {
  await Promise.all([engines.cls?.close(), engines.mean?.close()]);
  rmSync(dataDir, { recursive: true, force: true });
});

const open = (engine: keyof typeof engines | undefined, chroma: "auto" | "off", collection = `world-${chroma}`) =>
  openPassageStore({
    collection,
    dataDir,
    chroma,
    ...(engine !== undefined && { embedder: createNeuralEmbedder(engines[engine]) }),
  });
const golden = embeddingGolden("mean/golden.json").slice(0, 2);
const documents = [...golden.map(({ text }) => text), "zero width token", "a long brown cat"].map((text, i) => ({
  source: `${i}.md`,
  text,
}));

// "auto" is Chroma where its binary loads, and memory where it does not.
test.each(["auto", "off"] as const)(
  "passages come back nearest first, by cosine, from a store opened twice (%s)",
  async (chroma) => {
    const store = await open("mean", chroma);
    expect(await ingestDocuments(documents, store)).toMatchObject({ passages: 4, added: 4 });
    const before = await store.query("a long brown cat", 4);
    await store.close();
    expect(before[0]).toMatchObject({ source: "3.md" });
    expect(before[0]?.score).toBeCloseTo(1, 5);
    expect(before.map(({ score }) => score)).toEqual(before.map(({ score }) => score).toSorted((a, b) => b - a));
    const again = await open("mean", chroma);
    expect(await again.query("a long brown cat", 4)).toEqual(before);
    expect(await ingestDocuments(documents, again)).toMatchObject({ added: 0 });
    await again.close();
  },
);

test.each(["auto", "off"] as const)(
  "a collection is refused to every embedder but its own, with what to do (%s)",
  async (chroma) => {
    const store = await open("mean", chroma, `own-${chroma}`);
    await ingestDocuments(documents, store);
    await store.close();
    // The two models have the same dimensions: only the name tells them apart.
    await expect(open("cls", chroma, `own-${chroma}`)).rejects.toThrow(
      /neural-[0-9a-f]{16}, this is neural-[0-9a-f]{16}.*ingest again/s,
    );
    await expect(open(undefined, chroma, `own-${chroma}`)).rejects.toThrow(
      /neural-[0-9a-f]{16}, this is lexical-v1-1024.*ingest again/s,
    );
  },
);

test("vectors have length 1 also where the model does not say so, and questions get the model's prompt", async () => {
  const mean = createNeuralEmbedder(engines.mean);
  const [vector] = await mean.embed([golden[0]?.text ?? ""]);
  const wanted = golden[0]?.vector ?? [];
  const length = Math.hypot(...wanted);
  expect(farthest([vector ?? []], [wanted.map((x) => x / length)])).toBeLessThan(1e-6);

  const cls = createNeuralEmbedder(engines.cls);
  const prompted = embeddingGolden("cls/golden.json").at(-1);
  const question = prompted?.text.replace("query: ", "") ?? "";
  expect(farthest([(await cls.embedQuery?.(question)) ?? []], [prompted?.vector ?? []])).toBeLessThan(1e-6);
  expect(farthest(await cls.embed([question]), [prompted?.vector ?? []])).toBeGreaterThan(1e-3);
});

test("an ingestion tells of every batch of passages, and never goes back", async () => {
  const store = await open("mean", "off", "progress");
  const long = Array.from({ length: 150 }, (_, i) => ({ source: `${i}.md`, text: `text number ${i}` }));
  const seen: number[] = [];
  await ingestDocuments(long, store, {
    onProgress: ({ stage, done }) => {
      if (stage === "store") seen.push(done);
    },
  });
  expect(seen).toEqual([64, 128, 150, 150]);
});

test("a cancelled ingestion stops inside a batch of passages", async () => {
  const store = await open("mean", "off", "cancelled");
  const controller = new AbortController();
  const passages = Array.from({ length: 200 }, (_, i) => ({
    id: `p${i}`,
    text: `text ${i}`,
    source: "a",
    start: 0,
    end: 1,
  }));
  const adding = store.add(passages, controller.signal);
  setTimeout(() => controller.abort(new Error("stop")), 0);
  await expect(adding).rejects.toThrow("stop");
  expect(await store.count()).toBe(0);
});
