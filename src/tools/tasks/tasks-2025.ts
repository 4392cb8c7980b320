/** @file The experimental tasks of 2025-11-25: the client decides, fetches the result with tasks/result, and is asked meanwhile. */
import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type Result,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { askWithin } from "../client-sampling.js";
import type { LiveTask } from "./live-task.js";
import type { TaskBoard } from "./task-board.js";
import { isFinal, type TaskRecord } from "./task-record.js";
import { cancelTask, POLL_INTERVAL_MS, subjectOf, unknownTask, visibleTask } from "./task-requests.js";

export const RELATED_TASK_META_KEY = "io.modelcontextprotocol/related-task";

export interface Tasks2025 {
  readonly board: TaskBoard;
}

const PAGE = 50;

/** A task that this era sees: a tool's failure is the task's. */
export function task2025({ taskId, status, result, ...record }: TaskRecord) {
  const { statusMessage, createdAt, lastUpdatedAt, ttlMs } = record;
  return {
    taskId,
    status: status === "completed" && result?.["isError"] === true ? ("failed" as const) : status,
    ...(statusMessage !== undefined && { statusMessage }),
    createdAt,
    lastUpdatedAt,
    ttl: ttlMs,
    pollInterval: POLL_INTERVAL_MS,
  };
}

export async function get2025({ board }: Tasks2025, taskId: string, request: ServerContext): Promise<Result> {
  return task2025(await visibleTask(board, taskId, request));
}

export async function cancel2025({ board }: Tasks2025, taskId: string, request: ServerContext): Promise<Result> {
  const record = await visibleTask(board, taskId, request);
  if (isFinal(record)) {
    const why = `this task has ended (${task2025(record).status}) and cannot be cancelled: fetch its result with tasks/result`;
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, why);
  }
  await cancelTask(board, record);
  return task2025(await visibleTask(board, taskId, request));
}

const resultParams = z.object({ taskId: z.string() });
const listParams = z.object({ cursor: z.string().optional() });

export function registerTasks2025({ server }: McpServer, board: TaskBoard): void {
  server.setRequestHandler("tasks/result", { params: resultParams }, async ({ taskId }, request) => {
    await visibleTask(board, taskId, request);
    const record = await whileAsking(board, taskId, request);
    const { result, error } = record;
    if (error !== undefined) throw new ProtocolError(error.code, error.message, error.data);
    const meta = (result?.["_meta"] ?? {}) as Record<string, unknown>;
    return { ...(result ?? cancelledResult(record)), _meta: { ...meta, [RELATED_TASK_META_KEY]: { taskId } } };
  });
  server.setRequestHandler("tasks/list", { params: listParams }, async ({ cursor }, request) => {
    const { records } = await board.list();
    const visible = records.filter(({ caller }) => caller.subject === subjectOf(request)).reverse();
    const start = cursor === undefined ? 0 : visible.findIndex(({ taskId }) => taskId === cursor);
    if (start < 0)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `there is no page "${cursor?.slice(0, 80)}"`);
    const next = visible[start + PAGE];
    const tasks = visible.slice(start, start + PAGE).map(task2025);
    return { tasks, ...(next && { nextCursor: next.taskId }) };
  });
}

/** Waits for the end of the task; what it asks meanwhile goes to the client on the stream of this request. */
async function whileAsking(board: TaskBoard, taskId: string, request: ServerContext): Promise<TaskRecord> {
  const live = board.live(taskId);
  const stop = live === undefined ? () => undefined : askAsTheyOpen(live, taskId, request);
  try {
    const record = await board.ended(taskId, request.mcpReq.signal);
    if (record === undefined) throw unknownTask(taskId);
    return record;
  } finally {
    stop();
  }
}

function askAsTheyOpen(live: LiveTask, taskId: string, request: ServerContext): () => void {
  const ask = askWithin(request, { [RELATED_TASK_META_KEY]: { taskId } });
  const { signal } = request.mcpReq;
  const sent = new Set<string>();
  const send = (): void => {
    for (const [key, { method, params }] of live.questions.open()) {
      if (sent.has(key)) continue;
      sent.add(key);
      ask(method, params, signal).then(
        (reply) => live.questions.answer({ [key]: reply }),
        // A client that is gone may come back and be asked again; one that refuses has answered.
        (error: unknown) => !signal.aborted && live.questions.refuse(key, error),
      );
    }
  };
  send();
  return live.onChange(send);
}

/** Of work that ended before it could say anything. */
const cancelledResult = ({ statusMessage }: TaskRecord): Result => ({
  content: [{ type: "text", text: statusMessage ?? "cancelled" }],
  isError: true,
});
