/** @file The folder of a run, and the queue and the names that the tools share. */
import { appendFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openRunFolder, serialQueue } from "../../src/tools/index.js";
import { nearest } from "../../src/trainer/text/nearest.js";

const PAIR = {
  prompt: "p",
  chosen: "c",
  rejected: "r",
  provenance: { passages: [], teacher: "t", student: "s", seed: 0 },
};
const folder = async () => openRunFolder(join(await mkdtemp(join(tmpdir(), "preflexor-folder-")), "run"));

describe("a run's folder", () => {
  it("gives back the pairs that were stored, in order", async () => {
    const run = await folder();
    expect(await run.pairs()).toEqual([]);
    await run.appendPair(PAIR);
    await run.appendPair({ ...PAIR, prompt: "line\nbreak" });
    expect((await run.pairs()).map(({ prompt }) => prompt)).toEqual(["p", "line\nbreak"]);
  });

  it("names the line that is no pair", async () => {
    const run = await folder();
    await run.appendPair(PAIR);
    await appendFile(run.pairsFile, '{"prompt": 1}\n');
    await expect(run.pairs()).rejects.toThrow(/pairs\.jsonl line 2: expected a preference pair/);
  });

  it("finds the checkpoint with the most steps, by number", async () => {
    const run = await folder();
    expect(await run.latestCheckpoint()).toBeUndefined();
    for (const name of ["checkpoint-9", "checkpoint-10", "checkpoint-11.tmp"]) await mkdir(join(run.directory, name));
    expect(await run.latestCheckpoint()).toBe(run.checkpointDirectory(10));
  });

  it("knows what its last training was, and takes a checkpoint that does not name a loss for ORPO's", async () => {
    const run = await folder();
    expect(await run.lastTraining()).toBeUndefined();
    const write = async (step: number, state: object): Promise<void> => {
      await mkdir(run.checkpointDirectory(step));
      await writeFile(join(run.checkpointDirectory(step), "trainer_state.json"), JSON.stringify(state));
    };
    await write(9, { global_step: 9, pairs: 4 });
    expect(await run.lastTraining()).toEqual({ totalSteps: 9, optimizerSteps: 9, loss: "orpo", pairs: 4 });
    await write(12, { global_step: 3, pairs: 8, loss_type: "exo_pair" });
    expect(await run.lastTraining()).toEqual({ totalSteps: 12, optimizerSteps: 3, loss: "exo_pair", pairs: 8 });
  });
});

describe("the queue", () => {
  it("starts work when the work before has ended, also where that failed", async () => {
    const queue = serialQueue();
    const { signal } = new AbortController();
    const order: string[] = [];
    const work = (name: string, ms: number) => async () => {
      order.push(`${name} starts`);
      await new Promise((resolve) => setTimeout(resolve, ms));
      order.push(`${name} ends`);
      if (name === "a") throw new Error("a failed");
    };
    const [a] = await Promise.allSettled([queue(signal, work("a", 20)), queue(signal, work("b", 0))]);
    expect(a.status).toBe("rejected");
    expect(order).toEqual(["a starts", "a ends", "b starts", "b ends"]);
  });

  it("does not start work that was cancelled while it waited", async () => {
    const queue = serialQueue();
    const controller = new AbortController();
    const first = queue(new AbortController().signal, () => new Promise((resolve) => setTimeout(resolve, 10)));
    const second = queue(controller.signal, async () => "ran");
    controller.abort();
    await expect(second).rejects.toThrow();
    await first;
  });
});

describe("the nearest word", () => {
  it.each([
    ["qurey", "query"],
    ["QUERY", "query"],
    ["querry", "query"],
    ["top", "topic"],
    ["zebra", undefined],
    ["", undefined],
  ])("of %s is %s", (word, expected) => {
    expect(nearest(word, ["query", "k", "topic", "rounds"])).toBe(expected);
  });
});
