/** @file The stream of changes: what is told while it is up, while it is down, and when it comes back. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EVERYTHING } from "../../src/page/data-source.js";
import { liveChanges, type Stream } from "../../src/page/live-changes.js";

const [CONNECTING, OPEN, CLOSED] = [0, 1, 2];

class FakeStream implements Pick<Stream, "readyState" | "close"> {
  readyState = CONNECTING as number;
  closed = false;
  onopen: Stream["onopen"] = null;
  onmessage: Stream["onmessage"] = null;
  onerror: Stream["onerror"] = null;
  up(): void {
    this.readyState = OPEN;
    this.onopen?.call(this as never, new Event("open"));
  }
  down(state: number): void {
    this.readyState = state;
    this.onerror?.call(this as never, new Event("error"));
  }
  say(data: string): void {
    this.onmessage?.call(this as never, { data } as MessageEvent);
  }
  close(): void {
    this.closed = true;
  }
}

let streams: FakeStream[];
let told: string[];
let end: () => void;
const last = (): FakeStream => streams.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  told = [];
  const open = (): Stream => {
    streams.push(new FakeStream());
    return last() as unknown as Stream;
  };
  end = liveChanges(open, { changed: (uri) => told.push(uri), link: (link) => told.push(`(${link})`) });
});
afterEach(() => {
  end();
  vi.useRealTimers();
});

describe("live changes", () => {
  it("are passed on; what is no change is passed over", () => {
    last().up();
    for (const data of ['{"uri":"preflexor://runs"}', "nonsense", '{"uri":3}', "null"]) last().say(data);
    expect(told).toEqual(["(live)", "preflexor://runs"]);
  });

  it("have everything asked anew while the stream is down, and once when it is back", () => {
    last().up();
    last().down(CONNECTING);
    vi.advanceTimersByTime(8500);
    expect(told).toEqual(["(live)", "(reconnecting)", EVERYTHING, EVERYTHING]);
    last().up();
    vi.advanceTimersByTime(60_000);
    expect(told.slice(4)).toEqual([EVERYTHING, "(live)"]);
    expect(streams.length).toBe(1);
  });

  it("open a new stream where the browser gave the old one up, and say that they poll", () => {
    for (let i = 0; i < 3; i++) {
      last().down(CLOSED);
      vi.advanceTimersByTime(10_000);
    }
    expect(streams.length).toBe(4);
    expect(told.filter((one) => one.startsWith("("))).toEqual(["(reconnecting)", "(reconnecting)", "(polling)"]);
    last().up();
    expect(told.at(-1)).toBe("(live)");
  });

  it("end with their listener", () => {
    last().up();
    last().down(CLOSED);
    end();
    const before = told.length;
    vi.advanceTimersByTime(60_000);
    expect(told.length).toBe(before);
    expect(last().closed).toBe(true);
    expect(streams.length).toBe(1);
  });
});
