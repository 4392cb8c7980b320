/** @file node:http below handlers of the fetch shape: limits, slow clients, and an orderly end. Knows nothing of MCP. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { listen } from "../listen.js";
import { readJsonBody } from "../openai/read-body.js";
import type { HttpLimits } from "./limits.js";

export interface Exchange {
  /** Without its body; its signal is aborted when the client goes away. */
  readonly request: Request;
  /** The JSON of the body. Throws ApiError with 413, 415 or 400. */
  json(): Promise<unknown>;
  /** Says that somebody waits for the end of this exchange, so that a stopping server waits too. */
  holdsStop(): void;
  /** Called once when it is over: the answer was sent to its end, or the client went away. */
  onEnd(work: () => void): void;
}

export type ExchangeHandler = (exchange: Exchange) => Promise<Response>;

export interface ListenerOptions {
  readonly handle: ExchangeHandler;
  readonly limits: HttpLimits;
  /** Told of failures that are the server's. */
  readonly onError: (error: unknown) => void;
}

export interface Listener {
  /** Resolves to the origin, such as http://127.0.0.1:8080. Throws where the address cannot be had. */
  listen(host: string, port: number): Promise<string>;
  /** No new requests; resolves when those that hold the stop have ended, or after `graceMs`. */
  drain(graceMs: number): Promise<void>;
  /** Ends every connection; the port is free after it. */
  close(): Promise<void>;
}

/** Longer than the pause between two requests of a client that keeps its connections. */
const KEEP_ALIVE_MS = 65_000;
/** All headers of a request; node answers 431 above it. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Sockets; what is more is not accepted. */
const MAX_CONNECTIONS = 2048;
/** After so long a silent socket is probed: a machine that lost its power sends no farewell. */
const PROBE_MS = 30_000;
/** What a route may have a use for; a Request cannot even carry TRACE. */
const METHODS = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"];
/** How long a client may go on sending a body that was refused, so that it gets to read why. */
const LINGER_MS = 2000;

export function createListener(options: ListenerOptions): Listener {
  const { limits } = options;
  const holding = new Set<Promise<void>>();
  let closing = false;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: 3 * limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_MS,
    },
    (request, response) => {
      const work = closing ? refuseClosing(response) : serve(request, response, options, () => holding.add(work));
      void work.finally(() => holding.delete(work));
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  let closed: Promise<void> | undefined;
  const stopListening = (): Promise<void> => {
    closing = true;
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  };
  return {
    listen: (host, port) => listen(server, host, port),
    async drain(graceMs) {
      void stopListening();
      await Promise.race([Promise.all(holding), wait(graceMs, undefined, { ref: false })]);
    },
    async close() {
      const done = stopListening();
      server.closeAllConnections();
      await done;
    },
  };
}

async function refuseClosing(response: ServerResponse): Promise<void> {
  response.writeHead(503, { "content-type": "application/json", "retry-after": "5", connection: "close" });
  response.end('{"jsonrpc":"2.0","error":{"code":-32000,"message":"the server is stopping"},"id":null}');
}

function refuseMethod(response: ServerResponse): void {
  response.writeHead(405, { allow: "GET, POST, DELETE", connection: "close" }).end();
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  { handle, limits, onError }: ListenerOptions,
  holdsStop: () => void,
): Promise<void> {
  const controller = new AbortController();
  const ending: (() => void)[] = [];
  response.on("close", () => {
    if (!response.writableFinished) controller.abort(new Error("the client has gone"));
  });
  try {
    if (!METHODS.includes(incoming.method ?? "")) return refuseMethod(response);
    const request = asRequest(incoming, controller.signal);
    const onEnd = (work: () => void): void => void ending.push(work);
    const json = (): Promise<unknown> => readJsonBody(incoming, limits.maxBodyBytes);
    await send(incoming, response, await handle({ request, json, holdsStop, onEnd }), limits.stallMs);
  } catch (error) {
    if (controller.signal.aborted || response.destroyed) return;
    onError(error);
    if (response.headersSent) response.destroy();
    else await send(incoming, response, failed(), limits.stallMs);
  } finally {
    for (const work of ending) work();
  }
}

const failed = (): Response =>
  Response.json(
    {
      jsonrpc: "2.0",
      error: { code: -32603, message: "the server failed at this request; its log says why" },
      id: null,
    },
    { status: 500 },
  );

function asRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return new Request(urlOf(incoming), { method: incoming.method ?? "GET", headers, signal });
}

/** By the name that the client used; whether that name is good is the guard's business. */
function urlOf({ url, headers }: IncomingMessage): string {
  const path = url?.startsWith("/") ? url : "/";
  const named = `http://${headers.host}${path}`;
  return headers.host !== undefined && URL.canParse(named) ? named : `http://unnamed.invalid${path}`;
}

async function send(
  incoming: IncomingMessage,
  response: ServerResponse,
  answer: Response,
  stallMs: number,
): Promise<void> {
  // Gone before there was anything to send: no event will tell of it any more.
  if (response.destroyed) return answer.body?.cancel();
  const unread = !incoming.complete;
  const headers: Record<string, string | string[]> = Object.fromEntries(answer.headers);
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  if (unread) headers["connection"] = "close";
  // Head and first words leave in one packet; a stream that is quiet yet has its head sent after this turn.
  response.cork();
  setImmediate(() => response.uncork());
  response.writeHead(answer.status, headers);
  if (answer.body === null || incoming.method === "HEAD") {
    await answer.body?.cancel();
    response.end();
  } else {
    response.flushHeaders();
    await pump(answer.body, response, stallMs);
  }
  if (unread) linger(incoming);
}

/** No faster than the client reads. A client that goes away cancels the body. */
async function pump(body: ReadableStream<Uint8Array>, response: ServerResponse, stallMs: number): Promise<void> {
  const reader = body.getReader();
  const gone = (): void => void reader.cancel(new Error("the client has gone")).catch(() => undefined);
  response.once("close", gone);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || response.destroyed) break;
      if (!response.write(value)) await drained(response, stallMs);
    }
    response.end();
  } finally {
    response.off("close", gone);
  }
}

function drained(response: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    const timer = setTimeout(() => response.destroy(), stallMs);
    response.on("drain", settle);
    response.on("close", settle);
  });
}

function linger(incoming: IncomingMessage): void {
  incoming.resume();
  const timer = setTimeout(() => incoming.destroy(), LINGER_MS);
  incoming.on("close", () => clearTimeout(timer));
}
