/** @file Every tool of the real binary, called by the SDK's clients of both generations and by LangChain's adapters, over both transports and in both eras. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioClientTransportV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as StreamableHTTPClientTransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOOL_NAMES } from "../tools/tool-names.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const INFO = { name: "every-tool", version: "1" };

/** One server over HTTP for all of its clients; servers over stdio in turn, which go on with what the one before has left. */
let homes: { readonly stdio: string; readonly http: string };
let http: { readonly child: ChildProcess; readonly url: URL };

beforeAll(async () => {
  const [forStdio, forHttp] = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), "preflexor-every-"))));
  homes = { stdio: forStdio as string, http: forHttp as string };
  const env = { ...process.env, PREFLEXOR_HOME: homes.http };
  const child = spawn(process.execPath, [MAIN, "serve", "--http", "--port", "0", "--json"], { env });
  const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  http = { child, url: new URL((JSON.parse(line) as { url: string }).url) };
});
afterAll(async () => {
  const gone = new Promise((resolve) => http.child.once("close", resolve));
  http.child.kill("SIGTERM");
  await gone;
  for (const home of Object.values(homes)) await rm(home, { recursive: true, force: true });
});

type Result = Readonly<Record<string, unknown>>;

interface Caller {
  readonly names: readonly string[];
  call(name: string, args: Record<string, unknown>): Promise<Result>;
  close(): Promise<void>;
}

const stdio = () => ({
  command: process.execPath,
  args: [MAIN],
  env: { PREFLEXOR_HOME: homes.stdio, PREFLEXOR_THREADS: "1" },
  stderr: "ignore" as const,
});

async function ofSdk(client: Client | ClientV1): Promise<Caller> {
  const { tools } = await client.listTools();
  return {
    names: tools.map(({ name }) => name),
    call: async (name, args) => {
      const result = await client.callTool({ name, arguments: args });
      if (result.isError === true) throw new Error(JSON.stringify(result.content));
      return result.structuredContent as Result;
    },
    close: () => client.close(),
  };
}

async function v2(transport: StdioClientTransport | StreamableHTTPClientTransport, mode: "auto" | "legacy") {
  const client = new Client(INFO, { versionNegotiation: { mode } });
  await client.connect(transport);
  expect(client.getProtocolEra()).toBe(mode === "auto" ? "modern" : "legacy");
  return ofSdk(client);
}

async function v1(transport: StdioClientTransportV1 | StreamableHTTPClientTransportV1): Promise<Caller> {
  const client = new ClientV1(INFO);
  await client.connect(transport as never);
  return ofSdk(client);
}

async function adapters(server: object): Promise<Caller> {
  const client = new MultiServerMCPClient({ mcpServers: { preflexor: server } } as never);
  const tools = await client.getTools();
  return {
    names: tools.map(({ name }) => name),
    call: async (name, args) => {
      const tool = tools.find((one) => one.name === name);
      if (tool === undefined) throw new Error(`the adapters have no ${name}`);
      const { artifact } = await tool.invoke({ type: "tool_call", id: "1", name, args });
      const parts = artifact as readonly { readonly type: string; readonly data: Result }[];
      return parts.find(({ type }) => type === "mcp_structured_content")?.data as Result;
    },
    close: () => client.close(),
  };
}

const CALLERS: readonly (readonly [name: string, open: () => Promise<Caller>])[] = [
  ["SDK v2, 2026-07-28, stdio", () => v2(new StdioClientTransport(stdio()), "auto")],
  ["SDK v1, stdio", () => v1(new StdioClientTransportV1(stdio()))],
  ["LangChain's adapters, stdio", () => adapters({ transport: "stdio", ...stdio() })],
  ["SDK v2, 2026-07-28, HTTP", () => v2(new StreamableHTTPClientTransport(http.url), "auto")],
  ["SDK v2, 2025-11-25, HTTP", () => v2(new StreamableHTTPClientTransport(http.url), "legacy")],
  ["SDK v1, HTTP", () => v1(new StreamableHTTPClientTransportV1(http.url))],
  ["LangChain's adapters, HTTP", () => adapters({ transport: "http", url: http.url.href })],
];

describe.each(CALLERS)("%s", (_, open) => {
  it("lists every tool, and each of them does its work", { timeout: 120_000 }, async () => {
    const caller = await open();
    const called = new Set<string>();
    const call = (name: string, args: Record<string, unknown> = {}): Promise<Result> => {
      called.add(name);
      return caller.call(name, args);
    };
    try {
      expect(caller.names).toEqual(TOOL_NAMES);
      expect(await call("ingest-corpus", { path: "materials-world" })).toMatchObject({ passages: 255 });
      const { passages } = await call("retrieve-context", { query: "What is the building block of Timtum?", k: 1 });
      expect((passages as { text: string }[])[0]?.text).toContain("Timtum");
      const made = await call("generate-preference-pair", {});
      expect(made).toMatchObject({ made: 1 });
      expect(await call("train-iteration", { steps: 1 })).toMatchObject({ steps: 1, lossType: "orpo" });
      expect(await call("recursive-reason", { question: "What is the stiffness class of Timtum?", rounds: 1 })).toEqual(
        expect.objectContaining({ best: 1 }),
      );
      const { runs } = (await call("list-runs")) as unknown as { runs: { id: string; kind: string }[] };
      const run = runs.find(({ kind }) => kind === "tools")?.id;
      expect(await call("get-run", { run })).toMatchObject({ id: run, status: "open" });
      const { metrics } = await call("explain-metrics", { run, metric: "logps/chosen" });
      expect((metrics as { name: string }[]).map(({ name }) => name)).toContain("logps/chosen");
      expect(await call("start-run", { dry_run: true, iterations: 1 })).toMatchObject({ status: "dry-run" });
      await expect(call("stop-run", { run })).rejects.toThrow(/call/);
      expect(await call("evaluate", { run, on: ["world"], limit: 2 })).toMatchObject({ dryRun: false });
      expect(await call("export-adapter", { run, dry_run: true })).toMatchObject({ dryRun: true, format: "adapter" });
      expect([...called].toSorted()).toEqual(TOOL_NAMES.toSorted());
    } finally {
      await caller.close();
    }
  });
});
