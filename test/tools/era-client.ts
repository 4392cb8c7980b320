/** @file A real client of a server in this process, in either protocol era; the user in front of it answers by script. */
import { Client } from "@modelcontextprotocol/client";
import { type CallToolResult, InMemoryTransport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createServer } from "../../src/server/create-server.js";
import type { ToolContext } from "../../src/tools/tool-context.js";

export type Era = "2025-11-25" | "2026-07-28";
export const ERAS: readonly Era[] = ["2025-11-25", "2026-07-28"];

/** What the user answers, such as { action: "accept", content: { confirm: true } }. */
export type Answer = { readonly action: "accept" | "decline" | "cancel"; readonly content?: Record<string, boolean> };

export const YES: Answer = { action: "accept", content: { confirm: true } };

export interface EraClient {
  readonly client: Client;
  /** The questions that the user saw. */
  readonly asked: string[];
  call(name: string, args: Record<string, unknown>): Promise<CallToolResult>;
}

interface Offers {
  readonly answer?: () => Answer | Promise<Answer>;
  readonly capabilities?: Record<string, unknown>;
}

/** Without `answer` the client offers no elicitation. */
export async function eraClient(
  context: ToolContext,
  era: Era,
  { answer, capabilities }: Offers = {},
): Promise<EraClient> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  serveStdio(() => createServer(context), { transport: theirs });
  const mode = era === "2025-11-25" ? "legacy" : "auto";
  const client = new Client(
    { name: "desk", version: "1.0" },
    { capabilities: { ...(answer && { elicitation: {} }), ...capabilities }, versionNegotiation: { mode } },
  );
  const asked: string[] = [];
  if (answer !== undefined) {
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      asked.push(params.message);
      return answer();
    });
  }
  await client.connect(ours);
  if (client.getNegotiatedProtocolVersion() !== era) throw new Error(`expected ${era}`);
  return {
    client,
    asked,
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallToolResult,
  };
}

export const textOf = ({ content }: CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");
