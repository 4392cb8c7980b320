import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { ChromaStartError, probe } from "../../../src/agents/corpus/chroma-process.js";
import { acquireChromaServer, type ChromaServer } from "../../../src/agents/corpus/chroma-server.js";
import {
  ingestDocuments,
  openPassageStore,
  type PassageStore,
  type SearchOptions,
} from "../../../src/agents/corpus/index.js";
import { createLexicalEmbedder } from "../../../src/agents/corpus/lexical-embedder.js";
import { templatedPassages } from "./templated-world.js";

const root = mkdtempSync(join(tmpdir(), "corpus-chroma-"));
const first = join(root, "first");
const shared = await startOrReason();
const skipped = typeof shared === "string" ? shared : undefined;

async function startOrReason(): Promise<ChromaServer | string> {
  try {
    return await acquireChromaServer(first);
  } catch (error) {
    if (error instanceof ChromaStartError && ["native-library", "not-installed"].includes(error.reason))
      return error.message;
    throw error;
  }
}

afterAll(async () => {
  if (typeof shared !== "string") await shared.release();
  rmSync(root, { recursive: true, force: true });
});

const open = (dataDir: string, collection = "world", more: { chroma?: string; exactLimit?: number } = {}) =>
  openPassageStore({ collection, dataDir, ...more });
const answersAt = async (port: number) => typeof (await probe(`http://127.0.0.1:${port}`)) === "object";
const { names, passages } = await templatedPassages(400);
const questions = names.slice(0, 100).map((name) => `Which toughness class does ${name} have in sea water?`);

async function answers(store: PassageStore): Promise<unknown[]> {
  const found = [];
  for (const question of questions) found.push(await store.query(question, 5));
  return found;
}

async function searched(store: PassageStore, options: SearchOptions): Promise<unknown[]> {
  const found = [];
  for (const question of questions.slice(0, 30)) found.push(await store.search(question, options));
  return found;
}

describe.skipIf(skipped !== undefined)(`with a Chroma server${skipped ? ` (skipped: ${skipped})` : ""}`, () => {
  test("two fresh servers and memory give the same passages, order and scores for 100 questions, however they are searched", async () => {
    const stores = [await open(first), await open(join(root, "second")), await open(root, "world", { chroma: "off" })];
    expect(stores.map((s) => s.description.name)).toEqual(["chroma", "chroma", "in-process"]);
    for (const [i, store] of stores.entries()) {
      // Another order of adding each time: nothing may depend on it.
      expect(await store.add(i === 1 ? [...passages].reverse() : passages)).toBe(passages.length);
    }
    const [a, b, memory] = await Promise.all(stores.map(answers));
    expect(b).toEqual(a);
    expect(memory).toEqual(a);
    for (const options of [{ k: 5 }, { k: 5, mode: "lexical" }, { k: 5, mmr: { lambda: 0.3 } }] as const) {
      const [one, two, three] = await Promise.all(stores.map((store) => searched(store, options)));
      expect(two).toEqual(one);
      expect(three).toEqual(one);
    }
    await Promise.all(stores.map((store) => store.close()));
  });

  test("adding again adds nothing, and a reopened store ranks as before by the vectors that Chroma kept", async () => {
    const store = await open(first, "reopened");
    expect(await store.add(passages)).toBe(400);
    expect(await store.add(passages)).toBe(0);
    const before = await answers(store);
    await store.close();
    const again = await open(first, "reopened");
    expect(await again.count()).toBe(400);
    expect(await answers(again)).toEqual(before);
    expect(await again.list()).toEqual([...passages].sort((a, b) => (a.id < b.id ? -1 : 1)));
    await again.close();
  });

  test("what another store adds to the collection is seen", async () => {
    const [one, two] = [await open(first, "shared"), await open(first, "shared")];
    await one.add(passages.slice(0, 3));
    expect(await two.count()).toBe(3);
    expect((await two.query(questions[2]!, 1))[0]?.source).toBe(`${names[2]}.md`);
    await Promise.all([one.close(), two.close()]);
  });

  test("what was removed is gone from the server, and others see one passage put for another", async () => {
    const [one, two] = [await open(first, "removing"), await open(first, "removing")];
    await one.add(passages.slice(0, 3));
    expect(await two.count()).toBe(3);
    const gone = passages[0]!;
    expect(await one.remove([gone.id, gone.id, "unknown"])).toBe(1);
    await one.add([passages[3]!]);
    const left = [...passages.slice(1, 4)].sort((a, b) => (a.id < b.id ? -1 : 1));
    // The count is what it was.
    expect(await two.list()).toEqual(left);
    expect((await two.search(questions[0]!, { k: 4 })).map(({ id }) => id)).not.toContain(gone.id);
    expect(await one.remove([gone.id])).toBe(0);
    await Promise.all([one.close(), two.close()]);
    const again = await open(first, "removing");
    expect(await again.list()).toEqual(left);
    await again.close();
  });

  test("two stores that change a collection in turn both see all of it", async () => {
    const [one, two] = [await open(first, "in-turn"), await open(first, "in-turn")];
    await Promise.all([one.add(passages.slice(0, 20)), two.add(passages.slice(10, 30))]);
    await one.remove(passages.slice(0, 5).map(({ id }) => id));
    await two.add(passages.slice(30, 35));
    const expected = [...passages.slice(5, 35)].sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(await one.list()).toEqual(expected);
    expect(await two.list()).toEqual(expected);
    await Promise.all([one.close(), two.close()]);
  });

  test("a moved passage keeps its vector and gets its new offsets, on the server too", async () => {
    const store = await open(first, "moved");
    const [passage] = passages;
    await store.add([passage!]);
    const [before] = await store.query(questions[0]!, 1);
    const moved = { ...passage!, start: 7, end: 7 + passage!.text.length };
    expect(await store.add([moved])).toBe(0);
    expect(await store.query(questions[0]!, 1)).toEqual([{ ...before, ...moved }]);
    await store.close();
    const again = await open(first, "moved");
    expect(await again.list()).toEqual([moved]);
    await again.close();
  });

  test("a corpus that is ingested again adds what is new and removes what is old, from a restarted store", async () => {
    const documents = Array.from({ length: 8 }, (_, i) => ({ source: `${i}.md`, text: `Material M${i}x.` }));
    const store = await open(first, "again");
    await ingestDocuments(documents, store, { root: "r" });
    await store.close();
    const again = await open(first, "again");
    const edited = documents.slice(1).map((d) => (d.source === "1.md" ? { ...d, text: "Material N1y." } : d));
    expect(await ingestDocuments(edited, again, { root: "r" })).toMatchObject({ added: 1, removed: 2, unchanged: 6 });
    expect((await again.list()).map(({ text }) => text).sort()).toEqual(edited.map(({ text }) => text).sort());
    await again.close();
  });

  test("above the exact limit the named passage is still found, by word or by Chroma's index", async () => {
    const store = await open(first, "large", { exactLimit: 50 });
    await store.add(passages);
    for (const i of [0, 40, 90]) expect((await store.query(questions[i]!, 3))[0]?.source).toBe(`${names[i]}.md`);
    await store.close();
  });

  test("a server is reached by URL and outlives the store", async () => {
    const { port } = shared as ChromaServer;
    const store = await open(root, "by-url", { chroma: `http://127.0.0.1:${port}` });
    await store.add(passages.slice(0, 2));
    await store.close();
    expect(await answersAt(port)).toBe(true);
  });

  test("an empty collection says what to call", async () => {
    const store = await open(first, "empty");
    await expect(store.query("anything", 3)).rejects.toThrow("call ingest-corpus first");
    await store.close();
  });

  test("a collection of another embedder is refused by both names", async () => {
    await (await open(first, "embedded")).close();
    const embedder = createLexicalEmbedder(512);
    await expect(openPassageStore({ collection: "embedded", dataDir: first, embedder })).rejects.toThrow(
      /embedder lexical-v\d-1024, this is lexical-v\d-512/,
    );
  });

  test("stores of one folder share a server; it ends with the last of them and leaves no lock", async () => {
    const folder = join(root, "counted");
    const [one, two] = await Promise.all([acquireChromaServer(folder), acquireChromaServer(folder)]);
    expect(two.pid).toBe(one.pid);
    await one.release();
    expect(await answersAt(one.port)).toBe(true);
    await two.release();
    expect(await answersAt(one.port)).toBe(false);
    expect(isRunning(one.pid)).toBe(false);
    expect(existsSync(join(folder, "chroma-server.json"))).toBe(false);
  });

  test("after kill -9 of the server an open store goes on, and all passages are there", async () => {
    const folder = join(root, "killed");
    const store = await open(folder);
    await store.add(passages.slice(0, 200));
    const server = await acquireChromaServer(folder);
    process.kill(server.pid, "SIGKILL");
    expect(await store.count()).toBe(200);
    expect(await store.add(passages)).toBe(200);
    expect(await store.count()).toBe(400);
    await Promise.all([store.close(), server.release()]);
  });

  test("a second process uses the server of the first, and its end does not end it", async () => {
    const { pid } = shared as ChromaServer;
    const other = runOther(first, "await server.release();");
    expect(JSON.parse(other)).toMatchObject({ pid });
    expect(await answersAt((shared as ChromaServer).port)).toBe(true);
  });

  test.each(["process.exit(3);", "process.kill(process.pid, 'SIGKILL');"])(
    "a server does not outlive its process: %s",
    async (end) => {
      const folder = join(root, `abandoned-${end.length}`);
      const { port } = JSON.parse(runOther(folder, end)) as { port: number };
      for (let i = 0; i < 100 && (await answersAt(port)); i++) await sleep(50);
      expect(await answersAt(port)).toBe(false);
      // The lock that the process could not remove does not stop the next one.
      const store = await open(folder);
      expect(store.description.name).toBe("chroma");
      await store.close();
    },
  );
});

describe("without Chroma's binary", () => {
  const script = (name: string, content: string): string => {
    writeFileSync(join(root, name), content);
    return join(root, name);
  };

  test("a library that cannot be loaded is a typed reason, and the store in memory says so", async () => {
    writeFileSync(join(root, "broken.node"), "not a library");
    const bin = script("dlopen.cjs", 'require("./broken.node");');
    const options = { dataDir: join(root, "fallback"), start: { bin } };
    await expect(acquireChromaServer(options.dataDir, { bin })).rejects.toMatchObject({ reason: "native-library" });
    const store = await openPassageStore({ ...options, collection: "world" });
    expect(store.description).toMatchObject({
      name: "in-process",
      notice: expect.stringContaining("cannot be loaded"),
    });
    expect(await store.add(passages.slice(0, 2))).toBe(2);
  });

  test.each([
    ["not-installed", 'require("chromadb-js-bindings-that-is-not-there");', {}],
    ["exited", "console.error('out of luck'); process.exit(1);", {}],
    ["timeout", "setInterval(() => {}, 1000);", { timeoutMs: 400 }],
  ])("a start that fails otherwise has the reason %s and leaves no lock", async (reason, content, more) => {
    const folder = join(root, reason);
    const bin = script(`${reason}.cjs`, content);
    await expect(acquireChromaServer(folder, { bin, ...more })).rejects.toMatchObject({ reason });
    expect(existsSync(join(folder, "chroma-server.json"))).toBe(false);
  });

  test("an address where nothing answers says what to do", async () => {
    await expect(open(root, "world", { chroma: "http://127.0.0.1:9" })).rejects.toThrow(
      /no Chroma server answers .*start it/,
    );
    await expect(open(root, "world", { chroma: "localhost" })).rejects.toThrow(/expected "auto", "off" or a URL/);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts or reuses the folder's server in a process of its own, which prints it and then does `end`. */
function runOther(folder: string, end: string): string {
  const door = new URL("../../../dist/agents/corpus/chroma-server.js", import.meta.url).href;
  const code = `const { acquireChromaServer } = await import(${JSON.stringify(door)});
    const server = await acquireChromaServer(${JSON.stringify(folder)});
    (await import("node:fs")).writeSync(1, JSON.stringify({ port: server.port, pid: server.pid }));
    ${end}`;
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  if (run.stdout === "") throw new Error(`the other process printed nothing: ${run.stderr}`);
  return run.stdout;
}
