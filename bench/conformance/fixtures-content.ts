/** @file Fixture tools that answer at once: every kind of content, an error, progress, logging. */
import { setTimeout as sleep } from "node:timers/promises";
import { type CallToolResult, fromJsonSchema, type McpServer, type ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";

/** One red pixel. */
export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/** Two samples of silence. */
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==";
/** Between two notifications of one call; the suite's own number. */
const PAUSE_MS = 50;

type Content = CallToolResult["content"];

const CONTENT: Readonly<Record<string, Content>> = {
  test_simple_text: [text("This is a simple text response for testing.")],
  test_image_content: [{ type: "image", data: PNG, mimeType: "image/png" }],
  test_audio_content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }],
  test_embedded_resource: [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
  test_multiple_content_types: [
    text("Multiple content types test:"),
    { type: "image", data: PNG, mimeType: "image/png" },
    resource("test://mixed-content-resource", "application/json", JSON.stringify({ test: "data", value: 123 })),
  ],
};

export function registerContentFixtures(server: McpServer): void {
  server.server.registerCapabilities({ logging: {} });
  for (const [name, content] of Object.entries(CONTENT)) {
    server.registerTool(name, { description: "Conformance: one kind of content" }, async () => ({ content }));
  }
  server.registerTool("test_error_handling", { description: "Conformance: always fails" }, async () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool("test_tool_with_progress", { description: "Conformance: reports progress" }, withProgress);
  server.registerTool("test_tool_with_logging", { description: "Conformance: logs while it works" }, withLogging);
  server.registerTool("test_logging_tool", { description: "Conformance: logs while it works" }, withLogging);
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Tool with JSON Schema 2020-12 features", inputSchema: fromJsonSchema(CONTACT_SCHEMA) },
    async (contact) => ({ content: [text(JSON.stringify(contact))] }),
  );
  server.registerTool(
    "test_custom_header",
    {
      description: "Conformance: an argument that a header repeats",
      inputSchema: z.object({ region: z.string().meta({ "x-mcp-header": "Region" }) }),
    },
    async ({ region }) => ({ content: [text(region)] }),
  );
}

async function withProgress({ mcpReq }: ServerContext): Promise<CallToolResult> {
  const progressToken = mcpReq._meta?.progressToken;
  for (const progress of [0, 50, 100]) {
    if (progress > 0) await sleep(PAUSE_MS);
    if (progressToken === undefined) continue;
    await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
  }
  return { content: [text("All three steps are done.")] };
}

async function withLogging({ mcpReq }: ServerContext): Promise<CallToolResult> {
  await mcpReq.log("info", "Tool execution started");
  await sleep(PAUSE_MS);
  await mcpReq.log("info", "Tool processing data");
  await sleep(PAUSE_MS);
  await mcpReq.log("info", "Tool execution completed");
  return { content: [text("Three messages were logged.")] };
}

const CONTACT_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
} as const;

export function text(words: string): { readonly type: "text"; readonly text: string } {
  return { type: "text", text: words };
}

function resource(uri: string, mimeType: string, words: string): Content[number] {
  return { type: "resource", resource: { uri, mimeType, text: words } };
}
