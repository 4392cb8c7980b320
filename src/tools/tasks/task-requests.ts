/** @file What requests about tasks have in common in both eras: who may see a task, and what ends one. */
import { ProtocolError, ProtocolErrorCode, type ServerContext } from "@modelcontextprotocol/server";
import type { TaskBoard } from "./task-board.js";
import { isFinal, type TaskRecord } from "./task-record.js";

/** A status costs nothing to tell, and most work takes seconds to minutes. */
export const POLL_INTERVAL_MS = 1000;

export const unknownTask = (taskId: string): ProtocolError =>
  new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    `there is no task "${taskId.slice(0, 80)}": it has expired, or never was; call the tool again`,
  );

/** Whose token the request has; undefined where the server asks for none. */
export const subjectOf = ({ http }: ServerContext): string | undefined => http?.authInfo?.clientId;

/** The task, for who may see it. A damaged record is an error that names its file. */
export async function visibleTask(board: TaskBoard, taskId: string, request: ServerContext): Promise<TaskRecord> {
  const record = await board.get(taskId);
  if (record === undefined || record.caller.subject !== subjectOf(request)) throw unknownTask(taskId);
  return record;
}

/** On the disk when it returns. One that has ended stays as it is. */
export async function cancelTask(board: TaskBoard, record: TaskRecord): Promise<void> {
  if (isFinal(record)) return;
  const live = board.live(record.taskId);
  if (live !== undefined) return live.cancel();
  throw heldElsewhere(record);
}

/** Only the server that works on a task can end it, or take what its client says. */
export function heldElsewhere({ owner }: TaskRecord): ProtocolError {
  const holder = owner === null ? "" : ` (process ${owner.pid} on ${owner.host})`;
  const why = `another server works on this task${holder}: ask that one, or stop it`;
  return new ProtocolError(ProtocolErrorCode.InternalError, why);
}
