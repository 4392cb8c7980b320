/** @file A task that this process works on: its record in memory and on the disk, its open questions, and how it ends. */
import { type CallToolResult, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { thisProcess } from "../../agents/teaching/run-lock.js";
import { ASK_TIMEOUT_MS, type ClientMethod } from "../ask-client.js";
import { OpenQuestions } from "../open-questions.js";
import { errorText } from "../tool-result.js";
import type { TaskCall } from "./task-call.js";
import { isFinal, type TaskRecord, type TaskStatus } from "./task-record.js";
import type { TaskStore } from "./task-store.js";

/** What the work says goes to the disk at most so often; clients of this server read it from memory. */
const SAVE_INTERVAL_MS = 2000;
/** Others tell by it that a process of another machine is still there. */
const FRESHEN_MS = 30_000;

export class LiveTask {
  readonly questions: OpenQuestions;
  /** Resolves when the work waits for its turn, or ended. */
  readonly placed: Promise<void>;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #freshen: NodeJS.Timeout;
  readonly #expire: NodeJS.Timeout;
  #place = (): void => {};
  #leave = (): void => {};
  #saved: Promise<void> = Promise.resolve();
  #lastSave = 0;

  constructor(
    private readonly store: TaskStore,
    public record: TaskRecord,
  ) {
    this.questions = new OpenQuestions(record.asked, () => this.#questionsChanged());
    this.placed = new Promise((resolve) => {
      this.#place = resolve;
    });
    this.#freshen = setInterval(() => void store.freshen(record.taskId), FRESHEN_MS).unref();
    const leftMs = Date.parse(record.createdAt) + record.ttlMs - Date.now();
    this.#expire = setTimeout(() => void this.#giveUp(), Math.max(0, leftMs)).unref();
  }

  /** As the tool sees it. */
  call(serverSignal: AbortSignal): TaskCall {
    const { caller, began } = this.record;
    const stops = (): void => void this.#update(() => ({ stopped: true })).catch(() => undefined);
    serverSignal.addEventListener("abort", stops, { once: true });
    this.#leave = () => serverSignal.removeEventListener("abort", stops);
    return {
      caller,
      began,
      signal: AbortSignal.any([serverSignal, this.#stop.signal]),
      ask: (method, params, signal) => this.questions.ask(method, params, limited(method, signal)),
      note: (seen) => this.#update(() => ({ began: seen })),
      takesPlace: () => this.#place(),
      tell: (message) => this.tell(message),
    };
  }

  tell(statusMessage: string): void {
    if (isFinal(this.record) || statusMessage === this.record.statusMessage) return;
    this.#change({ statusMessage });
    if (Date.now() - this.#lastSave > SAVE_INTERVAL_MS) void this.#save().catch(() => undefined);
  }

  /** What the tool returned. A task that was cancelled stays so, and says what the end of the work said. */
  async complete(result: CallToolResult): Promise<void> {
    const text = result.isError === true ? textOf(result) : undefined;
    await this.#end("completed", { result: result as Record<string, unknown>, statusMessage: text });
  }

  /** What the call threw: an error of the protocol, as a plain call would have answered it. */
  async fail(thrown: unknown): Promise<void> {
    const { code, data } = thrown as { readonly code?: unknown; readonly data?: unknown };
    const error = {
      code: Number.isSafeInteger(code) ? Number(code) : ProtocolErrorCode.InternalError,
      message: errorText(thrown),
      ...(data !== undefined && { data }),
    };
    await this.#end("failed", { error, statusMessage: error.message });
  }

  /** Nobody works on it any more: the server stops, and the next one goes on. */
  async release(): Promise<void> {
    await this.#end("working", { owner: null, statusMessage: "the server was stopped; the next one goes on" });
  }

  /** On the disk when it returns; the work is told, and cleans up. */
  async cancel(): Promise<void> {
    await this.#update((record) =>
      isFinal(record) ? {} : { status: "cancelled", statusMessage: "cancelled by request" },
    );
    this.#stop.abort(new Error("the task was cancelled"));
  }

  /** Calls the listener at every change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #end(status: TaskStatus, change: Partial<TaskRecord>): Promise<void> {
    clearInterval(this.#freshen);
    clearTimeout(this.#expire);
    this.#leave();
    this.#place();
    await this.#update((record) => (isFinal(record) ? change : { ...change, status }));
  }

  /** Nobody answered as long as the task was to live. */
  async #giveUp(): Promise<void> {
    if (this.questions.size > 0) await this.cancel().catch(() => undefined);
  }

  #questionsChanged(): void {
    if (isFinal(this.record)) return;
    const { asked, size } = this.questions;
    this.#change({ asked, status: size > 0 ? "input_required" : "working" });
    void this.#save().catch(() => undefined);
  }

  #change(change: Partial<TaskRecord>): void {
    this.record = { ...this.record, ...change, lastUpdatedAt: new Date().toISOString() };
    for (const listener of [...this.#listeners]) listener();
  }

  /** The disk first: what a client hears of survives the server. What changes is decided when it is this change's turn. */
  #update(decide: (record: TaskRecord) => Partial<TaskRecord>): Promise<void> {
    return this.#inOrder(async () => {
      const change = decide(this.record);
      await this.store.save({ ...this.record, ...change, lastUpdatedAt: new Date().toISOString() });
      this.#change(change);
    });
  }

  #save(): Promise<void> {
    return this.#inOrder(() => this.store.save(this.record));
  }

  /** A later write is never overtaken by an earlier one. */
  #inOrder(write: () => Promise<void>): Promise<void> {
    const saved = this.#saved.catch(() => undefined).then(write);
    this.#saved = saved;
    this.#lastSave = Date.now();
    return saved;
  }
}

/** What asks the client's model holds the others up; what asks the user was not begun, and may wait for them. */
function limited(method: ClientMethod, signal: AbortSignal | undefined): AbortSignal | undefined {
  if (method !== "sampling/createMessage") return signal;
  const limit = new AbortController();
  const late = new Error(`the client did not come back with its reply within ${ASK_TIMEOUT_MS / 60_000} minutes`);
  setTimeout(() => limit.abort(late), ASK_TIMEOUT_MS).unref();
  return signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
}

/** A record of new work, which this process owns. */
export async function newRecord(
  parts: Pick<TaskRecord, "taskId" | "tool" | "arguments" | "caller" | "ttlMs" | "inputResponses">,
): Promise<TaskRecord> {
  const now = new Date().toISOString();
  return {
    ...parts,
    status: "working",
    createdAt: now,
    lastUpdatedAt: now,
    owner: await thisProcess(),
    stopped: false,
    died: 0,
    asked: 0,
  };
}

const textOf = ({ content }: CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
