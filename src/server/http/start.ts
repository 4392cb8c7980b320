/** @file Starts the HTTP server: MCP at /mcp, its state at /health, and the routes of others, behind one guard. */
import { type AuthInfo, type McpServer, oauthMetadataResponse } from "@modelcontextprotocol/server";
import type { ToolContext } from "../../tools/tool-context.js";
import { createServer } from "../create-server.js";
import type { CallRecord } from "../observe-calls.js";
import { isLoopback } from "../openai/guard.js";
import { type Access, checkAccess, checkPageAccess } from "./access.js";
import { REFUSED, refusal } from "./answers.js";
import { HTTP_LIMITS, type HttpLimits } from "./limits.js";
import { createListener, type Exchange } from "./listener.js";
import { createMcpEndpoint } from "./mcp-endpoint.js";
import { checkNames } from "./names.js";
import type { Route } from "./route.js";

export interface HttpServerOptions {
  readonly context: ToolContext;
  /** Default: 127.0.0.1. Another than loopback needs `access`. */
  readonly host?: string;
  /** Default: 0, any that is free. */
  readonly port?: number;
  /** Asked in this order for what is not MCP's. */
  readonly routes?: readonly Route[];
  readonly access?: Access;
  /** Other names of this server, without port. */
  readonly allowedHosts?: readonly string[];
  /** Where clients reach this server, e.g. through a proxy. */
  readonly publicUrl?: URL;
  readonly limits?: Partial<HttpLimits>;
  /** Registers more on every server that is made. */
  readonly extra?: (server: McpServer) => void;
  /** Told of every call of a tool that has ended. */
  readonly onCall?: (record: CallRecord) => void;
  /** Told of refusals and failures. */
  readonly onError?: (error: unknown) => void;
  /** Told of every session that begins or ends, and why. */
  readonly onSession?: (what: "opened" | "closed", why: string) => void;
}

export interface StopOptions {
  /** How long requests under way may go on; default: 3 s. */
  readonly graceMs?: number;
  /** Cancels what still works after that; it gets a moment to say so to its client. */
  readonly cancelWork?: () => Promise<void>;
}

export interface RunningHttpServer {
  /** The origin, such as http://127.0.0.1:8765. */
  readonly url: string;
  /** What is held at the moment. */
  readonly load: { readonly sessions: number; readonly calls: number };
  /** Ends in order: no new requests, a grace for those that run, then sessions and connections; the port is free after it. */
  close(options?: StopOptions): Promise<void>;
}

export const MCP_PATH = "/mcp";
const GRACE_MS = 3000;
/** For the answers of cancelled work to reach their clients. */
const FAREWELL_MS = 500;

/** Throws where the address cannot be had, or is open to others without a token. */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const { context, host = "127.0.0.1", port = 0, access = {}, extra, onCall, onSession } = options;
  if (!isLoopback(host) && access.token === undefined && access.oauth === undefined)
    throw new Error(openToOthers(host));
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const onError = options.onError ?? (() => undefined);
  const endpoint = createMcpEndpoint({
    createServer: () => {
      const server = createServer(context, { transport: "http", ...(onCall !== undefined && { onCall }) });
      extra?.(server);
      return server;
    },
    changes: context.changes,
    limits,
    onError,
    ...(onSession !== undefined && { onSession }),
  });
  const listener = createListener({ handle: guarded({ ...options, host, access }, endpoint), limits, onError });
  const url = await listener.listen(host, port).catch(async (error: unknown) => {
    await endpoint.close();
    throw error;
  });
  return {
    url,
    get load() {
      return endpoint.load;
    },
    async close({ graceMs = GRACE_MS, cancelWork } = {}) {
      await listener.drain(graceMs);
      if (cancelWork !== undefined) await Promise.all([cancelWork(), listener.drain(FAREWELL_MS)]);
      await endpoint.close();
      await listener.close();
    },
  };
}

const openToOthers = (host: string): string =>
  `${host} can be reached from other machines, and anyone there could use this server: set PREFLEXOR_TOKEN or ` +
  "--token-file, or give --oauth-issuer and --public-url; or listen on 127.0.0.1";

type Guarded = Pick<HttpServerOptions, "routes" | "allowedHosts" | "publicUrl"> & {
  readonly host: string;
  readonly access: Access;
};

type Endpoint = ReturnType<typeof createMcpEndpoint>;

function guarded(options: Guarded, endpoint: Endpoint): (exchange: Exchange) => Promise<Response> {
  const { access, routes = [] } = options;
  const names = checkNames(options);
  const mcpAccess = checkAccess(access);
  const pageAccess = checkPageAccess(access);
  return async (exchange) => {
    const { request } = exchange;
    const path = new URL(request.url).pathname;
    const wrongName = names(request);
    if (wrongName !== undefined) return wrongName;
    const metadata = access.oauth && oauthMetadataResponse(request, access.oauth.metadata);
    if (metadata !== undefined) return metadata;
    if (path === MCP_PATH) {
      const auth = await mcpAccess(request);
      return auth instanceof Response ? auth : endpoint.handle(exchange, auth);
    }
    if (request.method !== "GET" && request.method !== "HEAD") return notThere(request, path);
    const auth = await pageAccess(request);
    if (path === "/health") return health(endpoint, auth);
    if (auth instanceof Response) return auth;
    return hardened((await firstOf(routes, request)) ?? notThere(request, path));
  };
}

async function firstOf(routes: readonly Route[], request: Request): Promise<Response | undefined> {
  for (const route of routes) {
    const answer = await route(request);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** Open to all, as those ask who watch over servers; numbers only for who may use it. */
function health({ load }: Endpoint, auth: AuthInfo | Response | undefined): Response {
  return Response.json(
    { status: "ok", ...(!(auth instanceof Response) && load) },
    { headers: { "cache-control": "no-store" } },
  );
}

function notThere(request: Request, path: string): Response {
  const message = `no such route: ${request.method} ${path.slice(0, 200)}; MCP is at ${MCP_PATH}`;
  return refusal(404, REFUSED, message);
}

/** What every page and its data want, unless the route says otherwise: no guessing of types, no use by other sites. */
function hardened(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of HARDENING) if (!headers.has(name)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

const HARDENING = [
  ["x-content-type-options", "nosniff"],
  ["cross-origin-resource-policy", "same-origin"],
  ["referrer-policy", "no-referrer"],
  ["x-frame-options", "DENY"],
] as const;
