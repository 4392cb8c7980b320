/** @file The real binary as LangChain's own MCP adapters see it, and as this package's LangChain tools do. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ToolMessage } from "@langchain/core/messages";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { beforeAll, describe, expect, it } from "vitest";
import { langChainTools } from "../../src/tools/langchain.js";
import { NACRE, WOOD } from "../agents/scripted-student.js";
import { TOOL_NAMES } from "./tool-names.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const QUERY = { query: "How much aragonite does nacre contain?", k: 2 };

let home: string;
let articles: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-adapters-"));
  articles = await mkdtemp(join(tmpdir(), "preflexor-articles-"));
  await writeFile(join(articles, "nacre.md"), NACRE);
  await writeFile(join(articles, "wood.md"), WOOD);
});

/** Called as an agent calls it: the answer is a message with the tool's text and its artifact. */
async function invoke(tools: readonly StructuredToolInterface[], name: string, args: object): Promise<ToolMessage> {
  const tool = tools.find((candidate) => candidate.name === name);
  return (await tool?.invoke({ type: "tool_call", id: "1", name, args })) as ToolMessage;
}

/** What the protocol itself says. */
async function overProtocol(name: string, args: Record<string, unknown>): Promise<unknown> {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [MAIN], env: { PREFLEXOR_HOME: home } }),
  );
  try {
    return (await client.callTool({ name, arguments: args })).structuredContent;
  } finally {
    await client.close();
  }
}

describe("through MultiServerMCPClient", () => {
  it("ingests a folder and retrieves from it, with structured content", async () => {
    const client = new MultiServerMCPClient({
      mcpServers: {
        preflexor: { transport: "stdio", command: process.execPath, args: [MAIN], env: { PREFLEXOR_HOME: home } },
      },
    });
    try {
      const tools = await client.getTools();
      expect(tools.map(({ name }) => name)).toEqual(TOOL_NAMES);
      const ingested = await invoke(tools, "ingest-corpus", { path: articles });
      expect(structured(ingested)).toMatchObject({ passages: 2, documents: 2 });
      const found = structured(await invoke(tools, "retrieve-context", QUERY));
      expect(found).toMatchObject({
        passages: [{ source: "nacre.md", score: expect.any(Number) }, { source: "wood.md" }],
      });
      await expect(invoke(tools, "train-iteration", {})).rejects.toThrow(/call generate-preference-pair first/);
    } finally {
      await client.close();
    }
  });
});

/** The adapters hand structured content over as an artifact of its own kind. */
function structured(message: ToolMessage): unknown {
  const artifacts = (message.artifact ?? []) as readonly { readonly type?: string; readonly data?: unknown }[];
  return artifacts.find(({ type }) => type === "mcp_structured_content")?.data;
}

describe("through the package's LangChain tools", () => {
  it("says exactly what the MCP call says", async () => {
    const { tools, close } = await langChainTools({ env: { PREFLEXOR_HOME: home } });
    try {
      for (const [name, args] of [
        ["ingest-corpus", { path: articles }],
        ["retrieve-context", QUERY],
      ] as const) {
        const message = await invoke(tools, name, args);
        expect(message.artifact).toEqual(await overProtocol(name, args));
        expect(JSON.parse(String(message.content))).toEqual(message.artifact);
      }
    } finally {
      await close();
    }
  });
});
