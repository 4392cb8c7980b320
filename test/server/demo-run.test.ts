/** @file A run's directory: named by date and seed, resumed exactly from its last checkpoint. */
import { existsSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { nothingCollected } from "../../src/server/demo-result.js";
import {
  collectedBefore,
  discardIfEmpty,
  homeOf,
  howToGoOn,
  resumeRun,
  saveProgress,
  snapshotName,
  startRun,
} from "../../src/server/demo-run.js";

const NOW = new Date("2026-03-01T10:20:30Z");
const REQUEST = { seed: 7, model: "/m", corpus: null, rounds: 3, pairs: 8 };
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-run-"));
});

it("names a run by time and seed, and never takes a directory that is there", async () => {
  const first = await startRun(home, REQUEST, NOW);
  const second = await startRun(home, REQUEST, NOW);
  expect(first.folder.directory).toBe(join(home, "runs", "2026-03-01T10-20-30-seed7"));
  expect(second.folder.directory).toBe(`${first.folder.directory}-2`);
});

it("goes on with what was asked for, and cuts off what lies behind the last checkpoint", async () => {
  const run = await startRun(home, REQUEST, NOW);
  const { directory, pairsFile, metricsFile } = run.folder;
  await writeFile(pairsFile, "a\nb\n");
  await writeFile(metricsFile, "1\n");
  const collected = { ...nothingCollected(), pairs: 2 };
  await saveProgress(run, { round: 1, checkpoint: join(directory, "checkpoint-4"), seconds: 12, collected });
  await appendFile(pairsFile, "c\nhalf a li");
  await appendFile(metricsFile, "2\n");
  const resumed = await resumeRun(directory);
  expect(resumed.request).toEqual(REQUEST);
  expect(resumed.progress).toMatchObject({ round: 1, seconds: 12 });
  expect(collectedBefore(resumed).pairs).toBe(2);
  expect(await readFile(pairsFile, "utf8")).toBe("a\nb\n");
  expect(await readFile(metricsFile, "utf8")).toBe("1\n");
});

it("starts over where there was no checkpoint yet", async () => {
  const { folder } = await startRun(home, REQUEST, NOW);
  await writeFile(folder.pairsFile, "a\n");
  const resumed = await resumeRun(folder.directory);
  expect(resumed.progress).toBeUndefined();
  expect(await readFile(folder.pairsFile, "utf8")).toBe("");
});

it("refuses what is no run, or a damaged one, and says what to do", async () => {
  await expect(resumeRun(home)).rejects.toThrow(/is no run of the demo.*give a directory/);
  await mkdir(join(home, "x"));
  await writeFile(join(home, "x", "run.json"), "{");
  await expect(resumeRun(join(home, "x"))).rejects.toThrow(/damaged: start a new run/);
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

it("removes a run that holds nothing but its request, and no other", async () => {
  const empty = await startRun(home, REQUEST, NOW);
  await writeFile(empty.folder.metricsFile, "");
  expect(await discardIfEmpty(empty)).toBe(true);
  expect(existsSync(empty.folder.directory)).toBe(false);
  const begun = await startRun(home, REQUEST, NOW);
  await writeFile(begun.folder.metricsFile, "{}\n");
  expect(await discardIfEmpty(begun)).toBe(false);
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
