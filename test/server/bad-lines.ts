/** @file What hostile clients send, raw: bytes in, messages out, over stdio's lines or HTTP's requests, in this process. */
import { PassThrough } from "node:stream";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { createServer } from "../../src/server/create-server.js";
import { MCP_PATH, startHttpServer } from "../../src/server/http/index.js";
import type { ToolContext } from "../../src/tools/tool-context.js";

export interface Message {
  readonly id?: string | number | null;
  readonly result?: { readonly isError?: boolean; readonly content?: readonly { readonly text?: string }[] };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface RawServer {
  /** Sends bytes, and waits for the answer to the id, or for any where it is null; undefined where none came in time. */
  send(bytes: string, id: string | number | null): Promise<Message | undefined>;
  close(): Promise<void>;
}

/** How long is waited for an answer that must come, and for one that need not. */
const ANSWER_MS = 10_000;
const SILENCE_MS = 100;

export async function rawStdio(context: ToolContext): Promise<RawServer> {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const handle = serveStdio(() => createServer(context), { transport: new StdioServerTransport(stdin, stdout) });
  const answers: Message[] = [];
  let text = "";
  stdout.on("data", (chunk) => {
    text += String(chunk);
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    answers.push(...lines.map((line) => JSON.parse(line) as Message));
  });
  return {
    async send(bytes, id) {
      const known = answers.length;
      stdin.write(`${bytes}\n`);
      const until = performance.now() + (id === null ? SILENCE_MS : ANSWER_MS);
      for (;;) {
        const answer = answers.slice(known).find((message) => id === null || message.id === id);
        if (answer !== undefined || performance.now() > until) return answer;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    close: () => handle.close(),
  };
}

export async function rawHttp(context: ToolContext): Promise<RawServer> {
  const server = await startHttpServer({ context });
  return {
    async send(bytes, id) {
      const era = bytes.includes("io.modelcontextprotocol/protocolVersion");
      const { method, params } = envelopeOf(bytes);
      const response = await fetch(server.url + MCP_PATH, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...(era && { "mcp-protocol-version": "2026-07-28", "mcp-method": method }),
          ...(era && params?.name !== undefined && { "mcp-name": params.name }),
        },
        body: bytes,
      });
      const messages = messagesIn(await response.text());
      return messages.find((message) => id === null || message.id === id) ?? messages[0];
    },
    close: () => server.close({ graceMs: 0 }),
  };
}

function envelopeOf(bytes: string): { readonly method: string; readonly params?: { readonly name?: string } } {
  try {
    const parsed = JSON.parse(bytes) as { readonly method?: string; readonly params?: { readonly name?: string } };
    return { method: "", ...parsed };
  } catch {
    return { method: "" };
  }
}

function messagesIn(text: string): readonly Message[] {
  const lines = text.startsWith("{") || text.startsWith("[") ? [text] : text.split("\n").flatMap(dataOf);
  return lines.filter((line) => line !== "").flatMap((line) => JSON.parse(line) as Message | Message[]);
}

const dataOf = (line: string): string[] => (line.startsWith("data: ") ? [line.slice("data: ".length)] : []);
