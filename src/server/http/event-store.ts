/** @file What a 2025 session sent last, so that a client whose stream broke can resume it; the oldest is dropped first. */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

interface Kept {
  readonly number: number;
  readonly streamId: string;
  /** As JSON: small, and of known length. */
  readonly text: string;
}

const MAX_EVENTS = 256;
const MAX_CHARACTERS = 512 * 1024;

/** One for each session: no session can name an event of another. The newest event is kept whatever its size. */
export class SessionEvents implements EventStore {
  readonly #kept: Kept[] = [];
  #characters = 0;
  #last = 0;

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const kept = { number: ++this.#last, streamId, text: JSON.stringify(message) };
    this.#kept.push(kept);
    this.#characters += kept.text.length;
    while (this.#kept.length > 1 && (this.#kept.length > MAX_EVENTS || this.#characters > MAX_CHARACTERS)) {
      this.#characters -= this.#kept.shift()?.text.length ?? 0;
    }
    return String(kept.number);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#find(eventId)?.streamId;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = this.#find(lastEventId);
    if (last === undefined) throw new Error(`no event ${lastEventId} is kept`);
    for (const { number, streamId, text } of [...this.#kept]) {
      // An empty object is the event that a stream begins with: it carries no message.
      if (number > last.number && streamId === last.streamId && text !== "{}")
        await send(String(number), JSON.parse(text) as JSONRPCMessage);
    }
    return last.streamId;
  }

  #find(eventId: string): Kept | undefined {
    return this.#kept.find(({ number }) => String(number) === eventId);
  }
}
