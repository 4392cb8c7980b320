/** @file A training as a task of the real server: it outlives a clean stop and a kill of the process, and every step counts once. */
import { mkdtempSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { type CallToolResult, CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterEach, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "preflexor-home-"));
const STEPS = 12;

const open: Client[] = [];
afterEach(async () => {
  for (const client of open) await client.close();
});

/** A server process of its own, and a client that knows the experimental tasks of 2025-11-25. */
async function server() {
  const env = { PATH: process.env["PATH"] as string, PREFLEXOR_HOME: home };
  const transport = new StdioClientTransport({ command: process.execPath, args: [MAIN], env, stderr: "ignore" });
  const client = new Client({ name: "desk", version: "1" });
  await client.connect(transport);
  open.push(client);
  return { client, tasks: client.experimental.tasks, pid: transport.pid as number };
}

type Server = Awaited<ReturnType<typeof server>>;

/** What the tool says, by way of a task. */
async function throughTask({ tasks }: Server, name: string, args: Record<string, unknown>): Promise<CallToolResult> {
  const statuses: string[] = [];
  for await (const message of tasks.callToolStream({ name, arguments: args }, CallToolResultSchema, { task: {} })) {
    statuses.push(message.type);
    if (message.type === "error") throw message.error;
    if (message.type === "result") {
      expect(statuses[0]).toBe("taskCreated");
      return message.result as CallToolResult;
    }
  }
  throw new Error(`no result after ${statuses}`);
}

async function reaches({ tasks }: Server, taskId: string, step: number): Promise<void> {
  for (;;) {
    const { status, statusMessage = "" } = await tasks.getTask(taskId);
    if (status !== "working") throw new Error(`expected work, found ${status}: ${statusMessage}`);
    if (Number(/^step (\d+):/.exec(statusMessage)?.[1] ?? 0) >= step) return;
    await sleep(20);
  }
}

async function runFile(name: string): Promise<string> {
  const [run] = await readdir(join(home, "runs"));
  return join(home, "runs", run as string, name);
}

it("outlives a clean stop, which keeps its steps, and a kill, which loses some", async () => {
  const first = await server();
  expect((await throughTask(first, "ingest-corpus", { path: "materials-world" })).isError).toBeUndefined();
  await throughTask(first, "generate-preference-pair", { count: 2 });
  const params = { name: "train-iteration", arguments: { steps: STEPS }, task: {} };
  const { task } = (await first.client.request(
    { method: "tools/call", params },
    // The result is the task.
    CallToolResultSchema.partial().loose(),
  )) as unknown as { task: { taskId: string } };
  const { taskId } = task;
  await reaches(first, taskId, 2);
  await first.client.close();

  const second = await server();
  const kept = (await readdir(await runFile("."))).filter((name) => name.startsWith("checkpoint-"));
  expect(kept).toHaveLength(1);
  const saved = Number((kept[0] as string).slice("checkpoint-".length));
  expect(saved).toBeGreaterThanOrEqual(2);
  expect(saved).toBeLessThan(STEPS);
  await reaches(second, taskId, saved + 1);
  process.kill(second.pid, "SIGKILL");
  await second.client.close();

  const record = JSON.parse(readFileSync(join(home, "tasks", `${taskId}.json`), "utf8"));
  expect(record).toMatchObject({ status: "working", died: 0, began: { totalSteps: 0, steps: STEPS } });
  const third = await server();
  const result = await third.tasks.getTaskResult(taskId, CallToolResultSchema);
  expect(result.structuredContent).toMatchObject({ steps: STEPS, totalSteps: STEPS });
  const rows = readFileSync(await runFile("metrics.jsonl"), "utf8")
    .trim()
    .split("\n");
  const steps = rows.map((row) => (JSON.parse(row) as { step: number }).step);
  expect(steps).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
  expect(JSON.parse(readFileSync(join(home, "tasks", `${taskId}.json`), "utf8")).died).toBe(1);
  expect(result).toEqual(await third.tasks.getTaskResult(taskId, CallToolResultSchema));
  expect((await third.tasks.listTasks()).tasks.map(({ status }) => status)).toEqual(Array(3).fill("completed"));
  await expect(third.tasks.cancelTask(taskId)).rejects.toThrow(/has ended \(completed\)/);
}, 90_000);
