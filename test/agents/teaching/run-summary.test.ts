/** @file What a listing tells of runs, whatever state they are in. */
import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { createRunDirectory } from "../../../src/agents/teaching/run-directory.js";
import { lockRun } from "../../../src/agents/teaching/run-lock.js";
import { listRuns, runSummary } from "../../../src/agents/teaching/run-summary.js";
import { tempDir } from "../../trainer/checkpoint/temp-dir.js";

let home: string;
beforeEach(async () => {
  home = await tempDir();
});
const teach = async (request: Readonly<Record<string, unknown>> = {}): Promise<string> => {
  const run = await createRunDirectory(home, { kind: "teach", request, created: new Date("2026-03-01T10:20:30Z") });
  return run.path;
};
async function fill(path: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(path, name, ".."), { recursive: true });
    await writeFile(join(path, name), text);
  }
}

describe("the summary of a run", () => {
  it("of one that has just been made holds what it was asked for, and no progress", async () => {
    const path = await teach({ model: "lab/tiny", seed: 5 });
    const { changed, bytes, ...rest } = await runSummary(path);
    expect(rest).toEqual({
      path,
      name: "teach-2026-03-01T10-20-30",
      version: 1,
      kind: "teach",
      created: "2026-03-01T10:20:30.000Z",
      request: { model: "lab/tiny", seed: 5 },
      model: "lab/tiny",
      seed: 5,
      checkpoints: [],
      pairs: 0,
    });
    expect(bytes).toBeGreaterThan(0);
  });

  it("counts pairs, takes the last loss and the farthest step, and the phase from the state", async () => {
    const path = await teach();
    await fill(path, {
      "pairs.jsonl": "{}\n{}\n{}\n",
      "metrics.jsonl": '{"step":7,"loss":2}\n{"step":8,"loss":1.25}\n{"kind":"evaluation","step":8}\n{"step":9,"lo',
      "state.json": '{"phase":"exo","round":2,"step":6,"finished":false}',
      "checkpoint-4/x": "",
      "checkpoint-10/x": "",
    });
    expect(await runSummary(path)).toMatchObject({
      phase: "exo",
      round: 2,
      step: 10,
      loss: 1.25,
      pairs: 3,
      checkpoints: [4, 10],
      finished: false,
    });
  });

  it("sums the bytes of all files below it, and of links only the links", async () => {
    const path = await teach();
    const before = (await runSummary(path)).bytes;
    const outside = join(home, "large");
    await writeFile(outside, Buffer.alloc(100_000));
    await fill(path, { "a/b/c": "x".repeat(1000), d: "y".repeat(24) });
    await symlink(outside, join(path, "link"));
    expect((await runSummary(path)).bytes).toBe(before + 1024 + outside.length);
  });

  it("of a demo without format knows round and step from its progress, and its end from its result", async () => {
    const path = join(home, "runs/2026-03-01T10-20-30-seed7");
    await fill(path, {
      "run.json": '{"seed":7,"model":"/m","corpus":null,"rounds":3,"pairs":8}',
      "progress.json": JSON.stringify({ round: 2, checkpoint: "/then/checkpoint-40", seconds: 1 }),
    });
    expect(await runSummary(path)).toMatchObject({
      version: 0,
      kind: "demo",
      round: 2,
      step: 40,
      finished: false,
      seed: 7,
    });
    await fill(path, { "summary.json": "{}" });
    expect(await runSummary(path)).toMatchObject({ finished: true });
  });

  it("of the tools takes the model from the adapter, and has no end", async () => {
    const path = join(home, "runs/tools-2026-03-01T10-20-30");
    await fill(path, { "adapter/adapter_config.json": '{"base_model_name_or_path":"lab/tiny"}' });
    const summary = await runSummary(path);
    expect(summary).toMatchObject({ kind: "tools", model: "lab/tiny" });
    expect(summary).not.toHaveProperty("finished");
  });

  it("tells what it can where state and metrics are damaged", async () => {
    const path = await teach();
    await fill(path, {
      "state.json": '{"phase": 3, "round": "x", "step": 12}',
      "progress.json": "{",
      "metrics.jsonl": "\0\n[]\n",
    });
    expect(await runSummary(path)).toMatchObject({ step: 12, pairs: 0 });
  });

  it("finds the last loss behind a long line that is cut off at the front", async () => {
    const path = await teach();
    await fill(path, { "metrics.jsonl": `{"loss":9,"x":"${"x".repeat(200_000)}"}\n{"loss":0.5,"step":1}\n` });
    expect(await runSummary(path)).toMatchObject({ loss: 0.5 });
  });

  it("says whose the run is while it is in use", async () => {
    const path = await teach();
    const release = await lockRun(path);
    expect((await runSummary(path)).inUse?.pid).toBe(process.pid);
    await release();
    expect(await runSummary(path)).not.toHaveProperty("inUse");
  });
});

describe("the list of runs", () => {
  it("begins with the run that was written last, and names what is none with the reason and its size", async () => {
    const [old, fresh] = [await teach(), await teach()];
    const days = async (path: string, ago: number): Promise<void> => {
      const then = new Date(Date.UTC(2026, 0, 31 - ago));
      await utimes(join(path, "run.json"), then, then);
    };
    await days(old, 5);
    await days(fresh, 2);
    await fill(join(home, "runs/broken"), { "run.json": "{", junk: "x".repeat(99) });
    await symlink("/etc", join(home, "runs/etc"));
    const listed = await listRuns(home);
    expect(listed.map(({ path }) => path)).toEqual([fresh, old, join(home, "runs/broken"), join(home, "runs/etc")]);
    expect(listed[0]).toMatchObject({ summary: { changed: "2026-01-29T00:00:00.000Z" } });
    expect(listed[2]).toMatchObject({ bytes: 100, problem: expect.stringMatching(/is damaged/) });
    expect(listed[3]).toMatchObject({ bytes: 0, problem: "a link to /etc, which is not followed" });
  });

  it("is empty where there is no home", async () => {
    expect(await listRuns(join(home, "none"))).toEqual([]);
  });
});
