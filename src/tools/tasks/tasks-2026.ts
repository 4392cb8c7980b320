/** @file Tasks of 2026-07-28, the extension io.modelcontextprotocol/tasks: the server decides, the client polls and answers questions. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type Result,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import type { TaskBoard } from "./task-board.js";
import { isFinal, type TaskRecord } from "./task-record.js";
import { cancelTask, heldElsewhere, POLL_INTERVAL_MS, visibleTask } from "./task-requests.js";
import { cancel2025, get2025, type Tasks2025 } from "./tasks-2025.js";

export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

export const isModern = ({ mcpReq }: ServerContext): boolean => mcpReq.envelope !== undefined;

/** Whether this request says that its client knows tasks. */
export function declaresTasks({ mcpReq }: ServerContext): boolean {
  const envelope = mcpReq.envelope as { readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities } | undefined;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY]?.extensions?.[TASKS_EXTENSION] !== undefined;
}

export function requireTasks(request: ServerContext): void {
  if (declaresTasks(request)) return;
  throw new MissingRequiredClientCapabilityError(
    { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
    `this needs a client that declares the extension ${TASKS_EXTENSION} with the request`,
  );
}

/** The answer to a call that became a task: only how it stands. */
export const createTaskResult = (record: TaskRecord): Result => ({ resultType: "task", ...taskFields(record) });

/** With the questions, the result or the error. */
function detailedTask(board: TaskBoard, record: TaskRecord): Result {
  const { status, result, error } = record;
  return {
    ...taskFields(record),
    ...(status === "input_required" && { inputRequests: board.live(record.taskId)?.questions.requests() ?? {} }),
    ...(status === "completed" && { result }),
    ...(status === "failed" && { error }),
  };
}

function taskFields({ taskId, status, statusMessage, createdAt, lastUpdatedAt, ttlMs }: TaskRecord) {
  const message = statusMessage !== undefined && { statusMessage };
  return { taskId, status, ...message, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs: POLL_INTERVAL_MS };
}

/** Made once: a server is made for each request. */
const updateParams = z.looseObject({});
const taskParams = z.object({ taskId: z.string() });

/** `tasks/get` and `tasks/cancel` have the same names in both eras, and other answers. */
export function registerTasks2026({ server }: McpServer, board: TaskBoard, legacy: Tasks2025): void {
  server.setRequestHandler("tasks/get", { params: taskParams }, async ({ taskId }, request) => {
    if (!isModern(request)) return get2025(legacy, taskId, request);
    requireTasks(request);
    return detailedTask(board, await visibleTask(board, taskId, request));
  });
  server.setRequestHandler("tasks/cancel", { params: taskParams }, async ({ taskId }, request) => {
    if (!isModern(request)) return cancel2025(legacy, taskId, request);
    requireTasks(request);
    await cancelTask(board, await visibleTask(board, taskId, request));
    return {};
  });
  server.setRequestHandler("tasks/update", { params: updateParams }, async ({ taskId }, request) => {
    if (!isModern(request)) throw new ProtocolError(ProtocolErrorCode.MethodNotFound, "Method not found");
    requireTasks(request);
    // The SDK takes the responses out of the parameters, as it does for the rounds of a call.
    const { inputResponses } = request.mcpReq;
    if (typeof taskId !== "string" || inputResponses === undefined)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        "expected a taskId and inputResponses, by the keys of inputRequests",
      );
    const record = await visibleTask(board, taskId, request);
    const live = board.live(taskId);
    if (live === undefined && !isFinal(record)) throw heldElsewhere(record);
    live?.questions.answer(inputResponses);
    return {};
  });
}
