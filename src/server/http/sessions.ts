/** @file The sessionful leg of 2025: a server for each client that initializes, kept while the client is there, and no longer. */
import { randomUUID } from "node:crypto";
import {
  type AuthInfo,
  isInitializeRequest,
  isJSONRPCNotification,
  type McpServer,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { principalOf } from "./access.js";
import { idOf, REFUSED, refusal, SESSION_NOT_FOUND } from "./answers.js";
import { SessionEvents } from "./event-store.js";
import type { HttpLimits } from "./limits.js";

export interface SessionsOptions {
  readonly createServer: () => McpServer;
  readonly limits: HttpLimits;
  readonly onError: (error: unknown) => void;
  /** Told of every session that begins or ends. */
  readonly onChange?: (what: "opened" | "closed", why: string) => void;
}

export interface SessionRequest {
  readonly request: Request;
  /** Of a POST. */
  readonly body?: unknown;
  readonly auth?: AuthInfo | undefined;
  /** Takes what is to be done when the request is over and its answer sent. */
  readonly onEnd: (work: () => void) => void;
}

interface Session {
  readonly id: string;
  readonly server: McpServer;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly principal: string;
  /** Requests and streams that are open. */
  open: number;
  /** Requests with an answer to come. */
  calls: number;
  lastUsed: number;
}

const SESSION_HEADER = "mcp-session-id";
/** How often is looked for sessions that rested too long, at most. */
const SWEEP_MS = 30_000;

export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #options: SessionsOptions;
  readonly #sweep: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { sessionIdleMs } = options.limits;
    this.#sweep = setInterval(() => this.#closeIdle(), Math.min(SWEEP_MS, sessionIdleMs)).unref();
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Serves a request that names a session, or initializes one. */
  async serve(asked: SessionRequest): Promise<Response> {
    const { request, body, auth } = asked;
    const id = request.headers.get(SESSION_HEADER);
    if (id === null) return this.#initialize(asked);
    const session = this.#sessions.get(id);
    // Another principal's session is as good as none: its existence is not told either.
    if (session === undefined || session.principal !== principalOf(auth)) return notFound(body);
    return this.#within(session, asked);
  }

  async closeAll(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#sessions.values()].map((session) => this.#close(session, "the server stops")));
  }

  async #initialize(asked: SessionRequest): Promise<Response> {
    const { body, auth } = asked;
    if (!this.#makeRoom()) {
      const message = `there are ${this.#sessions.size} sessions, all of them in use; try again later`;
      return refusal(503, REFUSED, message, { id: idOf(body), headers: { "retry-after": "30" } });
    }
    const session = await this.#open(principalOf(auth));
    const response = await this.#within(session, asked);
    // Refused, e.g. for its Accept header: there is nothing to keep.
    if (response.headers.get(SESSION_HEADER) === null) await this.#close(session, "not initialized");
    return response;
  }

  async #open(principal: string): Promise<Session> {
    const { createServer, limits, onError, onChange } = this.#options;
    const id = randomUUID();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: new SessionEvents(),
      keepAliveMs: limits.keepAliveMs,
    });
    const server = createServer();
    const session = { id, server, transport, principal, open: 0, calls: 0, lastUsed: performance.now() };
    // Counted at once: a burst of clients must not pass the bound together.
    this.#sessions.set(id, session);
    try {
      await server.connect(transport);
    } catch (error) {
      this.#sessions.delete(id);
      throw error;
    }
    server.server.onerror = onError;
    endCancelled(transport);
    const onclose = transport.onclose;
    transport.onclose = () => {
      onclose?.();
      if (this.#sessions.delete(id)) onChange?.("closed", "by the client");
    };
    onChange?.("opened", "initialize");
    return session;
  }

  async #within(session: Session, { request, body, auth, onEnd }: SessionRequest): Promise<Response> {
    const calls = requestsIn(body);
    const { maxCallsPerSession } = this.#options.limits;
    if (calls > 0 && session.calls + calls > maxCallsPerSession) {
      const message = `this session has ${session.calls} of ${maxCallsPerSession} requests under way; wait for some of them`;
      return refusal(429, REFUSED, message, { id: idOf(body), headers: { "retry-after": "1" } });
    }
    enter(session, calls);
    onEnd(() => leave(session, calls));
    return session.transport.handleRequest(request, {
      ...(body !== undefined && { parsedBody: body }),
      ...(auth !== undefined && { authInfo: auth }),
    });
  }

  /** Whether there is a place; the session that rested longest gives its own up. Nothing under way is ever ended for it. */
  #makeRoom(): boolean {
    if (this.#sessions.size < this.#options.limits.maxSessions) return true;
    const [oldest] = [...this.#sessions.values()]
      .filter(({ open }) => open === 0)
      .sort((a, b) => a.lastUsed - b.lastUsed);
    if (oldest === undefined) return false;
    void this.#close(oldest, "made room for another");
    return true;
  }

  #closeIdle(): void {
    const limit = performance.now() - this.#options.limits.sessionIdleMs;
    for (const session of this.#sessions.values()) {
      if (session.open === 0 && session.lastUsed < limit) void this.#close(session, "idle");
    }
  }

  async #close(session: Session, why: string): Promise<void> {
    if (this.#sessions.delete(session.id)) this.#options.onChange?.("closed", why);
    await session.server.close().catch(this.#options.onError);
  }
}

/**
 * Answers a cancelled request, as Python's SDK does. This SDK sends nothing, and the stream that the answer was to come
 * on would stay open as long as the client; a client that no longer waits passes over what comes.
 */
function endCancelled(transport: WebStandardStreamableHTTPServerTransport): void {
  const { onmessage } = transport;
  transport.onmessage = (message, extra) => {
    onmessage?.(message, extra);
    if (!isJSONRPCNotification(message) || message.method !== "notifications/cancelled") return;
    const id = message.params?.["requestId"] as string | number;
    // Fails where there is no such request, or its answer was quicker.
    transport.send({ jsonrpc: "2.0", id, error: { code: REFUSED, message: "cancelled" } }).catch(() => undefined);
  };
}

/** Whether a 2025 request belongs to this leg: it names a session, or asks for one. Others are served on their own. */
export function isSessionRequest(request: Request, body: unknown): boolean {
  if (request.headers.has(SESSION_HEADER)) return true;
  return Array.isArray(body) ? body.some((message) => isInitializeRequest(message)) : isInitializeRequest(body);
}

/** How many answers a message, or a batch of them, asks for. By its look alone: the SDK checks it in full. */
export function requestsIn(body: unknown): number {
  return (Array.isArray(body) ? body : [body]).filter((message) => idOf(message) !== null).length;
}

function notFound(body: unknown): Response {
  return refusal(
    404,
    SESSION_NOT_FOUND,
    "there is no such session (it may have ended): send initialize for a new one",
    {
      id: idOf(body),
    },
  );
}

function enter(session: Session, calls: number): void {
  session.open += 1;
  session.calls += calls;
  session.lastUsed = performance.now();
}

function leave(session: Session, calls: number): void {
  session.open -= 1;
  session.calls -= calls;
  session.lastUsed = performance.now();
}
