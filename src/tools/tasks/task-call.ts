/** @file The task that a tool works for, as the tool sees it: who asked, what stood when the work began, whom to tell. */
import type { ServerContext } from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { AskClient } from "../ask-client.js";
import type { Turn } from "../serial.js";
import type { TaskCaller } from "./task-record.js";

export interface TaskCall {
  readonly caller: TaskCaller;
  /** Ends when the task is cancelled or the server stops; the request that made the task is long over. */
  readonly signal: AbortSignal;
  readonly ask: AskClient;
  /** What an earlier server noted when the work began, or undefined. */
  readonly began: unknown;
  note(began: unknown): Promise<void>;
  /** The work waits for its turn, or has it. */
  takesPlace(): void;
  tell(message: string): void;
}

const TASK = Symbol("task");

/** A request that stands for a task. */
export interface TaskRequest extends ServerContext {
  readonly [TASK]?: TaskCall;
}

export const withTask = (request: ServerContext, task: TaskCall): TaskRequest => ({ ...request, [TASK]: task });

/** The task that the request stands for; undefined for a plain call. */
export const taskOf = (request: ServerContext): TaskCall | undefined => (request as TaskRequest)[TASK];

/**
 * What stood when the work began. A plain call looks; a task looks once, and keeps it on the disk: where a later server goes on
 * with the work, it is told what the first one saw, and does only what is left.
 */
export async function standingAtBegin<T extends z.ZodType>(
  request: ServerContext,
  schema: T,
  look: () => Promise<z.infer<T>>,
): Promise<z.infer<T>> {
  const task = taskOf(request);
  if (task?.began !== undefined) return schema.parse(task.began);
  const seen = await look();
  await task?.note(seen);
  return seen;
}

/** The turn of a tool's call; a task says for what it waits. */
export function turnOf(request: ServerContext, name: string): Turn {
  const task = taskOf(request);
  task?.takesPlace();
  return { name, ...(task && { onWait: (words: string) => task.tell(words) }) };
}
