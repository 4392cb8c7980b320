/** @file Server-sent events on a response: one JSON object an event, no faster than the client reads. */
import type { ServerResponse } from "node:http";

/** A client that takes nothing for so long has gone, whatever its socket says. */
const STALL_MS = 60_000;

export class EventStream {
  #open = false;

  constructor(
    readonly response: ServerResponse,
    readonly stallMs = STALL_MS,
  ) {}

  /** Whether the status is already sent: from then on a failure can only be an event. */
  get opened(): boolean {
    return this.#open;
  }

  async send(data: object): Promise<void> {
    await this.#write(`data: ${JSON.stringify(data)}\n\n`);
  }

  async done(): Promise<void> {
    await this.#write("data: [DONE]\n\n");
    this.response.end();
  }

  /** Ends without [DONE], so that nobody takes what came for the whole. */
  async fail(body: object): Promise<void> {
    await this.send(body);
    this.response.end();
  }

  async #write(text: string): Promise<void> {
    const { response } = this;
    if (!this.#open) {
      this.#open = true;
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
      });
    }
    if (response.destroyed) throw new Error("the client has gone");
    if (!response.write(text)) await drained(response, this.stallMs);
  }
}

function drained(response: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => (): void => {
      clearTimeout(timer);
      response.off("drain", onDrain);
      response.off("close", onClose);
      done();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(new Error("the client has gone")));
    const timer = setTimeout(() => response.destroy(), stallMs);
    response.on("drain", onDrain);
    response.on("close", onClose);
  });
}
