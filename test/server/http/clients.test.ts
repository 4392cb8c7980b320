/** @file Clients of both SDK generations, both protocol eras and LangChain over HTTP: the same tools, in the same order. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { describe, expect, it } from "vitest";
import { createServer } from "../../../src/server/create-server.js";
import { NACRE } from "../../agents/scripted-student.js";
import { afterwards, connected, HEADERS, post, type Running, running, until } from "./running.js";

interface AnyResult {
  readonly isError?: boolean;
  readonly content?: unknown;
  readonly structuredContent?: unknown;
}

type CallTool = (name: string, args: Record<string, unknown>) => Promise<AnyResult>;

/** What any client sees that uses the server in the usual order. */
async function walk({ context }: Running, call: CallTool): Promise<void> {
  expect(await call("retrieve-context", { query: "nacre" })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining("call ingest-corpus first") }],
  });
  const path = join(context.home, "nacre.md");
  await writeFile(path, NACRE);
  expect(await call("ingest-corpus", { path })).toMatchObject({ structuredContent: { documents: 1 } });
  expect(await call("retrieve-context", { query: "aragonite", k: 1 })).toMatchObject({
    structuredContent: { passages: [{ source: "nacre.md" }] },
  });
}

describe("a client of the second SDK generation", () => {
  it.each(["legacy", "auto"] as const)("lists and calls the tools (%s)", async (mode) => {
    const server = await running({ extra: () => undefined });
    const { client } = await connected(server, mode);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(["ingest-corpus", "recursive-reason"]));
    await walk(server, (name, args) => client.callTool({ name, arguments: args }));
    // The newer protocol has no sessions.
    expect(server.load.sessions).toBe(mode === "legacy" ? 1 : 0);
  });

  it.each(["legacy", "auto"] as const)("hears of progress while the call runs (%s)", async (mode) => {
    const { client } = await connected(await running(), mode);
    const steps: number[] = [];
    await client.callTool(
      { name: "test-progress", arguments: {} },
      { onprogress: ({ progress }) => steps.push(progress) },
    );
    expect(steps).toEqual([1, 2, 3]);
  });

  it.each(["legacy", "auto"] as const)("cancels a call by its signal (%s)", async (mode) => {
    const server = await running();
    const { client } = await connected(server, mode);
    const controller = new AbortController();
    const call = client.callTool({ name: "test-wait", arguments: {} }, { signal: controller.signal });
    const failed = expect(call).rejects.toThrow();
    await until(() => server.waits.begun === 1);
    controller.abort("changed my mind");
    await failed;
    await until(() => server.waits.ended.length === 1);
    expect(server.waits.ended).toEqual(["cancelled"]);
    await until(() => server.load.calls === 0);
  });
});

describe("a client of the first SDK generation", () => {
  it("lists and calls the tools, and ends its session", async () => {
    const server = await running();
    const client = new ClientV1({ name: "test", version: "1" });
    const transport = new TransportV1(server.mcp);
    await client.connect(transport as Parameters<typeof client.connect>[0]);
    afterwards(() => client.close());
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    await walk(server, async (name, args) => (await client.callTool({ name, arguments: args })) as AnyResult);
    expect(server.load.sessions).toBe(1);
    await transport.terminateSession();
    expect(server.load.sessions).toBe(0);
  });
});

describe("LangChain's MCP adapters", () => {
  it("load the tools over HTTP and call them", async () => {
    const server = await running({ extra: () => undefined });
    const client = new MultiServerMCPClient({ mcpServers: { preflexor: { transport: "http", url: server.mcp.href } } });
    afterwards(() => client.close());
    const tools = await client.getTools();
    const retrieve = tools.find(({ name }) => name === "retrieve-context");
    await expect(retrieve?.invoke({ query: "nacre" })).rejects.toThrow(/call ingest-corpus first/);
  });
});

describe("a client that never initializes", () => {
  it("lists tools without a session", async () => {
    const server = await running();
    const response = await post(server.mcp, { jsonrpc: "2.0", id: 1, method: "tools/list" });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("ingest-corpus");
    expect(response.headers.get("mcp-session-id")).toBeNull();
    expect(server.load).toEqual({ sessions: 0, calls: 0 });
  });

  it("is told that streams belong to sessions", async () => {
    const { mcp } = await running();
    expect((await fetch(mcp, { headers: HEADERS })).status).toBe(405);
    expect((await fetch(mcp, { method: "DELETE" })).status).toBe(405);
  });
});

describe("the list of tools", () => {
  const MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };

  it("is the same text every time, and as the schemas of a server that remembers none say", async () => {
    const server = await running();
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
    const ask = async (): Promise<string> =>
      (
        await post(server.mcp, { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: MODERN } }, headers)
      ).text();
    const first = await ask();
    expect(JSON.parse(first).result.tools.length).toBeGreaterThan(5);
    expect(await ask()).toBe(first);
  });

  it("costs a few milliseconds a server, as schemas are made once", async () => {
    const { context } = await running();
    createServer(context);
    const started = performance.now();
    for (let i = 0; i < 100; i++) createServer(context);
    // 0.05 ms each where it was measured; 25 times that without the memory, for lists.
    expect((performance.now() - started) / 100).toBeLessThan(5);
  });
});
