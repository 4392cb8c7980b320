/** @file Sessions of 2025 clients: what they add to single requests, how they end, and that nothing of them stays. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { afterwards, connected, HEADERS, INITIALIZE, post, running, session, toolCall, until } from "./running.js";

afterEach(() => vi.restoreAllMocks());

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };

/** Server-sent events as they come: id and the message. */
async function* events(response: Response): AsyncGenerator<{ id?: string; message?: Record<string, unknown> }> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
      );
      text = text.slice(end + 2);
      yield {
        ...(fields["id"] && { id: fields["id"] }),
        ...(fields["data"] && { message: JSON.parse(fields["data"]) }),
      };
    }
  }
}

async function readAll(response: Response): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  for await (const { message } of events(response)) if (message !== undefined) all.push(message);
  return all;
}

describe("a session", () => {
  it("lets a tool ask the client's model and its user while the call is open", async () => {
    const { client } = await connected(await running(), "legacy", {
      capabilities: { sampling: {}, elicitation: {} },
    });
    client.setRequestHandler("sampling/createMessage", async () => ({
      role: "assistant",
      model: "scripted",
      content: { type: "text", text: "A shell's lining." },
    }));
    client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { sure: true } }));
    const result = await client.callTool({ name: "test-ask", arguments: {} });
    expect(result.content).toEqual([
      { type: "text", text: JSON.stringify([{ type: "text", text: "A shell's lining." }, { sure: true }]) },
    ]);
  });

  it("opens one stream for what the server says of itself, and refuses a second", async () => {
    const { mcp } = await running();
    const own = await session(mcp);
    const stream = await fetch(mcp, { headers: { ...HEADERS, ...own } });
    expect(stream.headers.get("content-type")).toBe("text/event-stream");
    expect((await fetch(mcp, { headers: { ...HEADERS, ...own } })).status).toBe(409);
    await stream.body?.cancel();
  });

  it("ends with DELETE, and is not found after it", async () => {
    const server = await running();
    const own = await session(server.mcp);
    expect((await fetch(server.mcp, { method: "DELETE", headers: own })).status).toBe(200);
    expect(server.load.sessions).toBe(0);
    const late = await post(server.mcp, LIST, own);
    expect(late.status).toBe(404);
    expect(await late.json()).toMatchObject({ id: 1, error: { code: -32001, message: /initialize/ } });
  });

  it("cancels what it runs when it ends", async () => {
    const server = await running();
    const own = await session(server.mcp);
    const call = await post(server.mcp, toolCall(1, "test-wait"), own);
    await until(() => server.waits.begun === 1);
    await fetch(server.mcp, { method: "DELETE", headers: own });
    expect(await readAll(call)).toEqual([]);
    await until(() => server.waits.ended.length === 1);
    expect(server.waits.ended).toEqual(["cancelled"]);
    expect(server.load).toEqual({ sessions: 0, calls: 0 });
  });

  it("refuses a version that is not known", async () => {
    const { mcp } = await running();
    const own = await session(mcp);
    const response = await post(mcp, LIST, { ...own, "mcp-protocol-version": "1999-01-01" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { message: /Unsupported protocol version/ } });
  });
});

describe("a stream that breaks", () => {
  it("is resumed: the client gets the answer that came meanwhile, and only what it has not seen", async () => {
    const server = await running();
    const own = await session(server.mcp);
    const broken = new AbortController();
    const call = await post(server.mcp, toolCall(5, "test-wait", {}, { progressToken: 1 }), own, broken.signal);
    const first = await events(call).next();
    expect(first.value.id).toBeDefined();
    await until(() => server.waits.begun === 1);
    broken.abort();
    await until(() => server.load.calls === 0);
    server.waits.release();
    await until(() => server.waits.ended.length === 1);
    const resumed = await fetch(server.mcp, { headers: { ...HEADERS, ...own, "last-event-id": first.value.id } });
    expect(await readAll(resumed)).toMatchObject([{ id: 5, result: { content: [{ text: "released" }] } }]);
  });

  it("is resumed while the call still runs: the answer comes on the new stream", async () => {
    const server = await running();
    const own = await session(server.mcp);
    const broken = new AbortController();
    const call = await post(server.mcp, toolCall(6, "test-wait"), own, broken.signal);
    const first = await events(call).next();
    await until(() => server.waits.begun === 1);
    broken.abort();
    await until(() => server.load.calls === 0);
    const resumed = await fetch(server.mcp, { headers: { ...HEADERS, ...own, "last-event-id": first.value.id } });
    server.waits.release();
    expect(await readAll(resumed)).toMatchObject([{ id: 6, result: { content: [{ text: "released" }] } }]);
  });

  it("cannot be resumed from another session, nor from an event that never was", async () => {
    const { mcp } = await running();
    const own = await session(mcp);
    const call = events(await post(mcp, toolCall(42, "test-progress"), own));
    const first = (await call.next()).value.id;
    for await (const _ of call);
    const replayed = await fetch(mcp, { headers: { ...HEADERS, ...own, "last-event-id": first } });
    expect(await readAll(replayed)).toMatchObject([{ id: 42 }]);
    const other = await session(mcp);
    const never = await fetch(mcp, { headers: { ...HEADERS, ...other, "last-event-id": "77" } });
    expect(never.status).toBe(400);
    // Numbers repeat across sessions: what comes is the session's own or nothing.
    const foreign = await fetch(mcp, { headers: { ...HEADERS, ...other, "last-event-id": first } });
    expect(await foreign.text()).not.toContain('"id":42');
  });
});

describe("a client that vanishes", () => {
  it("is forgotten after a while, with the work it left", async () => {
    const closed: string[] = [];
    const server = await running({
      limits: { sessionIdleMs: 500 },
      onSession: (what, why) => closed.push(`${what}: ${why}`),
    });
    const own = await session(server.mcp);
    const gone = new AbortController();
    const call = post(server.mcp, toolCall(1, "test-wait"), own, gone.signal);
    await until(() => server.waits.begun === 1);
    await new Promise((resolve) => setTimeout(resolve, 700));
    // It is still there: its call is open.
    expect(server.load).toEqual({ sessions: 1, calls: 1 });
    gone.abort();
    await call.then((response) => response.text()).catch(() => undefined);
    await until(() => server.load.sessions === 0);
    expect(server.waits.ended).toEqual(["cancelled"]);
    expect(closed).toEqual(["opened: initialize", "closed: idle"]);
    expect(server.load).toEqual({ sessions: 0, calls: 0 });
  });

  it("cancels its call at once where there is no session", async () => {
    const server = await running();
    const gone = new AbortController();
    const call = post(server.mcp, toolCall(1, "test-wait"), {}, gone.signal).then((response) => response.text());
    await until(() => server.waits.begun === 1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await until(() => server.waits.ended.length === 1);
    expect(server.waits.ended).toEqual(["cancelled"]);
    await until(() => server.load.calls === 0);
  });
});

describe("the bounds", () => {
  it("let a new session take the place of the one that rested longest, never of one in use", async () => {
    const server = await running({ limits: { maxSessions: 2 } });
    const busy = await session(server.mcp);
    const stream = await fetch(server.mcp, { headers: { ...HEADERS, ...busy } });
    const resting = await session(server.mcp);
    const newest = await session(server.mcp);
    expect(server.load.sessions).toBe(2);
    expect((await post(server.mcp, LIST, resting)).status).toBe(404);
    expect((await post(server.mcp, LIST, newest)).status).toBe(200);
    const second = await fetch(server.mcp, { headers: { ...HEADERS, ...newest } });
    const refused = await post(server.mcp, INITIALIZE);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("30");
    expect(await refused.json()).toMatchObject({ id: 0, error: { message: /2 sessions, all of them in use/ } });
    await Promise.all([stream.body?.cancel(), second.body?.cancel()]);
  });

  it("hold the calls of one session and of all, but let through what ends work", async () => {
    const server = await running({ limits: { maxCallsPerSession: 2, maxCalls: 3 } });
    const own = await session(server.mcp);
    const calls = [1, 2].map((id) =>
      post(server.mcp, toolCall(id, "test-wait"), own).then((response) => response.text()),
    );
    await until(() => server.waits.begun === 2);
    const third = await post(server.mcp, toolCall(3, "test-wait"), own);
    expect([third.status, third.headers.get("retry-after")]).toEqual([429, "1"]);
    const other = await session(server.mcp);
    calls.push(post(server.mcp, toolCall(1, "test-wait"), other).then((response) => response.text()));
    await until(() => server.waits.begun === 3);
    const fourth = await post(server.mcp, LIST, other);
    expect([fourth.status, fourth.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await fourth.json()).toMatchObject({ id: 1, error: { message: /3 of 3 requests under way/ } });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
    expect((await post(server.mcp, cancel, own)).status).toBe(202);
    server.waits.release();
    const texts = await Promise.all(calls);
    expect(texts.filter((text) => text.includes("released"))).toHaveLength(2);
    expect(texts.filter((text) => text.includes('"cancelled"'))).toHaveLength(1);
    expect(server.load.calls).toBe(0);
  });

  it("keep the last events of a session and no more", async () => {
    const { SessionEvents } = await import("../../../src/server/http/event-store.js");
    const store = new SessionEvents();
    const note = (text: string) => ({ jsonrpc: "2.0", method: "notifications/message", params: { text } }) as const;
    const ids: string[] = [];
    for (let i = 0; i < 300; i++) ids.push(await store.storeEvent("s", note(String(i))));
    expect(await store.getStreamIdForEventId(ids[0] as string)).toBeUndefined();
    const replayed: string[] = [];
    await store.replayEventsAfter(ids[297] as string, { send: async (id) => void replayed.push(id) });
    expect(replayed).toEqual(ids.slice(298));
    // A large one pushes all others out, and is itself kept.
    const large = await store.storeEvent("t", note("x".repeat(600_000)));
    expect(await store.getStreamIdForEventId(ids[299] as string)).toBeUndefined();
    expect(await store.getStreamIdForEventId(large)).toBe("t");
  });
});

describe("a stop", () => {
  it("lets calls end that are under way, and frees the port", async () => {
    const server = await running();
    const own = await session(server.mcp);
    const call = post(server.mcp, toolCall(1, "test-wait"), own).then(readAll);
    await until(() => server.waits.begun === 1);
    const closing = server.close({ graceMs: 5000 });
    server.waits.release();
    expect(await call).toMatchObject([{ id: 1, result: { content: [{ text: "released" }] } }]);
    await closing;
    expect(server.load).toEqual({ sessions: 0, calls: 0 });
    const again = await running({ port: Number(new URL(server.url).port) });
    expect(again.url).toBe(server.url);
  });

  it.each(["legacy", "auto"] as const)("cancels what goes on too long, and its client is told (%s)", async (mode) => {
    const server = await running();
    const { client } = await connected(server, mode);
    const call = client.callTool({ name: "test-wait", arguments: {} });
    await until(() => server.waits.begun === 1);
    const started = performance.now();
    await server.close({ graceMs: 50, cancelWork: async () => server.context.stop() });
    expect(await call).toMatchObject({ isError: true, content: [{ text: "stopped" }] });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("does not wait for streams that nobody ends", async () => {
    const server = await running({ limits: { keepAliveMs: 20 } });
    const own = await session(server.mcp);
    const stream = await fetch(server.mcp, { headers: { ...HEADERS, ...own } });
    afterwards(() => stream.body?.cancel().catch(() => undefined));
    const started = performance.now();
    await server.close({ graceMs: 10_000 });
    expect(performance.now() - started).toBeLessThan(2000);
    await expect(post(server.mcp, LIST)).rejects.toThrow();
  });
});
