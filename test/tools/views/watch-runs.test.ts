/** @file The watch over runs: what is told, how often, and that nothing of it is left. */
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lockRun } from "../../../src/agents/index.js";
import { createChanges } from "../../../src/tools/changes.js";
import { RUNS_URI, type RunsWatch, runUri, watchedChanges, watchRuns } from "../../../src/tools/views/index.js";
import { fill, lines, makeRun, newHome, pair, step } from "./run-folders.js";

let home: string;
let told: string[];
let watch: RunsWatch | undefined;
beforeEach(async () => {
  home = await newHome();
  told = [];
});
afterEach(() => watch?.stop());

async function begin(): Promise<void> {
  const changes = createChanges();
  changes.subscribe((uri) => void told.push(uri));
  watch = watchRuns(home, changes, { quietMs: 100, pollMs: 200 });
  await watch.ready;
}
const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(uri: string): Promise<void> {
  for (let i = 0; i < 150 && !told.includes(uri); i++) await settle(20);
  expect(told).toContain(uri);
}

it("tells nothing of what was there before, nor of files that show nothing", async () => {
  const { path } = await makeRun(home, { "pairs.jsonl": lines([pair(1)]) });
  await begin();
  await writeFile(join(path, "metrics.jsonl.tmp"), "x");
  await settle(400);
  expect(told).toEqual([]);
});

it("tells of a run the parts that a file is shown in, each once", async () => {
  const { id, path } = await makeRun(home, { "metrics.jsonl": "" });
  await begin();
  await appendFile(join(path, "metrics.jsonl"), lines([step(1)]));
  await until(runUri(id, "report"));
  await settle(400);
  expect(told.sort()).toEqual([runUri(id), runUri(id, "metrics"), runUri(id, "report")]);
});

it("tells of the list where a run comes, starts, ends or goes, also in a home that has none yet", async () => {
  await begin();
  const { path, id } = await makeRun(home);
  for (const change of [
    async () => undefined,
    async () => lockRun(path),
    async () => writeFile(join(path, "outcome.json"), "{}"),
    async () => rm(path, { recursive: true }),
  ]) {
    await change();
    await until(RUNS_URI);
    told = [];
    await settle(250);
    told = [];
  }
  expect(id).toMatch(/^teach-/);
});

it("sees that the process of a run is gone, though no file says so", async () => {
  const { path, id } = await makeRun(home);
  const release = await lockRun(path);
  await begin();
  await settle(300);
  expect(told).toEqual([]);
  const dead = { pid: 2 ** 22 + 1, host: (await import("node:os")).hostname(), started: null, since: "2026" };
  await release();
  await writeFile(join(path, "run.lock"), JSON.stringify(dead));
  await until(RUNS_URI);
  expect(told).toContain(runUri(id));
});

it.skipIf(process.platform !== "linux")(
  "is there while somebody listens, and gone with the last one or with the server",
  async () => {
    const { path } = await makeRun(home);
    const server = new AbortController();
    const changes = watchedChanges(home, server.signal, { quietMs: 50, pollMs: 100 });
    const before = await watches();
    const ends = [changes.subscribe((uri) => void told.push(uri)), changes.subscribe(() => undefined)];
    await changes.ready();
    expect(await watches()).toBeGreaterThan(before);
    ends[0]?.();
    ends[0]?.();
    expect(await watches()).toBeGreaterThan(before);
    ends[1]?.();
    await settle(20);
    expect(await watches()).toBe(before);
    changes.subscribe((uri) => void told.push(uri));
    await changes.ready();
    server.abort();
    await settle(20);
    expect(await watches()).toBe(before);
    await fill(path, { "pairs.jsonl": lines([pair(1)]) });
    await settle(200);
    expect(told).toEqual([]);
  },
);

/** Folders that the system watches for this process, as proc(5) tells. */
async function watches(): Promise<number> {
  const texts = await Promise.all(
    (await readdir("/proc/self/fdinfo")).map((fd) => readFile(`/proc/self/fdinfo/${fd}`, "utf8").catch(() => "")),
  );
  return texts.join("").match(/^inotify wd/gm)?.length ?? 0;
}

it("looks at hundreds of runs without a watch for each, and still sees one of them start", async () => {
  const made = [];
  for (let i = 0; i < 200; i++) made.push(await makeRun(home, {}, { at: new Date(1.7e12 + i * 1000).toISOString() }));
  await begin();
  await mkdir(join(made[0]!.path, "checkpoint-1"));
  await until(runUri(made[0]!.id));
});
