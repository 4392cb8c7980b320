/** @file A context whose passages are found by an embedding model. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readConfig } from "../../src/server/config.js";
import { createContext, type ServerContext } from "../../src/server/create-context.js";
import { tinyBert } from "../support/embedding-golden.js";

let home = "";
const open: ServerContext[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-embedding-"));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((context) => context.close()));
  await rm(home, { recursive: true, force: true });
});

function context(embeddingModel?: string): ServerContext {
  const model = embeddingModel === undefined ? {} : { PREFLEXOR_EMBEDDING_MODEL: embeddingModel };
  const made = createContext(readConfig({ PREFLEXOR_HOME: home, PREFLEXOR_THREADS: "1", ...model }, "linux", home));
  open.push(made);
  return made;
}
const corpus = { kind: "folder", path: "/documents" } as const;
const passage = (text: string) => ({ id: text, text, source: "a.md", start: 0, end: text.length });

it("keeps a model's passages apart from those of the lexical embedder, and says so once", async () => {
  const lexical = await context().openCorpus(corpus);
  await lexical.add([passage("the cat sits on the mat"), passage("a long brown fox")]);

  const neural = context(tinyBert("mean"));
  const store = await neural.openCorpus(corpus);
  expect(await store.count()).toBe(0);
  expect(neural.notices().filter((text) => text.includes("call ingest-corpus once"))).toHaveLength(1);
  await store.add([passage("a long brown fox")]);
  expect(await lexical.count()).toBe(2);

  const again = context(tinyBert("mean"));
  const [found] = await (await again.openCorpus(corpus)).query("a long brown fox", 1);
  expect(found?.score).toBeCloseTo(1, 5);
  expect(again.notices().join()).not.toContain("ingest-corpus");
  const other = await context(tinyBert("cls")).openCorpus(corpus);
  expect(await other.count()).toBe(0);
});

it("names the setting where the model cannot be opened", async () => {
  await expect(context(join(home, "nowhere")).openCorpus(corpus)).rejects.toThrow(
    /embedding model cannot be opened: there is no directory.*PREFLEXOR_EMBEDDING_MODEL/s,
  );
});
