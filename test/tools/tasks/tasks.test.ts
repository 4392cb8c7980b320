/** @file Tasks as both protocol eras see them: made, looked at, asked, cancelled, ended, expired, and of others. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerContext } from "@modelcontextprotocol/server";
import { beforeEach, describe, expect, it } from "vitest";
import { taskBoard } from "../../../src/tools/tasks/task-board.js";
import { visibleTask } from "../../../src/tools/tasks/task-requests.js";
import { ERAS, type Era } from "../era-client.js";
import {
  type BareClient,
  bareClient,
  eventually,
  fileOf,
  type Json,
  onDisk,
  type TaskContext,
  taskContext,
} from "./task-server.js";

let context: TaskContext;
beforeEach(() => {
  context = taskContext();
});

const isOver = ({ status }: Json): boolean => !["working", "input_required"].includes(status);
const release = async (name: string): Promise<void> => {
  await eventually(() => context.held.has(name));
  context.held.get(name)?.();
};

/** What came out, as the era hands it out. */
async function resultOf(client: BareClient, era: Era, taskId: string): Promise<Json> {
  if (era === "2025-11-25") return client.request("tasks/result", { taskId });
  return (await client.until(taskId, isOver))["result"];
}

describe.each(ERAS)("a task, in %s", (era) => {
  it("is on the disk before the client hears of it, works on, and gives its result as often as it is asked", async () => {
    const seen: unknown[] = [];
    const onAnswer = (result: Json): void => {
      const id = result["taskId"] ?? result["task"]?.taskId;
      if (id !== undefined && seen.length === 0) seen.push(onDisk(context, id));
    };
    const client = await bareClient(context, era, { onAnswer });
    const made = await client.callTask("hold", { name: "a" });
    expect(seen).toEqual([
      expect.objectContaining({ taskId: made["taskId"], tool: "hold", arguments: { name: "a" }, status: "working" }),
    ]);
    expect(made).toMatchObject({ status: "working", [era === "2025-11-25" ? "ttl" : "ttlMs"]: 86_400_000 });
    expect(made["taskId"]).toMatch(/^[0-9a-f-]{36}$/);
    const { taskId } = made as { taskId: string };
    await client.until(taskId, ({ statusMessage }) => statusMessage === "holds a (1 of 4)");
    await release("a");
    for (let i = 0; i < 2; i++)
      expect(await resultOf(client, era, taskId)).toMatchObject({ content: [{ type: "text", text: "held a" }] });
    await eventually(() => onDisk(context, taskId)?.["status"] === "completed");
  });

  it("goes on when its client is gone, and another one fetches the result", async () => {
    const first = await bareClient(context, era);
    const { taskId } = (await first.callTask("hold", { name: "a" })) as { taskId: string };
    await eventually(() => context.held.has("a"));
    await first.close();
    await release("a");
    const second = await bareClient(context, era);
    expect(await resultOf(second, era, taskId)).toMatchObject({ content: [{ text: "held a" }] });
    expect(context.ends).toEqual(["a done"]);
  });

  it("is cancelled while it works: the work ends, and its end changes nothing", async () => {
    const client = await bareClient(context, era);
    const { taskId } = (await client.callTask("hold", { name: "a" })) as { taskId: string };
    await eventually(() => context.held.has("a"));
    const answer = await client.request("tasks/cancel", { taskId });
    expect(answer["status"]).toBe(era === "2025-11-25" ? "cancelled" : undefined);
    expect(onDisk(context, taskId)).toMatchObject({ status: "cancelled" });
    await eventually(() => context.ends.length > 0);
    expect(context.ends).toEqual(["a stopped"]);
    const ended = await client.until(taskId, ({ statusMessage }) => statusMessage !== "cancelled by request");
    expect(ended).toMatchObject({
      status: "cancelled",
      statusMessage: "cancelled: nothing is half-written; call the tool again to go on",
    });
    const again = client.request("tasks/cancel", { taskId });
    if (era === "2025-11-25")
      await expect(again).rejects.toMatchObject({
        code: -32602,
        message: expect.stringMatching(/has ended \(cancelled\)/),
      });
    else expect(await again).toMatchObject({ resultType: "complete" });
  });

  it("says for what it waits, is refused by name where too many wait, and is cancelled while it waits", async () => {
    const client = await bareClient(context, era);
    await client.callTask("hold", { name: "a" });
    await eventually(() => context.held.has("a"));
    const made: Json[] = [];
    for (const name of ["b", "c"]) {
      const { taskId } = await client.callTask("hold", { name });
      const waits = await client.until(taskId, ({ statusMessage }) => statusMessage !== undefined);
      expect(waits).toMatchObject({ status: "working", statusMessage: "waits for hold, which is under way" });
      made.push(waits);
    }
    const [b, c] = made;
    const d = await client.callTask("hold", { name: "d" });
    expect(await resultOf(client, era, d["taskId"])).toMatchObject({
      isError: true,
      content: [
        {
          text: expect.stringMatching(
            /^2 calls wait already \(hold\), for hold, which is under way: .*call hold again/,
          ),
        },
      ],
    });
    await client.request("tasks/cancel", { taskId: b?.["taskId"] });
    await release("a");
    await release("c");
    expect(await resultOf(client, era, c?.["taskId"])).toMatchObject({ content: [{ text: "held c" }] });
    expect(context.ends).toEqual(["a done", "c done"]);
  });

  it("asks its client, and goes on with the reply", async () => {
    const client = await bareClient(context, era, { answer: { action: "accept", content: { confirm: true } } });
    const { taskId } = (await client.callTask("ask", { name: "go" })) as { taskId: string };
    const asks = await client.until(taskId, ({ status }) => status === "input_required");
    await eventually(() => onDisk(context, taskId)?.["status"] === "input_required");
    if (era === "2026-07-28") {
      const { "elicit-1": question, ...others } = asks["inputRequests"];
      expect(question).toMatchObject({ method: "elicitation/create", params: { message: "go?" } });
      expect(others).toEqual({});
      const wrong = { "elicit-1": { role: "assistant", content: [] }, "elicit-7": { action: "accept" } };
      await client.request("tasks/update", { taskId, inputResponses: wrong });
      expect(await client.request("tasks/get", { taskId })).toMatchObject({ status: "input_required" });
      const right = { "elicit-1": { action: "accept", content: { confirm: true } } };
      expect(await client.request("tasks/update", { taskId, inputResponses: right })).toMatchObject({
        resultType: "complete",
      });
    }
    expect(await resultOf(client, era, taskId)).toMatchObject({ content: [{ text: "go: accept" }] });
    if (era === "2025-11-25") {
      const related = { "io.modelcontextprotocol/related-task": { taskId } };
      const asked = client.notifications.filter(({ method }) => method === "elicitation/create");
      expect(asked).toMatchObject([{ params: { message: "go?", _meta: related } }]);
    }
  });

  it("is cancelled while it asks", async () => {
    const client = await bareClient(context, era);
    const { taskId } = (await client.callTask("ask", { name: "go" })) as { taskId: string };
    await client.until(taskId, ({ status }) => status === "input_required");
    await client.request("tasks/cancel", { taskId });
    expect(await client.request("tasks/get", { taskId })).toMatchObject({ status: "cancelled" });
    await eventually(() => onDisk(context, taskId)?.["result"] !== undefined);
    expect(onDisk(context, taskId)).toMatchObject({ status: "cancelled" });
  });

  it("of another one, of nobody, of a path or of a wrong type is unknown", async () => {
    const client = await bareClient(context, era);
    for (const taskId of ["00000000-0000-4000-8000-000000000000", "../active-corpus", "", "x".repeat(5000)]) {
      for (const method of ["tasks/get", "tasks/cancel"])
        await expect(client.request(method, { taskId })).rejects.toMatchObject({ code: -32602 });
    }
    await expect(client.request("tasks/get", { taskId: 7 })).rejects.toMatchObject({ code: -32602 });
    await expect(client.request("tasks/get")).rejects.toMatchObject({ code: -32602 });
    const { taskId } = (await client.callTask("ask", { name: "go" })) as { taskId: string };
    const board = taskBoard(context, async () => ({ content: [] }));
    const other = { http: { authInfo: { clientId: "somebody" } } } as unknown as ServerContext;
    await expect(visibleTask(board, taskId, other)).rejects.toThrow(`there is no task "${taskId}"`);
  });

  it("expires after its ttl, and not before", async () => {
    const client = await bareClient(context, era);
    const { taskId } = (await client.callTask("hold", { name: "a" })) as { taskId: string };
    await release("a");
    await resultOf(client, era, taskId);
    const record = onDisk(context, taskId) as Json;
    const aged = (ms: number): void => {
      const createdAt = new Date(Date.now() - record["ttlMs"] - ms).toISOString();
      writeFileSync(fileOf(context, taskId), JSON.stringify({ ...record, createdAt }));
    };
    aged(-60_000);
    expect(await client.request("tasks/get", { taskId })).toMatchObject({ status: "completed" });
    aged(1);
    await expect(client.request("tasks/get", { taskId })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringMatching(/has expired/),
    });
    expect(readdirSync(join(context.home, "tasks"))).toEqual([]);
  });

  it("whose record is damaged is told with its file, and hinders no other", async () => {
    const client = await bareClient(context, era);
    const { taskId } = (await client.callTask("hold", { name: "a" })) as { taskId: string };
    await release("a");
    await resultOf(client, era, taskId);
    for (const text of ["", "{", '{"taskId":', JSON.stringify({ ...onDisk(context, taskId), status: "resting" })]) {
      writeFileSync(fileOf(context, taskId), text);
      await expect(client.request("tasks/get", { taskId })).rejects.toMatchObject({
        code: -32603,
        message: expect.stringMatching(/tasks.*\.json is damaged .*: remove it and call the tool again$/s),
      });
    }
    const { taskId: next } = (await client.callTask("hold", { name: "b" })) as { taskId: string };
    await release("b");
    expect(await resultOf(client, era, next)).toMatchObject({ content: [{ text: "held b" }] });
  });

  it("with wrong arguments ends at once, with what is wrong with them", async () => {
    const client = await bareClient(context, era);
    const { taskId } = (await client.callTask("hold", { nam: 7 })) as { taskId: string };
    expect(await resultOf(client, era, taskId)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/Invalid arguments for tool hold/) }],
    });
    const { status } = await client.request("tasks/get", { taskId });
    // In the earlier era a tool's failure is the task's.
    expect(status).toBe(era === "2025-11-25" ? "failed" : "completed");
  });

  it("fails where the protocol's own error ends the call", async () => {
    const client = await bareClient(context, era);
    const { taskId } = (await client.callTask("broken")) as { taskId: string };
    const failed = await client.until(taskId, isOver);
    expect(failed).toMatchObject({ status: "failed" });
    if (era === "2026-07-28") expect(failed["error"]).toMatchObject({ code: -32603, message: expect.any(String) });
    else
      await expect(client.request("tasks/result", { taskId })).rejects.toMatchObject({
        code: -32042,
        message: "broken",
      });
  });
});

describe("a client of 2026-07-28", () => {
  it("that does not declare the extension gets plain results, and is told what tasks need", async () => {
    const client = await bareClient(context, "2026-07-28", { capabilities: {} });
    const held = client.request("tools/call", { name: "hold", arguments: { name: "a" } });
    await release("a");
    expect(await held).toMatchObject({ resultType: "complete", content: [{ text: "held a" }] });
    const needed = { requiredCapabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } } };
    for (const [method, params] of [
      ["tasks/get", { taskId: "x" }],
      ["tasks/cancel", { taskId: "x" }],
      ["tasks/update", { taskId: "x", inputResponses: {} }],
      ["tools/call", { name: "must", arguments: {} }],
    ] as const)
      await expect(client.request(method, params)).rejects.toMatchObject({ code: -32021, data: needed });
  });

  it("finds the extension, no tasks of the era before, and no method of it", async () => {
    const client = await bareClient(context, "2026-07-28");
    const { capabilities } = await client.request("server/discover");
    expect(capabilities).toMatchObject({ extensions: { "io.modelcontextprotocol/tasks": {} } });
    expect(capabilities["tasks"]).toBeUndefined();
    for (const method of ["tasks/list", "tasks/result"])
      await expect(client.request(method, { taskId: "x" })).rejects.toMatchObject({ code: -32601 });
    expect((await client.request("tools/list"))["tools"][0]["execution"]).toBeUndefined();
    expect(await client.request("tools/call", { name: "greet", arguments: { name: "you" } })).toMatchObject({
      resultType: "complete",
    });
  });
});

describe("a client of 2025-11-25", () => {
  it("sees which tools can be tasks, and is refused where one cannot or must", async () => {
    const client = await bareClient(context, "2025-11-25");
    const { tools } = await client.request("tools/list");
    const support = Object.fromEntries(tools.map(({ name, execution }: Json) => [name, execution?.taskSupport]));
    expect(support).toMatchObject({ hold: "optional", must: "required", greet: undefined });
    await expect(client.callTask("greet", { name: "you" })).rejects.toMatchObject({ code: -32601 });
    await expect(client.request("tools/call", { name: "must", arguments: {} })).rejects.toMatchObject({ code: -32601 });
    await expect(client.request("tasks/update", { taskId: "x", inputResponses: {} })).rejects.toMatchObject({
      code: -32601,
    });
  });

  it("lists its tasks in pages, the newest first, and hears of the end of one", async () => {
    const client = await bareClient(context, "2025-11-25");
    const made: string[] = [];
    for (let i = 0; i < 53; i++) {
      made.unshift((await client.callTask("must"))["taskId"]);
      await client.request("tasks/result", { taskId: made[0] });
    }
    const first = await client.request("tasks/list");
    const second = await client.request("tasks/list", { cursor: first["nextCursor"] });
    const listed = [...first["tasks"], ...second["tasks"]].map(({ taskId }: Json) => taskId);
    expect(first["tasks"]).toHaveLength(50);
    expect(second["nextCursor"]).toBeUndefined();
    expect(new Set(listed)).toEqual(new Set(made));
    await expect(client.request("tasks/list", { cursor: "x" })).rejects.toMatchObject({ code: -32602 });
    const ends = client.notifications.filter(({ method }) => method === "notifications/tasks/status");
    expect(ends.map(({ params }) => params.status)).toContain("completed");
  });

  it("may ask for another ttl, within bounds", async () => {
    const client = await bareClient(context, "2025-11-25");
    const ttls = [];
    for (const ttl of [120_000, 1, 1e15]) {
      const { task } = await client.request("tools/call", { name: "must", arguments: {}, task: { ttl } });
      ttls.push(task.ttl);
    }
    expect(ttls).toEqual([120_000, 60_000, 7 * 86_400_000]);
  });
});
