/** @file The request that a tool sees when it works for a task: the one that made the task is over, and so may be its connection. */
import { CLIENT_CAPABILITIES_META_KEY, type ServerContext } from "@modelcontextprotocol/server";
import type { TaskCall } from "./task-call.js";
import type { TaskRecord } from "./task-record.js";

interface Round {
  readonly responses: Record<string, unknown> | undefined;
  readonly state: string | undefined;
}

/** Progress becomes the task's message; the client can be asked in no other way than through the task. */
export function taskRequest(
  { taskId, caller }: TaskRecord,
  call: TaskCall,
  { responses, state }: Round,
): ServerContext {
  const closed = (): never => {
    throw new Error("internal: a task asks its client through the task, as its request is over");
  };
  return {
    mcpReq: {
      id: taskId,
      method: "tools/call",
      _meta: { progressToken: taskId },
      signal: call.signal,
      ...(caller.era === "2026-07-28" && { envelope: { [CLIENT_CAPABILITIES_META_KEY]: caller.capabilities } }),
      ...(responses && { inputResponses: responses }),
      requestState: () => state,
      notify: async ({ method, params }: { method: string; params?: Record<string, unknown> }) => {
        if (method === "notifications/progress") call.tell(progressWords(params ?? {}));
      },
      log: async () => undefined,
      send: closed,
      elicitInput: closed,
      requestSampling: closed,
    },
  } as unknown as ServerContext;
}

function progressWords({ progress, total, message }: Record<string, unknown>): string {
  const count = total === undefined ? String(progress) : `${progress} of ${total}`;
  return message === undefined ? count : `${message} (${count})`;
}
