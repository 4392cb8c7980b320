/** @file Long work as tasks in both protocol eras: wraps the calls of tools that are registered already. */
import type { McpServer, Result, ServerContext } from "@modelcontextprotocol/server";
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { callerOf } from "../client-sampling.js";
import type { ToolContext } from "../tool-context.js";
import { type CallTool, type TaskBoard, taskBoard } from "./task-board.js";
import type { TaskRecord } from "./task-record.js";
import { subjectOf } from "./task-requests.js";
import { TASK_TOOLS, type TaskSupport, type TaskTools } from "./task-tools.js";
import { RELATED_TASK_META_KEY, registerTasks2025, task2025 } from "./tasks-2025.js";
import {
  createTaskResult,
  declaresTasks,
  isModern,
  registerTasks2026,
  requireTasks,
  TASKS_EXTENSION,
} from "./tasks-2026.js";

const HOUR_MS = 3_600_000;
/** A result waits for a client that comes back the next day. */
const TTL_MS = 24 * HOUR_MS;
const LEAST_TTL_MS = 60_000;
const MOST_TTL_MS = 7 * 24 * HOUR_MS;

interface Call {
  readonly method: "tools/call";
  readonly params: {
    readonly name: string;
    readonly arguments?: Record<string, unknown>;
    readonly task?: { readonly ttl?: number };
    readonly _meta?: { readonly progressToken?: string | number };
  };
}

type Handler = (request: Call, context: ServerContext) => Promise<Result>;

/** Call it when all tools are registered, and before the server is connected. */
export function registerTasks(server: McpServer, context: ToolContext, tools: TaskTools = TASK_TOOLS): void {
  server.server.registerCapabilities({
    extensions: { [TASKS_EXTENSION]: {} },
    tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
  });
  const handlers = requestHandlers(server);
  const callTool = handlers.get("tools/call") as CallTool & Handler;
  const board = taskBoard(context, callTool);
  registerTasks2025(server, board);
  registerTasks2026(server, board, { board });
  // The SDK checks what its own handlers of tools/call return, and a task is no result of a tool.
  handlers.set("tools/call", async (request, asked) => {
    const task = tools[request.params.name];
    if (task === undefined) return notATask(request, asked, () => callTool(request, asked));
    await board.ready;
    if (!becomesTask(request, asked, task)) return callTool(request, asked);
    return startTask(server, board, callTool, request, asked);
  });
  const listTools = handlers.get("tools/list") as unknown as (...args: Parameters<Handler>) => Promise<ToolList>;
  handlers.set("tools/list", async (request, asked) => {
    const { tools: listed, ...rest } = await listTools(request, asked);
    return { ...rest, tools: listed.map((tool) => withSupport(tool, tools[tool.name])) };
  });
}

type ToolList = Result & { readonly tools: readonly { readonly name: string }[] };

/** Of 2025-11-25; the SDK leaves it out of the later era's list. */
const withSupport = <T extends object>(tool: T, task: TaskSupport | undefined): T =>
  task === undefined ? tool : { ...tool, execution: { taskSupport: task.support } };

/** The SDK has no public way to wrap a handler that it registered itself. */
function requestHandlers({ server }: McpServer): Map<string, Handler> {
  const handlers = (server as unknown as { readonly _requestHandlers?: unknown })._requestHandlers;
  if (!(handlers instanceof Map) || !handlers.has("tools/call"))
    throw new Error("internal: no tools are registered, or the SDK keeps its handlers elsewhere");
  return handlers;
}

function notATask({ params }: Call, asked: ServerContext, call: () => Promise<Result>): Promise<Result> {
  if (isModern(asked) || params.task === undefined) return call();
  throw new ProtocolError(
    ProtocolErrorCode.MethodNotFound,
    `${params.name} cannot be called as a task: call it without "task"`,
  );
}

/** Since 2026-07-28 every call of a client that knows tasks; before, where the client asks for one. */
function becomesTask({ params }: Call, asked: ServerContext, { support, asksFirst }: TaskSupport): boolean {
  if (!isModern(asked)) {
    if (params.task === undefined && support === "required")
      throw new ProtocolError(ProtocolErrorCode.MethodNotFound, `${params.name} can only be called as a task`);
    return params.task !== undefined;
  }
  if (support === "required") requireTasks(asked);
  // The rounds of a call that began as a plain one end as one.
  if (asked.mcpReq.requestState() !== undefined && asksFirst !== true) return false;
  if (asksFirst === true && asked.mcpReq.inputResponses === undefined) return false;
  return declaresTasks(asked);
}

async function startTask(
  server: McpServer,
  board: TaskBoard,
  callTool: CallTool,
  { params }: Call,
  asked: ServerContext,
): Promise<Result> {
  const { name, capabilities } = callerOf(server, asked);
  const subject = subjectOf(asked);
  const modern = isModern(asked);
  const { inputResponses } = asked.mcpReq;
  const { record, watch } = await board.start(
    {
      tool: params.name,
      arguments: params.arguments ?? {},
      caller: {
        name,
        era: modern ? "2026-07-28" : "2025-11-25",
        capabilities: capabilities as Record<string, unknown>,
        ...(subject !== undefined && { subject }),
      },
      ttlMs: ttlOf(params.task?.ttl),
      ...(inputResponses && { inputResponses: inputResponses as Record<string, unknown> }),
    },
    callTool,
  );
  if (modern) return createTaskResult(record);
  watch(notifying(server, record, params._meta?.progressToken));
  return { task: task2025(record) };
}

/** More than a week, or less than a minute, helps nobody. */
const ttlOf = (asked: number | undefined): number =>
  asked === undefined || !Number.isFinite(asked)
    ? TTL_MS
    : Math.round(Math.min(MOST_TTL_MS, Math.max(LEAST_TTL_MS, asked)));

/** Tells the client of 2025-11-25 what changes, as long as it is there. */
function notifying(server: McpServer, first: TaskRecord, progressToken: string | number | undefined) {
  let { status, statusMessage } = first;
  let progress = 0;
  const send = (method: string, params: Record<string, unknown>): void => {
    server.server.notification({ method, params } as never).catch(() => undefined);
  };
  return (record: TaskRecord): void => {
    if (record.status !== status) send("notifications/tasks/status", task2025(record));
    else if (progressToken !== undefined && record.statusMessage !== statusMessage) {
      const _meta = { [RELATED_TASK_META_KEY]: { taskId: record.taskId } };
      send("notifications/progress", { progressToken, progress: ++progress, message: record.statusMessage, _meta });
    }
    ({ status, statusMessage } = record);
  };
}
