/** @file The door for LangChain: chat model, embeddings, retriever, the orchestrator, and the MCP tools as tools that call through the protocol. */

import { fileURLToPath } from "node:url";
import { type DynamicStructuredTool, tool } from "@langchain/core/tools";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { CallToolResult, Tool } from "@modelcontextprotocol/sdk/types.js";

export {
  type PassageMetadata,
  PassageRetriever,
  type PassageRetrieverFields,
} from "../agents/corpus/passage-retriever.js";
export {
  EngineChatModel,
  type EngineChatModelFields,
  type OpenEngineChatModelOptions,
} from "../agents/models/engine-chat-model.js";
export {
  EngineEmbeddings,
  type EngineEmbeddingsFields,
  type OpenEngineEmbeddingsOptions,
} from "../agents/models/engine-embeddings.js";
export type { EngineCallOptions, EngineSettings } from "../agents/models/engine-settings.js";
export {
  createPlanner,
  type OrchestrateOptions,
  type OrchestratorEvent,
  type OrchestratorLimits,
  type OrchestratorReport,
  type OrchestratorTaskInput,
  orchestrate,
  PLANNER_NAME,
} from "../agents/orchestrator/index.js";

/** A server that is not connected yet, of either SDK generation, such as `createServer(context)` makes. */
export interface ConnectableServer {
  connect(transport: never): Promise<void>;
}

export interface LangChainToolsOptions {
  /** A server in this process; without it the package's own server is started as a child process. */
  readonly server?: ConnectableServer;
  /** Or any transport to a running server. */
  readonly transport?: Transport;
  /** Of the child process: its environment, beside a few safe variables; PREFLEXOR_HOME goes here. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long a call may take; training takes minutes. */
  readonly timeoutMs?: number;
  readonly onProgress?: (
    toolName: string,
    done: number,
    total: number | undefined,
    message: string | undefined,
  ) => void;
}

export interface LangChainTools {
  readonly tools: readonly DynamicStructuredTool[];
  /** Ends the connection and, where this started one, the server. */
  close(): Promise<void>;
}

const HALF_AN_HOUR_MS = 30 * 60 * 1000;

export async function langChainTools(options: LangChainToolsOptions = {}): Promise<LangChainTools> {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const client = new Client({ name: "preflexor-langchain", version: "1.0.0" });
  await client.connect(await clientTransport(options));
  try {
    const { tools } = await client.listTools();
    return { tools: tools.map((listed) => langChainTool(client, listed, options)), close: () => client.close() };
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function clientTransport({ server, transport, env }: LangChainToolsOptions): Promise<Transport> {
  if (transport !== undefined) return transport;
  if (server !== undefined) {
    const { InMemoryTransport } = await import("@modelcontextprotocol/sdk/inMemory.js");
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    // Both SDK generations speak the same messages over the same interface; only their type declarations differ.
    await server.connect(theirs as never);
    return ours;
  }
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const command = fileURLToPath(new URL("../server/main.js", import.meta.url));
  return new StdioClientTransport({
    command: process.execPath,
    args: [command, "serve"],
    ...(env && { env: { ...env } }),
  });
}

/** The model reads the result's text; the caller finds the structured content as the message's artifact. */
function langChainTool(client: Client, listed: Tool, options: LangChainToolsOptions): DynamicStructuredTool {
  const { timeoutMs = HALF_AN_HOUR_MS, onProgress } = options;
  const call = async (args: unknown, config?: { readonly signal?: AbortSignal }) => {
    const result = (await client.callTool(
      { name: listed.name, arguments: args as Record<string, unknown> },
      undefined,
      {
        timeout: timeoutMs,
        ...(config?.signal && { signal: config.signal }),
        ...(onProgress && { onprogress: (p) => onProgress(listed.name, p.progress, p.total, p.message) }),
      },
    )) as CallToolResult;
    const text = result.content.map((block) => (block.type === "text" ? block.text : `[${block.type}]`)).join("\n");
    if (result.isError === true) throw new Error(text);
    return [text, result.structuredContent];
  };
  return tool(call, {
    name: listed.name,
    description: listed.description ?? listed.title ?? listed.name,
    schema: listed.inputSchema,
    responseFormat: "content_and_artifact",
  }) as unknown as DynamicStructuredTool;
}
