/** @file The real HTTP server with fixtures beside the product's tools, on a home of its own. */
import { randomUUID } from "node:crypto";
import { createServer as createHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { readConfig } from "../../dist/server/config.js";
import { createContext } from "../../dist/server/create-context.js";
import { createServer } from "../../dist/server/create-server.js";
import { registerFixtures } from "./fixtures.js";

export interface FixtureServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function startFixtureServer(home: string): Promise<FixtureServer> {
  const context = createContext(readConfig({ PREFLEXOR_HOME: home }));
  const make = () => {
    const server = createServer(context);
    registerFixtures(server);
    return server;
  };
  const modern = createMcpHandler(make, { legacy: "reject" });
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const fetch = async (request: Request): Promise<Response> => {
    const bad =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins());
    if (bad) return bad;
    if (!(await isLegacyRequest(request))) return modern.fetch(request);
    const known = sessions.get(request.headers.get("mcp-session-id") ?? "");
    if (known) return known.handleRequest(request);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await make().connect(transport);
    return transport.handleRequest(request);
  };
  const http = createHttp(toNodeHandler({ fetch }));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    close: async () => {
      http.closeAllConnections();
      http.close();
      await context.close();
    },
  };
}
