/** @file Desks over real connections: the server in this process by HTTP or by the bytes of stdio, or the real program; either era. */
import { PassThrough } from "node:stream";
import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import {
  type CallToolResult,
  type JSONRPCMessage,
  ReadBuffer,
  serializeMessage,
  type Transport,
} from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { createServer } from "../../../src/server/create-server.js";
import { MCP_PATH, startHttpServer } from "../../../src/server/http/index.js";
import type { ToolContext } from "../../../src/tools/tool-context.js";
import type { Answer, Args, Desk } from "./assistant.js";
import type { ToolListing } from "./assistant-reading.js";

export type Era = "2025-11-25" | "2026-07-28";

/** What the person and the model at this desk do, where the client offers them. */
export interface People {
  /** Answers a form. */
  readonly user?: (message: string) => "accept" | "decline" | "cancel";
  /** Answers as the client's model. */
  readonly model?: (system: string, prompt: string) => string;
}

export interface OpenDesk extends Desk {
  readonly client: Client;
  /** What the user was asked, and the prompts that the model got. */
  readonly asked: readonly string[];
  readonly prompts: readonly string[];
  close(): Promise<void>;
}

/** The server over HTTP, in this process. */
export async function httpDesk(context: ToolContext, era: Era, people: People = {}): Promise<OpenDesk> {
  const server = await startHttpServer({ context });
  const transport = new StreamableHTTPClientTransport(new URL(server.url + MCP_PATH));
  return openDesk(transport, era, people, () => server.close({ graceMs: 0 }));
}

/** The server over the bytes of stdin and stdout, in this process. */
export async function stdioDesk(context: ToolContext, era: Era, people: People = {}): Promise<OpenDesk> {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const handle = serveStdio(() => createServer(context), { transport: new StdioServerTransport(stdin, stdout) });
  return openDesk(new StreamTransport(stdout, stdin), era, people, () => handle.close());
}

/** The real program over stdio. */
export async function programDesk(
  program: { readonly command: string; readonly args: string[]; readonly env: Record<string, string> },
  era: Era,
  people: People = {},
): Promise<OpenDesk> {
  return openDesk(new StdioClientTransport({ ...program, stderr: "ignore", cwd: "/" }), era, people);
}

async function openDesk(
  transport: Transport,
  era: Era,
  people: People,
  stop = async () => undefined as unknown,
): Promise<OpenDesk> {
  const capabilities: NonNullable<ClientOptions["capabilities"]> = {
    ...(people.user && { elicitation: {} }),
    ...(people.model && { sampling: {} }),
  };
  const mode = era === "2025-11-25" ? "legacy" : "auto";
  const client = new Client({ name: "desk", version: "1" }, { capabilities, versionNegotiation: { mode } });
  const record = { asked: [] as string[], prompts: [] as string[] };
  answerFor(client, people, record);
  await client.connect(transport);
  const found = client.getNegotiatedProtocolVersion();
  if (found !== era) throw new Error(`expected ${era}, found ${found}`);
  const { tools } = await client.listTools();
  return {
    ...record,
    client,
    tools: tools as readonly ToolListing[],
    call: (name, args) => callOf(client, name, args),
    async close() {
      await client.close();
      await stop();
    },
  };
}

function answerFor(client: Client, { user, model }: People, record: { asked: string[]; prompts: string[] }): void {
  if (user !== undefined) {
    client.setRequestHandler("elicitation/create", async ({ params: { message } }) => {
      record.asked.push(message);
      const action = user(message);
      return action === "accept" ? { action, content: { confirm: true } } : { action };
    });
  }
  if (model !== undefined) {
    client.setRequestHandler("sampling/createMessage", async ({ params }) => {
      const prompt = JSON.stringify(params.messages);
      record.prompts.push(prompt);
      return {
        model: "scripted",
        role: "assistant",
        content: { type: "text", text: model(params.systemPrompt ?? "", prompt) },
      };
    });
  }
}

/** A result, or a protocol error, as a model sees both. */
async function callOf(client: Client, name: string, args: Args): Promise<Answer> {
  try {
    return answerOf((await client.callTool({ name, arguments: args })) as CallToolResult);
  } catch (error) {
    return { isError: true, text: (error as Error).message };
  }
}

export function answerOf({ content, isError = false, structuredContent }: CallToolResult): Answer {
  const text = content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
  return { isError, text, ...(structuredContent !== undefined && { structured: structuredContent as Args }) };
}

/** The client's side of two streams of lines. */
class StreamTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #buffer = new ReadBuffer();

  constructor(
    private readonly from: PassThrough,
    private readonly to: PassThrough,
  ) {}

  async start(): Promise<void> {
    this.from.on("data", (chunk: Buffer) => {
      this.#buffer.append(chunk);
      for (let message = this.#buffer.readMessage(); message !== null; message = this.#buffer.readMessage()) {
        this.onmessage?.(message);
      }
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    this.to.write(serializeMessage(message));
  }

  async close(): Promise<void> {
    this.to.end();
    this.onclose?.();
  }
}
