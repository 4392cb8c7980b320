/** @file The tasks of a home, as one server has them: starts the work, goes on with what a stopped server left, and hands out results. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CallToolRequest,
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { isHolderGone, lockRun, thisProcess } from "../../agents/teaching/run-lock.js";
import type { ClientMethod, ClientQuestions } from "../ask-client.js";
import type { InputRequests } from "../open-questions.js";
import type { ToolContext } from "../tool-context.js";
import { LiveTask, newRecord } from "./live-task.js";
import { withTask } from "./task-call.js";
import { isFinal, type TaskRecord } from "./task-record.js";
import { taskRequest } from "./task-request.js";
import { type StoredTasks, TaskStore } from "./task-store.js";

/** Calls a tool as a client would: arguments are checked, and so is what comes out. */
export type CallTool = (
  request: Pick<CallToolRequest, "params"> & { readonly method: "tools/call" },
  context: ServerContext,
) => Promise<CallToolResult | InputRequiredResult>;

export interface StartedTask {
  readonly record: TaskRecord;
  /** Calls the listener at every change of it. */
  readonly watch: (listener: (record: TaskRecord) => void) => void;
}

/** Tools that wait for nothing never take a place. */
const PLACE_MS = 1000;
/** Work that ended its server so often would end the next one too, such as for want of memory. */
const MOST_DEATHS = 3;
/** How often a task that another server works on is looked at. */
const LOOK_MS = 500;

const boards = new WeakMap<ToolContext, TaskBoard>();

/** One for each context, whichever of its servers asks; the first one calls tools for what is gone on with. */
export function taskBoard(context: ToolContext, callTool: CallTool): TaskBoard {
  const board = boards.get(context) ?? new TaskBoard(context, callTool);
  boards.set(context, board);
  return board;
}

export class TaskBoard {
  readonly store: TaskStore;
  /** What a stopped server left has taken its place among the work that waits. */
  readonly ready: Promise<void>;
  readonly #live = new Map<string, LiveTask>();
  /** Ends with the work, whatever became of the task before. */
  readonly #over = new WeakMap<LiveTask, Promise<void>>();

  constructor(
    private readonly context: ToolContext,
    private readonly callTool: CallTool,
  ) {
    this.store = new TaskStore(context.home);
    this.ready = this.#adopt();
    // Told to who asks for a task; until then it must not end the process.
    this.ready.catch(() => undefined);
  }

  /** The record is on the disk when it returns. */
  async start(
    parts: Pick<TaskRecord, "tool" | "arguments" | "caller" | "ttlMs" | "inputResponses">,
    callTool: CallTool,
  ): Promise<StartedTask> {
    await this.ready;
    const record = await newRecord({ ...parts, taskId: randomUUID() });
    await this.store.add(record);
    const task = this.#take(record);
    void this.#run(task, callTool);
    const watch = (listener: (record: TaskRecord) => void): void => {
      task.onChange(() => listener(task.record));
    };
    return { record, watch };
  }

  /** As it stands now, or undefined where there is none. Goes on with it where its server is gone. */
  async get(taskId: string): Promise<TaskRecord | undefined> {
    await this.ready;
    const live = this.#live.get(taskId);
    if (live !== undefined) return live.record;
    const stored = await this.store.read(taskId);
    if (stored === undefined || isFinal(stored) || !(await this.#isOrphan(stored))) return stored;
    await this.#adopt();
    return this.#live.get(taskId)?.record ?? (await this.store.read(taskId));
  }

  /** All that have not expired, as they stand now. */
  async list(): Promise<StoredTasks> {
    await this.ready;
    const { records, damaged } = await this.store.all();
    return { records: records.map((record) => this.#live.get(record.taskId)?.record ?? record), damaged };
  }

  /** The task where this process works on it. */
  live(taskId: string): LiveTask | undefined {
    return this.#live.get(taskId);
  }

  /** Waits until it has ended, and for the end of its work; undefined where it is gone meanwhile. */
  async ended(taskId: string, signal: AbortSignal): Promise<TaskRecord | undefined> {
    for (;;) {
      const record = await this.get(taskId);
      const task = this.#live.get(taskId);
      if (record === undefined || (isFinal(record) && task === undefined)) return record;
      signal.throwIfAborted();
      await Promise.race([
        sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined),
        ...(task === undefined ? [] : [this.#over.get(task)]),
      ]);
    }
  }

  #take(record: TaskRecord): LiveTask {
    const task = new LiveTask(this.store, record);
    this.#live.set(record.taskId, task);
    return task;
  }

  #run(task: LiveTask, callTool: CallTool): Promise<void> {
    const over = this.#work(task, callTool).finally(() => this.#live.delete(task.record.taskId));
    this.#over.set(task, over);
    return over;
  }

  /** Never rejects: who asked is no longer there, and what came out is in the record. */
  async #work(task: LiveTask, callTool: CallTool): Promise<void> {
    const { signal } = this.context;
    try {
      const result = await this.#rounds(task, callTool);
      // A stopped server has failed nothing.
      const isLeft = signal.aborted && result.isError === true && !isFinal(task.record);
      await (isLeft ? task.release() : task.complete(result));
    } catch (error) {
      const isLeft = signal.aborted && !isFinal(task.record);
      await (isLeft ? task.release() : task.fail(error)).catch(() => undefined);
    }
  }

  /** A tool that ends a round with questions is called again with the replies. */
  async #rounds(task: LiveTask, callTool: CallTool): Promise<CallToolResult> {
    const { tool, arguments: args, inputResponses } = task.record;
    const call = task.call(this.context.signal);
    let responses: Record<string, unknown> | undefined = inputResponses;
    let state: string | undefined;
    for (;;) {
      const request = withTask(taskRequest(task.record, call, { responses, state }), call);
      const result = await callTool({ method: "tools/call", params: { name: tool, arguments: args } }, request);
      if (!isInputRequiredResult(result)) return result;
      responses = await replies(task, (result.inputRequests ?? {}) as InputRequests, call.signal);
      state = result.requestState;
    }
  }

  async #isOrphan(record: TaskRecord): Promise<boolean> {
    if (this.#live.has(record.taskId)) return false;
    return record.owner === null || isHolderGone(record.owner, await this.store.freshMs(record.taskId));
  }

  /** Takes the tasks of servers that are gone; of two servers that look at once, one gets them. */
  async #adopt(): Promise<void> {
    if ((await this.#orphans()).length === 0) return;
    const release = await lockRun(this.store.directory).catch(() => undefined);
    // Another server takes them just now.
    if (release === undefined) return;
    try {
      for (const { taskId } of await this.#orphans()) {
        const record = await this.store.read(taskId);
        if (record === undefined || isFinal(record) || !(await this.#isOrphan(record))) continue;
        const died = record.died + (record.stopped ? 0 : 1);
        const statusMessage = "a new server goes on with it";
        const owner = await thisProcess();
        const taken: TaskRecord = { ...record, status: "working", statusMessage, stopped: false, died, owner };
        await this.store.save(taken);
        const task = this.#take(taken);
        if (died >= MOST_DEATHS) {
          await task.fail(new Error(diedTooOften(taken)));
          this.#live.delete(taskId);
          continue;
        }
        void this.#run(task, this.callTool);
        await Promise.race([task.placed, sleep(PLACE_MS, undefined, { ref: false })]);
      }
    } finally {
      await release();
    }
  }

  async #orphans(): Promise<TaskRecord[]> {
    const { records } = await this.store.all();
    const open = records.filter((record) => !isFinal(record));
    const are = await Promise.all(open.map((record) => this.#isOrphan(record)));
    return open.filter((_, i) => are[i]);
  }
}

const diedTooOften = ({ died, tool }: TaskRecord): string =>
  `the server ended ${died} times while it worked on this task: look at its log, then call ${tool} again with less to do`;

/** Asks all at once, under keys of the task's own; returns the replies under the tool's keys. */
async function replies(task: LiveTask, requests: InputRequests, signal: AbortSignal): Promise<Record<string, unknown>> {
  const asked = Object.entries(requests).map(async ([key, request]) => {
    const { method, params } = request as { method: ClientMethod; params: ClientQuestions[ClientMethod] };
    return [key, await task.questions.ask(method, params, signal)] as const;
  });
  return Object.fromEntries(await Promise.all(asked));
}
