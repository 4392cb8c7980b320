/** @file What the conformance suite asks a server for, registered beside the product's own tools on the product's own server core. */
import type { McpServer } from "@modelcontextprotocol/server";
import { registerContentFixtures } from "./fixtures-content.js";
import { registerInputFixtures } from "./fixtures-input.js";
import { registerPromptFixtures } from "./fixtures-prompts.js";
import { registerResourceFixtures } from "./fixtures-resources.js";

export function registerFixtures(server: McpServer): void {
  registerContentFixtures(server);
  registerInputFixtures(server);
  registerResourceFixtures(server);
  registerPromptFixtures(server);
}
