/** @file The door of the resources: registers them, completes their addresses, and tells who subscribed of changes. */
import type { McpServer } from "@modelcontextprotocol/server";
import type { ToolContext } from "../tool-context.js";
import { APP_URI } from "../views/index.js";
import { registerPassageResource } from "./passage-resource.js";
import { APP_TYPE, readOne } from "./read-resource.js";
import { registerRunResources } from "./run-resources.js";
import { registerSubscriptions } from "./subscriptions.js";

export { announceChanges } from "./subscriptions.js";

/** The server must have been made with the capability `resources: {subscribe: true, listChanged: true}`. */
export function registerResources(server: McpServer, context: ToolContext): void {
  registerRunResources(server, context);
  registerPassageResource(server, context);
  const { appPage } = context;
  if (appPage !== undefined) {
    const metadata = {
      title: "A run, drawn live",
      description: "The page that a client which renders MCP Apps shows beside get-run and start-run.",
      mimeType: APP_TYPE,
      annotations: { audience: ["user" as const], priority: 0.3 },
    };
    server.registerResource("run-app", APP_URI, metadata, (uri) => readOne(uri, APP_TYPE, appPage));
  }
  registerSubscriptions(server, context);
}
