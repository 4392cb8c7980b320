/** @file Tool calls that wait for the client's model between rounds: 2026-07-28 has no request from a server to its client. */
import { randomUUID } from "node:crypto";
import {
  type CallToolResult,
  type CreateMessageRequestParams,
  type CreateMessageResult,
  type CreateMessageResultWithTools,
  type InputRequiredResult,
  type InputRequiredSpec,
  inputRequired,
  inputResponse,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { ToolContext } from "./tool-context.js";

/** Asks the client's model. */
export type Sample = (
  params: CreateMessageRequestParams,
  signal?: AbortSignal,
) => Promise<CreateMessageResult | CreateMessageResultWithTools>;

type Work = (sample: Sample, signal: AbortSignal) => Promise<CallToolResult>;

/** The calls that are parked, of each context: the rounds of one call may reach different servers over it. */
const parkedCalls = new WeakMap<ToolContext, Map<string, ParkedCall>>();

/** Starts the work, or goes on with the one that the request's state names. Ends with its result, or with what it asks the client. */
export async function parkedCall(
  context: ToolContext,
  { mcpReq }: ServerContext,
  work: Work,
): Promise<CallToolResult | InputRequiredResult> {
  const parked = parkedCalls.get(context) ?? new Map<string, ParkedCall>();
  parkedCalls.set(context, parked);
  const state = mcpReq.requestState<string>();
  // The state comes from the client: it only finds what was put there under a name that cannot be guessed.
  const token = state ?? randomUUID();
  const call = state === undefined ? new ParkedCall(context.signal, work) : parked.get(token);
  if (call === undefined)
    throw new Error("this call is over: it was finished, or waited too long; call the tool again");
  parked.set(token, call);
  const { result, questions } = await call.round(mcpReq);
  if (result !== undefined) {
    parked.delete(token);
    return result;
  }
  call.abandonLater(() => parked.delete(token));
  return inputRequired({ inputRequests: questions, requestState: token });
}

/** A client that does not come back within this time has given the call up; what it held is let go. */
const ABANDONED_MS = 10 * 60_000;

interface Question {
  readonly params: CreateMessageRequestParams;
  readonly resolve: (reply: Awaited<ReturnType<Sample>>) => void;
}

/** How a round ends: with the result of the call, or with what the client is asked. */
interface Round {
  readonly result?: CallToolResult;
  readonly questions: NonNullable<InputRequiredSpec["inputRequests"]>;
}

class ParkedCall {
  readonly #stop = new AbortController();
  readonly #open = new Map<string, Question>();
  readonly #result: Promise<CallToolResult>;
  #asked = 0;
  #wake = (): void => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(serverSignal: AbortSignal, work: Work) {
    this.#result = work(
      (params, signal) => this.#ask(params, signal),
      AbortSignal.any([serverSignal, this.#stop.signal]),
    );
    // Between rounds nobody waits for it.
    this.#result.catch(() => undefined);
  }

  /** Takes the client's replies, and waits for the result or the next questions. A cancelled round cancels the call. */
  async round({ inputResponses, signal }: ServerContext["mcpReq"]): Promise<Round> {
    clearTimeout(this.#timer);
    for (const [key, { resolve }] of [...this.#open]) {
      const response = inputResponse(inputResponses, key);
      if (response.kind !== "sampling") continue;
      this.#open.delete(key);
      resolve(response.result);
    }
    const cancel = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      const result = await Promise.race([this.#result, this.#question()]);
      if (result !== undefined) return { result, questions: {} };
    } finally {
      signal.removeEventListener("abort", cancel);
    }
    const questions = [...this.#open].map(([key, { params }]) => [key, inputRequired.createMessage(params)] as const);
    return { questions: Object.fromEntries(questions) };
  }

  abandonLater(forget: () => void): void {
    this.#timer = setTimeout(() => {
      forget();
      this.#stop.abort(new Error("the client did not come back with the reply of its model"));
    }, ABANDONED_MS).unref();
  }

  #ask(params: CreateMessageRequestParams, signal: AbortSignal | undefined): ReturnType<Sample> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const key = `sample-${++this.#asked}`;
      this.#open.set(key, { params, resolve });
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#wake();
    });
  }

  async #question(): Promise<undefined> {
    while (this.#open.size === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
