/** @file Tool calls that wait for the client between rounds: 2026-07-28 has no request from a server to its client. */
import { randomUUID } from "node:crypto";
import {
  type CallToolResult,
  type InputRequiredResult,
  inputRequired,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { ASK_TIMEOUT_MS, type AskClient } from "./ask-client.js";
import { type InputRequests, OpenQuestions } from "./open-questions.js";
import type { ToolContext } from "./tool-context.js";

type Work = (ask: AskClient, signal: AbortSignal) => Promise<CallToolResult>;

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

/** How a round ends: with the result of the call, or with what the client is asked. */
interface Round {
  readonly result?: CallToolResult;
  readonly questions: InputRequests;
}

class ParkedCall {
  readonly #stop = new AbortController();
  readonly #questions = new OpenQuestions();
  readonly #result: Promise<CallToolResult>;
  #timer: NodeJS.Timeout | undefined;

  constructor(serverSignal: AbortSignal, work: Work) {
    this.#result = work(this.#questions.ask, AbortSignal.any([serverSignal, this.#stop.signal]));
    // Between rounds nobody waits for it.
    this.#result.catch(() => undefined);
  }

  /** Takes the client's replies, and waits for the result or the next questions. A cancelled round cancels the call. */
  async round({ inputResponses, signal }: ServerContext["mcpReq"]): Promise<Round> {
    clearTimeout(this.#timer);
    this.#questions.answer(inputResponses);
    const cancel = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      const result = await Promise.race([this.#result, this.#questions.atLeastOne()]);
      if (result !== undefined) return { result, questions: {} };
    } finally {
      signal.removeEventListener("abort", cancel);
    }
    return { questions: this.#questions.requests() };
  }

  /** A client that does not come back has given the call up; what it held is let go. */
  abandonLater(forget: () => void): void {
    this.#timer = setTimeout(() => {
      forget();
      this.#stop.abort(new Error("the client did not come back with its reply"));
    }, ASK_TIMEOUT_MS).unref();
  }
}
