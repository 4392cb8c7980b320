/** @file A demo's directory: a run like any other, gone on with under the request that it was started with. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { createRunDirectory, lockRun } from "../../src/agents/index.js";
import { discardIfEmpty, homeOf, howToGoOn, resumeRun, snapshotName, startRun } from "../../src/server/demo-run.js";

const NOW = new Date("2026-03-01T10:20:30Z");
const REQUEST = { seed: 7, model: "/m", corpus: null, rounds: 3, pairs: 8 };
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-run-"));
});

it("names a run by its time, and never takes a directory that is there", async () => {
  const first = await startRun(home, REQUEST, NOW);
  const second = await startRun(home, REQUEST, NOW);
  expect(first.folder.directory).toBe(join(home, "runs", "demo-2026-03-01T10-20-30"));
  expect(second.folder.directory).toBe(`${first.folder.directory}-2`);
});

it("goes on with what was asked for", async () => {
  const { folder } = await startRun(home, REQUEST, NOW);
  const resumed = await resumeRun(folder.directory);
  expect(resumed.request).toEqual(REQUEST);
  expect(resumed.folder.directory).toBe(folder.directory);
});

it("refuses what is no run, a damaged one, another command's, and one from before there was a format", async () => {
  const written = async (name: string, text: string): Promise<string> => {
    await mkdir(join(home, name));
    await writeFile(join(home, name, "run.json"), text);
    return join(home, name);
  };
  await expect(resumeRun(home)).rejects.toThrow(/is no run: it has no run.json/);
  await expect(resumeRun(await written("half", "{"))).rejects.toThrow(/run.json is damaged/);
  const taught = await createRunDirectory(home, { kind: "teach", request: {} });
  await expect(resumeRun(taught.path)).rejects.toThrow(/is a run of teach, which the demo cannot go on with/);
  const odd = await createRunDirectory(home, { kind: "demo", request: { seed: "seven" } });
  await expect(resumeRun(odd.path)).rejects.toThrow(/damaged request: start a new run/);
  await expect(resumeRun(await written("old", JSON.stringify(REQUEST)))).rejects.toThrow(
    /of an earlier version of the demo: start a new run/,
  );
});

it("says how to go on, with the command and the files that are there", async () => {
  const { folder } = await startRun(home, REQUEST, NOW);
  const bare = await howToGoOn(folder, "Stopped", "npx preflexor");
  expect(bare).toContain(`npx preflexor demo --resume ${folder.directory}`);
  expect(bare).not.toContain(folder.pairsFile);
  await writeFile(folder.pairsFile, "a\n");
  await mkdir(folder.checkpointDirectory(4));
  const later = await howToGoOn(folder, "Stopped");
  expect(later).toContain(folder.pairsFile);
  expect(later).toContain(folder.checkpointDirectory(4));
});

it("removes a run that holds nothing but what every run has, and no other", async () => {
  const empty = await startRun(home, REQUEST, NOW);
  const { directory } = empty.folder;
  await lockRun(directory);
  for (const name of ["state.json", "question-graph-00.json", "failures.jsonl"])
    await writeFile(join(directory, name), "{}\n");
  await writeFile(empty.folder.metricsFile, "");
  expect(await discardIfEmpty(directory)).toBe(true);
  expect(existsSync(directory)).toBe(false);
  const begun = await startRun(home, REQUEST, NOW);
  await writeFile(begun.folder.metricsFile, "{}\n");
  expect(await discardIfEmpty(begun.folder.directory)).toBe(false);
  expect(existsSync(begun.folder.metricsFile)).toBe(true);
});

it("finds the home of a run, so that it is resumed beside its own corpus", async () => {
  const { folder } = await startRun(home, REQUEST, NOW);
  expect(homeOf(folder.directory)).toBe(home);
  expect(homeOf("/elsewhere/run")).toBeUndefined();
});

it("says what to do where runs cannot be kept", async () => {
  await writeFile(join(home, "file"), "");
  await expect(startRun(join(home, "file"), REQUEST, NOW)).rejects.toThrow(/cannot be kept.*--home or PREFLEXOR_HOME/);
});

it("gives different documents different collections, wherever the difference is", () => {
  const name = (source: string, text: string) => snapshotName([{ source, text }]);
  expect(name("a", "b")).toBe(name("a", "b"));
  expect(new Set([name("a", "b"), name("ab", ""), name("a", "c"), snapshotName([])]).size).toBe(4);
});
