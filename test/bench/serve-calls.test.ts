import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { call, eventData, isSameReply, percentile, plannedCall, type Reply } from "../../bench/serve-calls.js";

const TIMEOUT_MS = 5000;
let server: Server | undefined;

async function serving(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

const event = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ delta, finish_reason: finish }] })}\n\n`;
const plan = { ...plannedCall(1, 0), hangUpAfter: undefined };

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(values: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const value of values) found.push(value);
  return found;
}

describe("eventData", () => {
  it("gives the same events wherever the bytes were cut", async () => {
    const bytes = new TextEncoder().encode(": comment\n\ndata: ä€😀\n\ndata: [DONE]\n\n");
    for (let size = 1; size <= bytes.length; size += 1) {
      expect(await all(eventData(pieces(bytes, size)))).toEqual(["ä€😀", "[DONE]"]);
    }
  });

  it("throws where the stream ends in half a character", async () => {
    const bytes = new TextEncoder().encode("data: 1\n\n😀").subarray(0, -1);
    await expect(all(eventData(pieces(bytes, 3)))).rejects.toThrow();
  });
});

describe("call", () => {
  it("joins thinking and answer, and reads finish and usage", async () => {
    const url = await serving((_, response) => {
      response.write(event({ role: "assistant" }) + event({ reasoning_content: "so " }) + event({ content: "yes" }));
      response.write(`${event({}, "stop")}data: {"choices": [], "usage": {"completion_tokens": 5}}\n\n`);
      response.end("data: [DONE]\n\n");
    });
    expect(await call(url, "m", plan, TIMEOUT_MS)).toMatchObject({ text: "so yes", tokens: 5, finish: "stop" });
  });

  it("closes the connection when it hangs up", async () => {
    let closed: Promise<unknown> | undefined;
    const url = await serving((_, response) => {
      closed = once(response, "close");
      response.write(event({ content: "a" }) + event({ content: "b" }));
    });
    const reply = await call(url, "m", { ...plan, hangUpAfter: 2 }, TIMEOUT_MS);
    expect([reply.text, reply.finish]).toEqual(["ab", undefined]);
    await closed;
  });

  it.each([
    ["a status", 429, "the queue is full", "status 429: the queue is full"],
    ["an error in the stream", 200, 'data: {"error": {"message": "lost"}}\n\n', "in the stream: lost"],
    ["a stream cut short", 200, event({ content: "a" }), "without [DONE]"],
    ["a stream without a finish", 200, `${event({ content: "a" })}data: [DONE]\n\n`, "without a finish_reason"],
  ])("throws for %s", async (_, status, body, message) => {
    const url = await serving((_, response) => void response.writeHead(status).end(body));
    await expect(call(url, "m", plan, TIMEOUT_MS)).rejects.toThrow(message);
  });
});

describe("plannedCall", () => {
  it("is the same for the same number, in lengths and seeds that differ, one in six hanging up", () => {
    const plans = Array.from({ length: 600 }, (_, i) => plannedCall(7, i));
    expect(plannedCall(7, 41)).toEqual(plans[41]);
    expect(plans.filter(({ hangUpAfter }) => hangUpAfter !== undefined)).toHaveLength(100);
    expect(new Set(plans.map(({ seed }) => seed)).size).toBe(600);
    const lengths = plans.map(({ maxTokens }) => maxTokens);
    expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([8, 96]);
  });
});

describe("isSameReply", () => {
  const reply = (text: string, finish?: string): Reply => ({ text, finish, tokens: 1, ms: 1, firstTokenMs: 1 });

  it("asks for all of a whole reply, and for the start of one that was left", () => {
    expect(isSameReply(reply("ab", "stop"), reply("ab", "stop"))).toBe(true);
    expect(isSameReply(reply("ab", "length"), reply("ab", "stop"))).toBe(false);
    expect(isSameReply(reply("a", "stop"), reply("ab", "stop"))).toBe(false);
    expect(isSameReply(reply("a"), reply("ab", "stop"))).toBe(true);
    expect(isSameReply(reply("b"), reply("ab", "stop"))).toBe(false);
  });
});

it("percentile is the nearest rank", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([percentile(values, 0.5), percentile(values, 0.99), percentile([3], 0.99)]).toEqual([50, 99, 3]);
  expect(percentile([], 0.5)).toBeNaN();
});
