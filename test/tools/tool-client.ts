/** @file A real client of the tools in this process: structured results, and refusals as text. */
import { Client } from "@modelcontextprotocol/client";
import { type CallToolResult, InMemoryTransport } from "@modelcontextprotocol/server";
import { createServer } from "../../src/server/create-server.js";
import type { ToolContext } from "../../src/tools/tool-context.js";

export type Structured = Record<string, unknown>;

export interface ToolClient {
  readonly client: Client;
  /** Throws what the tool says where it fails. */
  call<T = Structured>(name: string, args?: Structured): Promise<T>;
  /** What a tool says that must fail. */
  refusal(name: string, args?: Structured): Promise<string>;
}

export async function toolClient(context: ToolContext): Promise<ToolClient> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await createServer(context).connect(theirs);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(ours);
  const result = async (name: string, args: Structured = {}) =>
    (await client.callTool({ name, arguments: args })) as CallToolResult;
  return {
    client,
    async call<T>(name: string, args?: Structured) {
      const found = await result(name, args);
      if (found.isError === true) throw new Error(`${name}: ${textOf(found)}`);
      return found.structuredContent as T;
    },
    async refusal(name, args) {
      const found = await result(name, args);
      if (found.isError !== true) throw new Error(`expected ${name} to fail, found ${textOf(found)}`);
      return textOf(found);
    },
  };
}

const textOf = ({ content }: CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");
