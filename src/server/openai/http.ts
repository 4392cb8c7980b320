/** @file The HTTP side: routes, limits, refusals and an orderly end; what an answer says is the handlers' business. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { listen } from "../listen.js";
import { ApiError, asApiError } from "./errors.js";
import { checkHost, checkKey } from "./guard.js";
import { readJsonBody } from "./read-body.js";
import { EventStream } from "./sse.js";

export interface Call {
  /** The JSON of a POST. */
  readonly body: unknown;
  /** What stands behind the route's `*`, decoded. */
  readonly rest: string;
  /** Aborted when the client goes away or the server is closed. */
  readonly signal: AbortSignal;
  /** For a handler that answers in events; one that does not returns its JSON. */
  readonly events: EventStream;
}

/** Returns the JSON of the answer, or undefined where it has sent events. */
export type Handler = (call: Call) => Promise<object | undefined>;

export interface Route {
  readonly method: "GET" | "POST";
  /** A path; a last `*` stands for the rest. */
  readonly path: string;
  /** Answers without the key. */
  readonly open?: boolean;
  readonly handle: Handler;
}

export interface HttpOptions {
  readonly routes: readonly Route[];
  readonly host: string;
  readonly apiKey?: string;
  readonly maxBodyBytes?: number;
  /** Time for the headers of a request; its body has three times as long. */
  readonly headersTimeoutMs?: number;
  /** Told of failures that are the server's. */
  readonly onError: (error: unknown) => void;
}

export interface HttpServer {
  /** Resolves to the origin, such as http://127.0.0.1:8080. */
  listen(port: number): Promise<string>;
  /** No new requests; those that run have `graceMs` to end, then they are cancelled. */
  close(graceMs: number): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;

/** Longer than the pause between two requests of a client that keeps its connections. */
const KEEP_ALIVE_MS = 65_000;

/** How long a client may go on sending a body that was refused, so that it gets to read why. */
const LINGER_MS = 2000;

export function createHttpServer(options: HttpOptions): HttpServer {
  const { host, headersTimeoutMs = HEADERS_TIMEOUT_MS } = options;
  const running = new Map<Promise<void>, AbortController>();
  let closing = false;
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: 3 * headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      const controller = new AbortController();
      response.on("close", () => controller.abort(new Error("the client has gone")));
      const work = serve(request, response, options, controller.signal, closing);
      running.set(work, controller);
      void work.finally(() => running.delete(work));
    },
  );
  return {
    listen: (port) => listen(server, host, port),
    async close(graceMs) {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const all = Promise.all(running.keys());
      await Promise.race([all, wait(graceMs, undefined, { ref: false })]);
      const stopped = new ApiError(503, "the server was stopped");
      for (const controller of running.values()) controller.abort(stopped);
      await Promise.race([Promise.all(running.keys()), wait(graceMs, undefined, { ref: false })]);
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpOptions,
  signal: AbortSignal,
  closing: boolean,
): Promise<void> {
  const events = new EventStream(response);
  try {
    if (closing) throw new ApiError(503, "the server is stopping");
    checkHost(request, options.host);
    const { route, rest } = routeOf(request, options.routes);
    if (route.open !== true) checkKey(request, options.apiKey);
    const body = route.method === "POST" ? await readJsonBody(request, options.maxBodyBytes) : undefined;
    const answer = await route.handle({ body, rest, signal, events });
    if (answer !== undefined) sendJson(response, 200, answer);
  } catch (error) {
    // An aborted signal's reason says more than the error that the work ended with.
    const failure = asApiError(signal.aborted ? signal.reason : error);
    if (response.destroyed) return;
    if (failure.status === 500) options.onError(failure.cause);
    if (events.opened) await events.fail(failure.body).catch(() => response.destroy());
    else refuse(request, response, failure);
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, failure: ApiError): void {
  const unread = !request.complete;
  const headers = { ...failure.headers, ...((unread || failure.status === 503) && { connection: "close" }) };
  sendJson(response, failure.status, failure.body, headers);
  if (!unread) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  request.on("close", () => clearTimeout(timer));
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length, ...headers });
  response.end(bytes);
}

function routeOf(request: IncomingMessage, routes: readonly Route[]): { route: Route; rest: string } {
  const path = (request.url ?? "").replace(/[?#].*$/s, "");
  // As written: a path is looked up here, never opened, and dots in it mean nothing.
  const fitting = routes.flatMap((route) => {
    if (!route.path.endsWith("*")) return route.path === path ? [{ route, rest: "" }] : [];
    const head = route.path.slice(0, -1);
    return path.length > head.length && path.startsWith(head) ? [{ route, rest: decode(path.slice(head.length)) }] : [];
  });
  if (fitting.length === 0) {
    const known = routes.map(({ method, path }) => `${method} ${path}`).join(", ");
    throw new ApiError(404, `no such route: ${request.method} ${path.slice(0, 200)}; known are ${known}`);
  }
  const method = request.method === "HEAD" ? "GET" : request.method;
  const found = fitting.find(({ route }) => route.method === method);
  if (found !== undefined) return found;
  const allow = fitting.map(({ route }) => route.method).join(", ");
  throw new ApiError(405, `${request.method} is not for ${path}; ${allow} is`, { headers: { allow } });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ApiError(400, `the path cannot be decoded: ${text.slice(0, 200)}`);
  }
}
