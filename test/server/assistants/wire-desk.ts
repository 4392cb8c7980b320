/** @file A desk whose client knows tasks, in either era, written out by hand: calls become tasks, and it looks until they have ended. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type CallToolResult, InMemoryTransport, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createServer } from "../../../src/server/create-server.js";
import type { ToolContext } from "../../../src/tools/tool-context.js";
import type { Answer, Args, Desk } from "./assistant.js";
import type { ToolListing } from "./assistant-reading.js";
import { answerOf, type Era } from "./desks.js";

export interface TaskDesk extends Desk {
  /** Ids of the tasks that calls became. */
  readonly tasks: readonly string[];
  close(): Promise<void>;
}

type Json = Readonly<Record<string, unknown>>;

const CLIENT_INFO = { name: "task desk", version: "1" };
const CAPABILITIES = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const LOOK_MS = 10;

export async function taskDesk(context: ToolContext, era: Era): Promise<TaskDesk> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  serveStdio(() => createServer(context), { transport: theirs });
  const request = requests(ours, era);
  await ours.start();
  if (era === "2025-11-25") {
    await request("initialize", { protocolVersion: era, capabilities: {}, clientInfo: CLIENT_INFO });
    await ours.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }
  const tasks: string[] = [];
  const callOf = era === "2025-11-25" ? callOf2025 : callOf2026;
  return {
    tools: (await request("tools/list", {}))["tools"] as readonly ToolListing[],
    tasks,
    async call(name, args) {
      try {
        return await callOf(request, { name, arguments: args }, (taskId) => tasks.push(taskId));
      } catch (error) {
        return { isError: true, text: (error as Error).message };
      }
    },
    close: () => ours.close(),
  };
}

type Request = (method: string, params: Json) => Promise<Json>;
interface Call {
  readonly name: string;
  readonly arguments: Args;
}

function requests(transport: InMemoryTransport, era: Era): Request {
  const waiting = new Map<
    unknown,
    (message: { readonly result?: Json; readonly error?: { message: string } }) => void
  >();
  transport.onmessage = (message: JSONRPCMessage) => {
    if ("id" in message) waiting.get(message.id)?.(message as { readonly result?: Json });
  };
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": era,
    "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
    "io.modelcontextprotocol/clientCapabilities": CAPABILITIES,
  };
  return (method, params) =>
    new Promise((resolve, reject) => {
      const id = randomUUID();
      waiting.set(id, ({ result, error }) =>
        result === undefined ? reject(new Error(error?.message)) : resolve(result),
      );
      void transport.send({
        jsonrpc: "2.0",
        id,
        method,
        params: { ...params, ...(era === "2026-07-28" && { _meta }) },
      } as JSONRPCMessage);
    });
}

/** The server decides: what comes back is a result, or a task that has it in the end. */
async function callOf2026(request: Request, call: Call, onTask: (id: string) => void): Promise<Answer> {
  let answer = await request("tools/call", { ...call });
  if (answer["resultType"] !== "task") return answerOf(answer as unknown as CallToolResult);
  const { taskId } = answer as { readonly taskId: string };
  onTask(taskId);
  while (answer["result"] === undefined) {
    if (answer["error"] !== undefined) throw new Error((answer["error"] as { readonly message: string }).message);
    await sleep(LOOK_MS);
    answer = await request("tasks/get", { taskId });
  }
  return answerOf(answer["result"] as CallToolResult);
}

/** The client decides, where the tool allows it; the result has a method of its own. */
async function callOf2025(request: Request, call: Call, onTask: (id: string) => void): Promise<Answer> {
  const { task } = (await request("tools/call", { ...call, task: {} }).catch((error: Error) => {
    if (!error.message.includes("cannot be called as a task")) throw error;
    return { task: undefined };
  })) as { readonly task?: { readonly taskId: string } };
  if (task === undefined) return answerOf((await request("tools/call", { ...call })) as unknown as CallToolResult);
  onTask(task.taskId);
  return answerOf((await request("tasks/result", { taskId: task.taskId })) as unknown as CallToolResult);
}
