/** @file Fixture resources: text, bytes, a template, and one that may be watched. */
import { type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import type { ToolContext } from "../../dist/tools/index.js";
import { registerSubscriptions } from "../../dist/tools/resources/subscriptions.js";
import { PNG } from "./fixtures-content.js";

export function registerResourceFixtures(server: McpServer, context: ToolContext): void {
  registerSubscriptions(server, context, /^test:/);
  for (const [name, words] of [
    ["static-text", "This is the content of the static text resource."],
    ["watched-resource", "Watched resource content"],
  ] as const) {
    const mimeType = "text/plain";
    server.registerResource(name, `test://${name}`, { description: "Conformance: text", mimeType }, async (uri) => ({
      contents: [{ uri: uri.href, mimeType, text: words }],
    }));
  }
  server.registerResource(
    "static-binary",
    "test://static-binary",
    { description: "Conformance: bytes", mimeType: "image/png" },
    async (uri) => ({ contents: [{ uri: uri.href, mimeType: "image/png", blob: PNG }] }),
  );
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Conformance: a template", mimeType: "application/json" },
    async (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
}
