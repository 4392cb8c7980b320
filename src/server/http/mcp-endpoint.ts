/** @file The MCP endpoint: one registry of tools for both protocol eras, with and without sessions. */
import {
  type AuthInfo,
  createMcpHandler,
  isLegacyRequest,
  legacyStatelessFallback,
  type McpServer,
} from "@modelcontextprotocol/server";
import { type Changes, RUNS_URI } from "../../tools/index.js";
import { bodyRefusal, INVALID_REQUEST, idOf, REFUSED, refusal } from "./answers.js";
import type { HttpLimits } from "./limits.js";
import type { Exchange } from "./listener.js";
import { isSessionRequest, requestsIn, Sessions, type SessionsOptions } from "./sessions.js";

export interface McpEndpointOptions {
  /** A server with everything registered; each session and each request without one gets its own. */
  readonly createServer: () => McpServer;
  readonly changes: Changes;
  readonly limits: HttpLimits;
  /** Told of refused requests and of failures. */
  readonly onError: (error: unknown) => void;
  readonly onSession?: SessionsOptions["onChange"];
}

export interface McpEndpoint {
  handle(exchange: Exchange, auth: AuthInfo | undefined): Promise<Response>;
  /** What is held at the moment. */
  readonly load: { readonly sessions: number; readonly calls: number };
  close(): Promise<void>;
}

export function createMcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const { createServer, changes, limits, onError } = options;
  const modern = createMcpHandler(createServer, {
    legacy: "reject",
    keepAliveMs: limits.keepAliveMs,
    maxSubscriptions: limits.maxSubscriptions,
    onerror: onError,
  });
  const stateless = legacyStatelessFallback(createServer, onError);
  const sessions = new Sessions({
    createServer,
    limits,
    onError,
    ...(options.onSession !== undefined && { onChange: options.onSession }),
  });
  const unsubscribe = changes.subscribe((uri) => {
    modern.notify.resourceUpdated(uri);
    if (uri === RUNS_URI) modern.notify.resourcesChanged();
  });
  let calls = 0;

  const dispatch = async (
    { request, onEnd }: Exchange,
    body: unknown,
    auth: AuthInfo | undefined,
  ): Promise<Response> => {
    const passed = { ...(auth !== undefined && { authInfo: auth }), ...(body !== undefined && { parsedBody: body }) };
    if (!(await isLegacyRequest(request, body))) return modern.fetch(request, passed);
    const malformed = request.method === "POST" ? malformation(body) : undefined;
    if (malformed !== undefined) return refusal(400, INVALID_REQUEST, malformed, { id: idOf(body) });
    if (isSessionRequest(request, body)) return sessions.serve({ request, body, auth, onEnd });
    return stateless(request, passed);
  };

  const serve = async (exchange: Exchange, auth: AuthInfo | undefined): Promise<Response> => {
    const { method } = exchange.request;
    if (!METHODS.includes(method)) return refusal(405, REFUSED, `${method} is not for MCP`, ALLOW);
    if (method !== "POST") return dispatch(exchange, undefined, auth);
    const body = await exchange.json();
    const count = requestsIn(body);
    // Answers to the server's own questions and cancellations always come through: they end work.
    if (count > 0 && calls + count > limits.maxCalls) {
      const message = `the server has ${calls} of ${limits.maxCalls} requests under way; try again`;
      return refusal(503, REFUSED, message, { id: idOf(body), headers: { "retry-after": "1" } });
    }
    if (count > 0 && !isListen(body)) exchange.holdsStop();
    calls += count;
    exchange.onEnd(() => {
      calls -= count;
    });
    return dispatch(exchange, body, auth);
  };

  return {
    handle: (exchange, auth) => serve(exchange, auth).catch(bodyRefusal),
    get load() {
      return { sessions: sessions.count, calls };
    },
    async close() {
      unsubscribe();
      await Promise.all([modern.close(), sessions.closeAll()]);
    },
  };
}

const METHODS = ["POST", "GET", "DELETE"];
const ALLOW = { headers: { allow: METHODS.join(", ") } };

/** A stream that lasts as long as the client: no stop waits for it. */
const isListen = (body: unknown): boolean =>
  (body as { readonly method?: unknown } | null)?.method === "subscriptions/listen";

/** What keeps JSON from being a JSON-RPC message, or a batch of them; what is in it the SDK checks. */
function malformation(body: unknown): string | undefined {
  if (Array.isArray(body) && body.length === 0) return "the batch is empty: expected JSON-RPC messages";
  const bad = (Array.isArray(body) ? body : [body]).find((message) => !looksLikeMessage(message));
  if (bad === undefined) return undefined;
  return `expected a JSON-RPC 2.0 message with jsonrpc, method and an id, found ${JSON.stringify(bad).slice(0, 100)}`;
}

function looksLikeMessage(message: unknown): boolean {
  if (typeof message !== "object" || message === null) return false;
  const { jsonrpc, method, id } = message as Record<string, unknown>;
  return jsonrpc === "2.0" && (typeof method === "string" || id !== undefined);
}
