/** @file What is logged and traced of a call: a line and a span, with its caller's trace, and never its words or a secret. */
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createServer } from "../../src/server/create-server.js";
import type { CallRecord } from "../../src/server/observe-calls.js";
import { observeCalls } from "../../src/server/observe-calls.js";
import { smallContext } from "../tools/small-context.js";
import { connected, post, running, session, toolCall, until } from "./http/running.js";

const exporter = new InMemorySpanExporter();
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
});
afterAll(() => {
  trace.disable();
  context.disable();
});
beforeEach(() => exporter.reset());

const attributes = () => exporter.getFinishedSpans().map(({ attributes }) => attributes);

describe("a call", () => {
  it.each(["legacy", "auto"] as const)(
    "is one record and one server span, by the conventions for MCP (%s)",
    async (mode) => {
      const records: CallRecord[] = [];
      const server = await running({ onCall: (record) => records.push(record) });
      const { client } = await connected(server, mode);
      await client.callTool({ name: "retrieve-context", arguments: { query: "a private question" } });
      await client.listTools();
      const era = mode === "legacy" ? "2025-11-25" : "2026-07-28";
      expect(records).toEqual([
        { tool: "retrieve-context", era, transport: "http", durationMs: expect.any(Number), outcome: "error" },
      ]);
      const [span, ...more] = exporter.getFinishedSpans();
      expect(more).toEqual([]);
      expect(span).toMatchObject({ name: "tools/call retrieve-context", kind: 1, status: { code: 2 } });
      expect(span?.attributes).toMatchObject({
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "retrieve-context",
        "jsonrpc.request.id": expect.any(String),
        "mcp.protocol.version": era,
        "network.transport": "tcp",
        "network.protocol.name": "http",
        "error.type": "tool_error",
      });
      expect(span?.attributes["mcp.session.id"] === undefined).toBe(mode === "auto");
      expect(JSON.stringify([records, span?.attributes])).not.toContain("private");
    },
  );

  it("that goes well has no error, one that is refused has JSON-RPC's code, a cancelled one says so", async () => {
    const records: CallRecord[] = [];
    const server = await running({ onCall: (record) => records.push(record) });
    const own = await session(server.mcp);
    await (await post(server.mcp, toolCall(1, "test-progress"), own)).text();
    await (await post(server.mcp, toolCall(2, "no-such-tool"), own)).text();
    const waiting = post(server.mcp, toolCall(3, "test-wait"), own).then((response) => response.text());
    await until(() => server.waits.begun === 1);
    await post(server.mcp, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } }, own);
    await waiting;
    await until(() => records.length === 3);
    expect(records.map(({ outcome, code }) => [outcome, code])).toEqual([
      ["ok", undefined],
      ["refused", -32602],
      ["cancelled", undefined],
    ]);
    expect(attributes().map((all) => all["error.type"])).toEqual([undefined, "-32602", "cancelled"]);
    expect(attributes()[1]).toMatchObject({ "rpc.response.status_code": "-32602" });
  });

  it("goes on with the trace of its caller, from _meta or else from the header", async () => {
    const server = await running();
    const own = await session(server.mcp);
    const other = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
    const meta = { traceparent: TRACEPARENT, tracestate: "vendor=1" };
    await (await post(server.mcp, toolCall(1, "test-progress", {}, meta), { ...own, traceparent: other })).text();
    await (await post(server.mcp, toolCall(2, "test-progress"), { ...own, traceparent: TRACEPARENT })).text();
    await (await post(server.mcp, toolCall(3, "test-progress"), { ...own, traceparent: "00-zz-zz-01" })).text();
    const spans = exporter.getFinishedSpans();
    expect(spans.map((span) => span.parentSpanContext?.spanId)).toEqual([PARENT, PARENT, undefined]);
    expect(spans[0]?.spanContext().traceId).toBe(TRACE);
    expect(spans[0]?.parentSpanContext?.traceState?.get("vendor")).toBe("1");
  });

  it("is the parent of what the work traces itself", async () => {
    const server = await running({
      extra: (mcp) => {
        mcp.registerTool("traced", { inputSchema: z.object({}) }, async () => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          trace.getTracer("test").startSpan("inner").end();
          return { content: [] };
        });
      },
    });
    const { client } = await connected(server);
    await client.callTool({ name: "traced", arguments: {} });
    const [inner, outer] = exporter.getFinishedSpans();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  });
});

it("a server whose tools are handled already cannot be observed any more: that would go unseen", async () => {
  const server = createServer(await smallContext());
  expect(() => observeCalls(server, { transport: "stdio" })).toThrow(/tools\/call/);
});
