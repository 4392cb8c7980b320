/** @file A run as a task, in both eras: it lasts as long as the run, stops it where it is cancelled, and outlives its server. */
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  createRunDirectory,
  lockRun,
  openActivityLog,
  type ReleaseRun,
  runPath,
  runStanding,
  writeOutcome,
} from "../../../src/agents/index.js";
import { createServer } from "../../../src/server/create-server.js";
import type { RunKeeper, StartedRun } from "../../../src/tools/run-keeper.js";
import { ERAS } from "../era-client.js";
import { type SmallContext, smallContext } from "../small-context.js";
import { type BareClient, bareClient, eventually, type Json, onDisk } from "./task-server.js";

/** Runs of which nothing but their directory works; the test ends them. */
function emptyRuns(home: string) {
  const locks = new Map<string, ReleaseRun>();
  const calls: string[] = [];
  const standing = async (id: string): Promise<StartedRun> => {
    const directory = runPath(home, id);
    return { id, directory, standing: await runStanding(directory) };
  };
  const begin = async (id: string): Promise<StartedRun> => {
    locks.set(id, await lockRun(runPath(home, id)));
    return standing(id);
  };
  const letGo = async (id: string): Promise<void> => locks.get(id)?.();
  const cheap = { rounds: 1, pairs: 4, steps: 2, memoryBytes: 1, freeBytes: 1e12, seconds: { low: 1, high: 2 } };
  const keeper: Partial<RunKeeper> = {
    checkRoom: async () => undefined,
    estimate: async () => ({ ...cheap, basis: "the test", notes: [] }),
    async start(_request, _signal, onCreated) {
      const { name } = await createRunDirectory(home, { kind: "teach", request: {} });
      calls.push(`start ${name}`);
      await onCreated?.(name);
      return begin(name);
    },
    resume: async (id) => {
      calls.push(`resume ${id}`);
      return begin(id);
    },
    stop: async (id) => {
      calls.push(`stop ${id}`);
      await writeOutcome(runPath(home, id), { status: "cancelled", message: "stopped by a signal" });
      await letGo(id);
      return (await standing(id)).standing;
    },
  };
  const complete = async (id: string): Promise<void> => {
    await writeFile(join(runPath(home, id), "state.json"), JSON.stringify({ finished: true }));
    await letGo(id);
  };
  return { keeper: keeper as RunKeeper, calls, complete, letGo };
}

let context: SmallContext;
let runs: ReturnType<typeof emptyRuns>;
beforeEach(async () => {
  context = await smallContext();
  runs = emptyRuns(context.home);
  context = { ...context, runs: runs.keeper };
});

const connect = (era: (typeof ERAS)[number], to = context): Promise<BareClient> =>
  bareClient(to, era, { server: () => createServer(to) });
const isOver = ({ status }: Json): boolean => status !== "working";
const runOf = async (taskId: string): Promise<string> => {
  await eventually(() => onDisk(context, taskId)?.["began"] !== undefined);
  return onDisk(context, taskId)?.["began"].run;
};
const resultOf = async (client: BareClient, era: string, taskId: string): Promise<Json> => {
  if (era === "2025-11-25") return client.request("tasks/result", { taskId });
  return (await client.until(taskId, isOver))["result"];
};

describe.each(ERAS)("start-run as a task, in %s", (era) => {
  it("works as long as the run, says what the run does, and ends with it", async () => {
    const client = await connect(era);
    const { taskId } = (await client.callTask("start-run")) as { taskId: string };
    const run = await runOf(taskId);
    const log = await openActivityLog(runPath(context.home, run));
    log.report({ stage: "pairs", round: 1, done: 2, total: 4 });
    await log.close();
    await client.until(taskId, ({ statusMessage }) => String(statusMessage).includes("pairs of round 1, 2 of 4"));
    await runs.complete(run);
    expect(await resultOf(client, era, taskId)).toMatchObject({
      structuredContent: { run, status: "completed", next: expect.stringContaining("evaluate") },
    });
    expect(runs.calls).toEqual([`start ${run}`]);
  });

  it("stops its run where it is cancelled", async () => {
    const client = await connect(era);
    const { taskId } = (await client.callTask("start-run")) as { taskId: string };
    const run = await runOf(taskId);
    await eventually(() => runs.calls.length > 0);
    await client.request("tasks/cancel", { taskId });
    await client.until(taskId, ({ statusMessage }) => String(statusMessage).includes(`${run} is stopped`));
    expect(runs.calls).toEqual([`start ${run}`, `stop ${run}`]);
    expect(await runStanding(runPath(context.home, run))).toMatchObject({ status: "cancelled" });
  });

  it.each([
    ["that works on is followed by the next server, and no other one is started", false],
    ["whose process is gone as well is gone on with by the next server", true],
  ])("a run %s", async (_, isGone) => {
    const first = await connect(era);
    const { taskId } = (await first.callTask("start-run")) as { taskId: string };
    const run = await runOf(taskId);
    await eventually(() => runs.calls.length > 0);
    context.stop();
    await eventually(() => onDisk(context, taskId)?.["owner"] === null);
    expect(onDisk(context, taskId)).toMatchObject({ status: "working" });
    if (isGone) await runs.letGo(run);
    const next = { ...(await smallContext(undefined, context.home)), runs: runs.keeper };
    const second = await connect(era, next);
    await second.until(taskId, ({ statusMessage }) => String(statusMessage).startsWith(`${run} is working`));
    await runs.complete(run);
    expect(await resultOf(second, era, taskId)).toMatchObject({ structuredContent: { run, status: "completed" } });
    expect(runs.calls).toEqual([`start ${run}`, ...(isGone ? [`resume ${run}`] : [])]);
  });

  it("is over at once where it is told to detach, and where it is a dry run", async () => {
    const client = await connect(era);
    const dry = (await client.callTask("start-run", { dry_run: true })) as { taskId: string };
    expect(await resultOf(client, era, dry.taskId)).toMatchObject({ structuredContent: { status: "dry-run" } });
    const { taskId } = (await client.callTask("start-run", { detach: true })) as { taskId: string };
    const { structuredContent } = await resultOf(client, era, taskId);
    expect(structuredContent).toMatchObject({ status: "working", next: expect.stringContaining("get-run") });
    await runs.complete(basename(structuredContent.directory));
  });
});
