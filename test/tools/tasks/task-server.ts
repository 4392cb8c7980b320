/** @file A server whose tools do as the test says, with tasks; and bare clients of both eras that see every message. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InMemoryTransport, McpServer, ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";
import { withClient } from "../../../src/tools/client-sampling.js";
import { progressOf } from "../../../src/tools/progress.js";
import { serialQueue } from "../../../src/tools/serial.js";
import { registerTasks } from "../../../src/tools/tasks/register-tasks.js";
import { turnOf } from "../../../src/tools/tasks/task-call.js";
import type { ToolContext } from "../../../src/tools/tool-context.js";
import { guarded } from "../../../src/tools/tool-result.js";
import type { Era } from "../era-client.js";

// biome-ignore lint/suspicious/noExplicitAny: JSON from the wire, which claims look into
export type Json = Record<string, any>;

export interface TaskContext extends ToolContext {
  /** Calls of `hold` that are under way, by their argument. */
  readonly held: Map<string, () => void>;
  /** What the work was told at its end. */
  readonly ends: string[];
  stop(): void;
}

export function taskContext(home = mkdtempSync(join(tmpdir(), "preflexor-tasks-"))): TaskContext {
  const controller = new AbortController();
  const parts = { home, signal: controller.signal, exclusive: serialQueue(2), held: new Map(), ends: [] };
  return { ...parts, stop: () => controller.abort(new Error("the server stops")) } as unknown as TaskContext;
}

const TOOLS = {
  hold: { support: "optional" },
  ask: { support: "optional" },
  broken: { support: "optional" },
  must: { support: "required" },
} as const;

const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });

export function taskServer(context: TaskContext): McpServer {
  const server = new McpServer({ name: "tasks", version: "1" }, { capabilities: { tools: {} } });
  const inputSchema = z.object({ name: z.string() });
  server.registerTool("hold", { inputSchema }, ({ name }, request) =>
    withClient({ server, context, request }, (_, signal) =>
      guarded("", signal, () =>
        context.exclusive(signal, () => hold(context, name, signal, progressOf(request)), turnOf(request, "hold")),
      ),
    ),
  );
  server.registerTool("ask", { inputSchema }, ({ name }, request) =>
    withClient({ server, context, request }, async (client, signal) =>
      text(`${name}: ${await client.askUser(`${name}?`, signal)}`),
    ),
  );
  server.registerTool("broken", {}, () => {
    // The one error that the SDK does not make a tool's result of.
    throw new ProtocolError(ProtocolErrorCode.UrlElicitationRequired, "broken", { elicitations: [] });
  });
  server.registerTool("must", {}, () => text("done"));
  server.registerTool("greet", { inputSchema }, ({ name }) => text(`hello ${name}`));
  registerTasks(server, context, TOOLS);
  return server;
}

/** Until the test lets go or the call ends; then says which. */
async function hold(context: TaskContext, name: string, signal: AbortSignal, report: ReturnType<typeof progressOf>) {
  report(1, 4, `holds ${name}`);
  await new Promise<void>((resolve, reject) => {
    context.held.set(name, resolve);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  }).finally(() => {
    context.held.delete(name);
    context.ends.push(`${name} ${signal.aborted ? "stopped" : "done"}`);
  });
  return text(`held ${name}`);
}

export interface BareClient {
  /** Throws the error of the answer, with its code. */
  request(method: string, params?: Json): Promise<Json>;
  callTask(name: string, args?: Json): Promise<Json>;
  /** The task as tasks/get tells it, when it is as asked for. */
  until(taskId: string, is: (task: Json) => boolean): Promise<Json>;
  readonly notifications: Json[];
  close(): Promise<void>;
}

interface Offers {
  readonly capabilities?: Json;
  /** What the user answers to a question that comes as a request. */
  readonly answer?: Json;
  /** Default: the server of this file. */
  readonly server?: () => McpServer;
  /** Called with every answer of the server before anything else happens. */
  readonly onAnswer?: (result: Json) => void;
}

const TASKS = { "io.modelcontextprotocol/tasks": {} };

/** Written out by hand, so that nothing of the SDK's client stands between the test and the wire. */
export async function bareClient(
  context: ToolContext,
  era: Era,
  {
    capabilities = { elicitation: {}, extensions: TASKS },
    answer,
    onAnswer,
    server = () => taskServer(context as TaskContext),
  }: Offers = {},
): Promise<BareClient> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  serveStdio(server, { transport: theirs });
  const waiting = new Map<string, { resolve: (result: Json) => void; reject: (error: Error) => void }>();
  const notifications: Json[] = [];
  ours.onmessage = (message: Json) => {
    if (message["method"] !== undefined && message["id"] !== undefined) {
      notifications.push(message);
      if (answer !== undefined) void ours.send({ jsonrpc: "2.0", id: message["id"], result: answer });
    } else if (message["method"] !== undefined) notifications.push(message);
    else if (message["error"] !== undefined) {
      waiting.get(message["id"])?.reject(Object.assign(new Error(message["error"].message), message["error"]));
    } else {
      onAnswer?.(message["result"]);
      waiting.get(message["id"])?.resolve(message["result"]);
    }
  };
  await ours.start();
  const _meta = era === "2026-07-28" && {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": era,
      "io.modelcontextprotocol/clientInfo": { name: "bare", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": capabilities,
    },
  };
  const request = (method: string, params: Json = {}): Promise<Json> =>
    new Promise((resolve, reject) => {
      const id = randomUUID();
      waiting.set(id, { resolve, reject });
      void ours.send({ jsonrpc: "2.0", id, method, params: { ...params, ..._meta } });
    });
  if (era === "2025-11-25") {
    await request("initialize", { protocolVersion: era, capabilities, clientInfo: { name: "bare", version: "1" } });
    await ours.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }
  const until = async (taskId: string, is: (task: Json) => boolean): Promise<Json> => {
    for (let i = 0; ; i++) {
      const task = await request("tasks/get", { taskId });
      if (is(task)) return task;
      if (i > 500) throw new Error(`it stays ${JSON.stringify(task)}`);
      await sleep(10);
    }
  };
  const callTask = async (name: string, args: Json = {}): Promise<Json> => {
    const result = await request("tools/call", { name, arguments: args, ...(era === "2025-11-25" && { task: {} }) });
    return era === "2025-11-25" ? result["task"] : result;
  };
  return { request, callTask, until, notifications, close: () => ours.close() };
}

export const fileOf = ({ home }: ToolContext, taskId: string): string => join(home, "tasks", `${taskId}.json`);
export const onDisk = (context: ToolContext, taskId: string): Json | undefined =>
  existsSync(fileOf(context, taskId)) ? JSON.parse(readFileSync(fileOf(context, taskId), "utf8")) : undefined;

/** Ends the wait for what happens elsewhere. */
export async function eventually(is: () => boolean): Promise<void> {
  for (let i = 0; !is(); i++) {
    if (i > 500) throw new Error("it does not happen");
    await sleep(10);
  }
}
