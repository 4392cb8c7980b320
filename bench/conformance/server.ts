/** @file The real HTTP server with fixtures beside the product's tools, on a home of its own. */
import { readConfig } from "../../dist/server/config.js";
import { createContext } from "../../dist/server/create-context.js";
import { MCP_PATH, startHttpServer } from "../../dist/server/http/index.js";
import { registerFixtures } from "./fixtures.js";

export interface FixtureServer {
  /** Of the MCP endpoint. */
  readonly url: string;
  close(): Promise<void>;
}

export async function startFixtureServer(home: string): Promise<FixtureServer> {
  const context = createContext(readConfig({ PREFLEXOR_HOME: home }));
  const server = await startHttpServer({ context, extra: (made) => registerFixtures(made, context) });
  return {
    url: `${server.url}${MCP_PATH}`,
    async close() {
      await server.close({ graceMs: 0 });
      await context.close();
    },
  };
}
