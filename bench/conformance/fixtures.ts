/** @file What the conformance suite asks a server for, registered beside the product's own tools on the product's own server core. */
import type { McpServer } from "@modelcontextprotocol/server";
import type { ToolContext } from "../../dist/tools/index.js";
import { registerContentFixtures } from "./fixtures-content.js";
import { registerInputFixtures } from "./fixtures-input.js";
import { registerPromptFixtures } from "./fixtures-prompts.js";
import { registerResourceFixtures } from "./fixtures-resources.js";
import { registerTaskFixtures } from "./fixtures-tasks.js";

export function registerFixtures(server: McpServer, context: ToolContext): void {
  registerContentFixtures(server);
  registerInputFixtures(server);
  registerResourceFixtures(server, context);
  registerPromptFixtures(server);
  registerTaskFixtures(server, context);
}
