/** @file An HTTP server in this process over a small context, with tools that wait, report, ask and count; closed after each test. */
import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { McpServer } from "@modelcontextprotocol/server";
import { afterEach } from "vitest";
import { z } from "zod";
import { type HttpServerOptions, type RunningHttpServer, startHttpServer } from "../../../src/server/http/index.js";
import { type SmallContext, smallContext } from "../../tools/small-context.js";

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Called after the test; what was added last comes first. */
export const afterwards = (close: () => unknown): void => void closing.push(close);

export interface Running extends RunningHttpServer {
  readonly mcp: URL;
  readonly context: SmallContext;
  readonly errors: unknown[];
  /** Tools that began to wait, and how they ended. */
  readonly waits: Waits;
}

interface Waits {
  begun: number;
  readonly ended: string[];
  /** Lets those end that wait now. */
  release(): void;
}

export async function running(options: Partial<HttpServerOptions> = {}): Promise<Running> {
  const context = await smallContext();
  const errors: unknown[] = [];
  const { waits, register } = testTools(context.signal);
  const server = await startHttpServer({
    context,
    extra: register,
    onError: (error) => errors.push(error),
    ...options,
  });
  afterwards(() => server.close({ graceMs: 0 }));
  return Object.assign(Object.create(server) as RunningHttpServer, {
    mcp: new URL("/mcp", server.url),
    context,
    errors,
    waits,
  });
}

export function testTools(stop: AbortSignal): { waits: Waits; register: (server: McpServer) => void } {
  let release = (): void => undefined;
  let released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const waits: Waits = {
    begun: 0,
    ended: [],
    release: () => {
      release();
      released = new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  };
  const register = (server: McpServer): void => {
    server.registerTool(
      "test-wait",
      { description: "waits until it is let go", inputSchema: z.object({}) },
      async (_, request) => {
        waits.begun += 1;
        const cancelled = new Promise<string>((resolve) => {
          const { signal } = request.mcpReq;
          signal.addEventListener("abort", () => resolve("cancelled"));
          stop.addEventListener("abort", () => resolve("stopped"));
          if (stop.aborted) resolve("stopped");
        });
        const end = await Promise.race([cancelled, released.then(() => "released")]);
        waits.ended.push(end);
        return { content: [{ type: "text", text: end }], isError: end !== "released" };
      },
    );
    server.registerTool(
      "test-progress",
      { description: "reports three steps", inputSchema: z.object({}) },
      async (_, request) => {
        const progressToken = request.mcpReq._meta?.progressToken;
        for (const progress of [1, 2, 3]) {
          if (progressToken === undefined) break;
          await request.mcpReq.notify({
            method: "notifications/progress",
            params: { progressToken, progress, total: 3 },
          });
        }
        return { content: [{ type: "text", text: "done" }] };
      },
    );
    server.registerTool(
      "test-ask",
      { description: "asks the client's model and the user", inputSchema: z.object({}) },
      async (_, request) => {
        const message = { role: "user", content: { type: "text", text: "What is nacre?" } } as const;
        const reply = await request.mcpReq.requestSampling({ messages: [message], maxTokens: 10 });
        const answer = await request.mcpReq.elicitInput({
          message: "Go on?",
          requestedSchema: { type: "object", properties: { sure: { type: "boolean" } }, required: ["sure"] },
        });
        return { content: [{ type: "text", text: JSON.stringify([reply.content, answer.content]) }] };
      },
    );
  };
  return { waits, register };
}

/** A connected client of the second SDK generation. */
export async function connected(
  { mcp }: Pick<Running, "mcp">,
  mode: "legacy" | "auto" = "legacy",
  options: ClientOptions = {},
  headers: Record<string, string> = {},
): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode }, ...options });
  const transport = new StreamableHTTPClientTransport(mcp, { requestInit: { headers } });
  await client.connect(transport);
  afterwards(() => client.close());
  return { client, transport };
}

export const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

export const INITIALIZE = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
};

/** A POST as a client without any library sends it. */
export function post(
  url: URL,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url, { method: "POST", headers: { ...HEADERS, ...headers }, body: text, ...(signal && { signal }) });
}

/** A 2025 session by hand; its headers. */
export async function session(url: URL, headers: Record<string, string> = {}): Promise<Record<string, string>> {
  const response = await post(url, INITIALIZE, headers);
  await response.text();
  const id = response.headers.get("mcp-session-id");
  if (id === null) throw new Error(`no session: ${response.status}`);
  const own = { ...headers, "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" };
  await (await post(url, { jsonrpc: "2.0", method: "notifications/initialized" }, own)).text();
  return own;
}

export const toolCall = (id: number, name: string, args: object = {}, meta?: object) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args, ...(meta && { _meta: meta }) },
});

/** Waits for what is only seen from outside. */
export async function until(holds: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
