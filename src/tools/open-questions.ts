/** @file Questions to the client that wait for a round in which it answers them: of a call of 2026-07-28, or of a task. */
import { type InputRequiredSpec, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type { AskClient, ClientMethod, ClientQuestions, ClientReplies } from "./ask-client.js";

/** As both the result of a call and a task carry them. */
export type InputRequests = NonNullable<InputRequiredSpec["inputRequests"]>;

interface OpenQuestion {
  readonly method: ClientMethod;
  readonly params: ClientQuestions[ClientMethod];
  readonly resolve: (reply: ClientReplies[ClientMethod]) => void;
  readonly reject: (error: unknown) => void;
  /** Its signal need not tell it any more. */
  readonly close: () => void;
}

export class OpenQuestions {
  readonly #open = new Map<string, OpenQuestion>();
  #wake = (): void => {};
  #asked: number;

  /** `asked`: how many were asked before; no key is ever used twice. `onChange` hears of every question that opens or closes. */
  constructor(
    asked = 0,
    private readonly onChange: () => void = () => undefined,
  ) {
    this.#asked = asked;
  }

  get asked(): number {
    return this.#asked;
  }

  get size(): number {
    return this.#open.size;
  }

  readonly ask: AskClient = (method, params, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const key = `${method === "sampling/createMessage" ? "sample" : "elicit"}-${++this.#asked}`;
      const withdraw = (): void => this.refuse(key, signal?.reason);
      const close = (): void => signal?.removeEventListener("abort", withdraw);
      this.#open.set(key, { method, params, resolve: resolve as OpenQuestion["resolve"], reject, close });
      signal?.addEventListener("abort", withdraw, { once: true });
      this.onChange();
      this.#wake();
    });

  /** Takes the replies to what is open; others, and those of another kind, are left aside. */
  answer(responses: Readonly<Record<string, unknown>> | undefined): void {
    for (const [key, { method }] of [...this.#open]) {
      const response = inputResponse(responses, key);
      if (response.kind === "sampling" && method === "sampling/createMessage")
        this.#close(key)?.resolve(response.result);
      if (response.kind === "elicit" && method === "elicitation/create") {
        const { kind: _, ...reply } = response;
        this.#close(key)?.resolve(reply as ClientReplies["elicitation/create"]);
      }
    }
  }

  /** The client cannot, or will not, or is asked no longer. */
  refuse(key: string, error: unknown): void {
    this.#close(key)?.reject(error);
  }

  /** What is open, oldest first. */
  open(): (readonly [key: string, Pick<OpenQuestion, "method" | "params">])[] {
    return [...this.#open];
  }

  requests(): InputRequests {
    const entries = [...this.#open].map(([key, question]) => [key, asInputRequest(question)] as const);
    return Object.fromEntries(entries);
  }

  /** Ends when a question is open. */
  async atLeastOne(): Promise<void> {
    while (this.#open.size === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #close(key: string): OpenQuestion | undefined {
    const question = this.#open.get(key);
    if (question === undefined) return undefined;
    this.#open.delete(key);
    question.close();
    this.onChange();
    return question;
  }
}

function asInputRequest({ method, params }: OpenQuestion): InputRequests[string] {
  return method === "sampling/createMessage"
    ? inputRequired.createMessage(params as ClientQuestions["sampling/createMessage"])
    : inputRequired.elicit(params as ClientQuestions["elicitation/create"]);
}
