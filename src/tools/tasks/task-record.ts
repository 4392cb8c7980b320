/** @file A task as it lies on the disk: what was asked for, by whom, how it stands, and what came out. */
import { z } from "zod";
import { holderSchema } from "../../agents/teaching/run-lock.js";

export const TASK_STATUSES = ["working", "input_required", "completed", "failed", "cancelled"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

const jsonObject = z.record(z.string(), z.unknown());

export const taskRecordSchema = z.object({
  taskId: z.uuid(),
  status: z.enum(TASK_STATUSES),
  statusMessage: z.string().optional(),
  /** ISO times. */
  createdAt: z.iso.datetime(),
  lastUpdatedAt: z.iso.datetime(),
  /** From createdAt on; then a task that has ended is removed. */
  ttlMs: z.number().int().positive(),
  tool: z.string(),
  arguments: jsonObject,
  /** What the client said before the task was made. */
  inputResponses: jsonObject.optional(),
  /** Who asked. */
  caller: z.object({
    name: z.string(),
    era: z.enum(["2025-11-25", "2026-07-28"]),
    capabilities: jsonObject,
    /** Of its token, where the server asks for one: no other may see the task. */
    subject: z.string().optional(),
  }),
  /** The process that works on it; null where the server stopped and nobody does. */
  owner: holderSchema.nullable(),
  /** Its server was asked to stop: the end of that is no death. */
  stopped: z.boolean(),
  /** How many servers ended while they worked on it, other than by a clean stop. */
  died: z.number().int().nonnegative(),
  /** Questions to the client so far: no key is used twice. */
  asked: z.number().int().nonnegative(),
  /** What stood when the work began, as the tool noted it: a later server goes on for what is left. */
  began: z.unknown().optional(),
  /** What the tool returned. */
  result: jsonObject.optional(),
  /** The JSON-RPC error that it ended with instead. */
  error: z.object({ code: z.number().int(), message: z.string(), data: z.unknown().optional() }).optional(),
});

export type TaskRecord = z.infer<typeof taskRecordSchema>;
export type TaskCaller = TaskRecord["caller"];

export const isFinal = ({ status }: Pick<TaskRecord, "status">): boolean =>
  status === "completed" || status === "failed" || status === "cancelled";

export const isExpired = (record: TaskRecord, now = Date.now()): boolean =>
  isFinal(record) && now > Date.parse(record.createdAt) + record.ttlMs;
