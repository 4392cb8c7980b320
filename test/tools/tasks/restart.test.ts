/** @file Work that outlives its server: what a stopped or killed one left is gone on with by the next one, once, for what is left. */
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { appendFile, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { beforeEach, describe, expect, it } from "vitest";
import { createServer } from "../../../src/server/create-server.js";
import { ingestCorpus } from "../../../src/tools/ingest.js";
import { newRecord } from "../../../src/tools/tasks/live-task.js";
import type { TaskRecord } from "../../../src/tools/tasks/task-record.js";
import { TaskStore } from "../../../src/tools/tasks/task-store.js";
import { eraClient } from "../era-client.js";
import { type SavingStudent, savingStudent } from "../saving-student.js";
import { type SmallContext, smallContext } from "../small-context.js";
import { toolClient } from "../tool-client.js";
import { eventually, type Json, onDisk } from "./task-server.js";

const CALLER: TaskRecord["caller"] = { name: "desk 1.0", era: "2026-07-28", capabilities: {} };
const holderOf = (pid: number) => ({ pid, host: hostname(), started: null, since: new Date().toISOString() });
/** Of a process that has ended. */
const goneHolder = () => holderOf(spawnSync(process.execPath, ["-e", ""]).pid);

let first: SmallContext;
beforeEach(async () => {
  first = await smallContext(savingStudent());
});

/** A server on the home of the first one, with a model as a new process has it. */
async function nextServer(): Promise<{ context: SmallContext; student: SavingStudent }> {
  const student = savingStudent();
  const context = await smallContext(student, first.home);
  await ingestCorpus(
    context,
    { kind: "world", path: "materials-world" },
    { signal: context.signal, onProgress: () => undefined },
  );
  createServer(context);
  return { context, student };
}

/** A task as a killed server left it. */
async function leftBehind(tool: string, args: Json, more: Partial<TaskRecord> = {}): Promise<string> {
  const taskId = randomUUID();
  const record = await newRecord({ taskId, tool, arguments: args, caller: CALLER, ttlMs: 3_600_000 });
  await new TaskStore(first.home).add({ ...record, owner: goneHolder(), ...more });
  return taskId;
}

async function outcome(taskId: string): Promise<Json> {
  await eventually(() => !["working", "input_required"].includes(onDisk(first, taskId)?.["status"]));
  return onDisk(first, taskId) as Json;
}

/** The world, some pairs and some steps, by plain calls. */
async function prepared({ pairs, steps = 0 }: { pairs: number; steps?: number }): Promise<void> {
  const tools = await toolClient(first);
  await tools.call("ingest-corpus", { path: "materials-world" });
  if (pairs > 0) await tools.call("generate-preference-pair", { count: pairs });
  if (steps > 0) await tools.call("train-iteration", { steps });
  await tools.client.close();
}

async function stepsInMetrics(): Promise<number[]> {
  const text = await readFile((await first.run()).metricsFile, "utf8");
  const rows = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);
  return rows.filter(({ kind }) => kind === "step").map(({ step }) => step as number);
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe("a server that is stopped in the middle of a training", () => {
  it("leaves the task working, with the steps it took; the next one takes the others, and the result is of all", async () => {
    await prepared({ pairs: 4 });
    const { policy, batches } = first.scripted;
    const { trainStep } = policy;
    policy.trainStep = async (...args) => {
      if (batches.length === 2) first.stop();
      return trainStep(...args);
    };
    const { client } = await eraClient(first, "2025-11-25");
    const { task } = (await client.request(
      { method: "tools/call", params: { name: "train-iteration", arguments: { steps: 7 }, task: {} } } as never,
      ANY,
    )) as Json;
    await eventually(() => onDisk(first, task.taskId)?.["owner"] === null);
    expect(onDisk(first, task.taskId)).toMatchObject({
      status: "working",
      died: 0,
      began: { totalSteps: 0, steps: 7 },
    });
    expect(await stepsInMetrics()).toEqual(upTo(3));
    const { context, student } = await nextServer();
    const { status, result } = await outcome(task.taskId);
    expect(status).toBe("completed");
    expect(result.structuredContent).toMatchObject({ steps: 7, totalSteps: 7, loss: { first: 1, last: 1 / 4 } });
    expect(result.structuredContent.checkpoint).toMatch(/checkpoint-7$/);
    expect(student.batches).toHaveLength(4);
    expect(await stepsInMetrics()).toEqual(upTo(7));
    context.stop();
  });
});

const ANY = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as never;

describe("a server that was killed", () => {
  it("in the middle of a training: steps that were saved are not taken again, those that were lost are", async () => {
    await prepared({ pairs: 4, steps: 3 });
    const { metricsFile } = await first.run();
    for (const step of [4, 5]) await appendFile(metricsFile, `${JSON.stringify({ kind: "step", step, loss: 9 })}\n`);
    await appendFile(metricsFile, '{"kind":"step","st');
    const taskId = await leftBehind("train-iteration", { steps: 8 }, { began: { totalSteps: 0, steps: 8 } });
    const { student } = await nextServer();
    const { status, died, result } = await outcome(taskId);
    expect({ status, died, steps: result.structuredContent.steps }).toEqual({ status: "completed", died: 1, steps: 8 });
    expect(student.batches).toHaveLength(5);
    expect(await stepsInMetrics()).toEqual(upTo(8));
  });

  it("between the last step and its answer: nothing is trained again", async () => {
    await prepared({ pairs: 4, steps: 3 });
    const taskId = await leftBehind("train-iteration", { steps: 3 }, { began: { totalSteps: 0, steps: 3 } });
    const { student } = await nextServer();
    const { result } = await outcome(taskId);
    expect(result.structuredContent).toMatchObject({ steps: 3, totalSteps: 3, loss: { first: 1, last: 1 / 3 } });
    expect(student.batches).toEqual([]);
  });

  it("in the middle of making pairs: those that are missing are made, and the result has all", async () => {
    await prepared({ pairs: 3 });
    const taskId = await leftBehind("generate-preference-pair", { count: 5 }, { began: { pairs: 0 } });
    const { context } = await nextServer();
    const { result } = await outcome(taskId);
    expect(result.structuredContent).toMatchObject({ made: 5, pairs: 5 });
    const pairs = await (await context.run()).pairs();
    expect(new Set(pairs.map(({ provenance }) => provenance.seed)).size).toBe(5);
    expect(result.structuredContent.pair).toEqual(pairs[0]);
  });

  it("before the work began, or in what may be done twice: it is done", async () => {
    const waited = await leftBehind("ingest-corpus", { path: "materials-world" });
    const { context } = await nextServer();
    expect((await outcome(waited)).result.structuredContent).toMatchObject({ teacher: "world-teacher" });
    expect(await context.activeCorpus()).toMatchObject({ kind: "world" });
  });

  it("three times over one task: the task fails, and names the log", async () => {
    const taskId = await leftBehind("ingest-corpus", { path: "materials-world" }, { died: 2 });
    await nextServer();
    const { status, error } = await outcome(taskId);
    expect(status).toBe("failed");
    expect(error.message).toMatch(
      /^the server ended 3 times while it worked on this task: look at its log, then call ingest-corpus/,
    );
  });

  it("goes on before calls that come later", async () => {
    await prepared({ pairs: 4 });
    const taskId = await leftBehind("train-iteration", { steps: 3 }, { began: { totalSteps: 0, steps: 3 } });
    const { context } = await nextServer();
    const tools = await toolClient(context);
    const later = await tools.call("train-iteration", { steps: 2 });
    expect(later["totalSteps"]).toBe(5);
    expect((await outcome(taskId)).result.structuredContent).toMatchObject({ totalSteps: 3 });
  });
});

describe("a task whose server lives", () => {
  it("is not taken, nor cancelled, by a second server on the same home; it is taken when that server is gone", async () => {
    await prepared({ pairs: 0 });
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
    const owner = holderOf(other.pid as number);
    const taskId = await leftBehind("ingest-corpus", { path: "materials-world" }, { owner });
    const { context } = await nextServer();
    const { client } = await eraClient(context, "2025-11-25");
    const get = async () => (await client.request({ method: "tasks/get", params: { taskId } } as never, ANY)) as Json;
    expect(await get()).toMatchObject({ status: "working" });
    const cancelled = client.request({ method: "tasks/cancel", params: { taskId } } as never, ANY);
    await expect(cancelled).rejects.toThrow(
      `another server works on this task (process ${owner.pid} on ${hostname()})`,
    );
    other.kill("SIGKILL");
    await once(other, "exit");
    await get();
    expect((await outcome(taskId)).result.structuredContent).toMatchObject({ teacher: "world-teacher" });
  });
});
