/** @file The sessionful leg of 2025: a server for each client that initializes, kept while the client is there, and no longer. */
import { randomUUID } from "node:crypto";
import {
  type AuthInfo,
  isInitializeRequest,
  isJSONRPCRequest,
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
  async serve({ request, body, auth }: SessionRequest): Promise<Response> {
    const id = request.headers.get(SESSION_HEADER);
    if (id === null) return this.#initialize(request, body, auth);
    const session = this.#sessions.get(id);
    // Another principal's session is as good as none: its existence is not told either.
    if (session === undefined || session.principal !== principalOf(auth)) return notFound(body);
    return this.#within(session, request, body, auth);
  }

  async closeAll(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#sessions.values()].map((session) => this.#close(session, "the server stops")));
  }

  async #initialize(request: Request, body: unknown, auth: AuthInfo | undefined): Promise<Response> {
    if (!this.#makeRoom()) {
      const message = `there are ${this.#sessions.size} sessions, all of them in use; try again later`;
      return refusal(503, REFUSED, message, { id: idOf(body), headers: { "retry-after": "30" } });
    }
    const session = await this.#open(principalOf(auth));
    const response = await this.#within(session, request, body, auth);
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
    const onclose = transport.onclose;
    transport.onclose = () => {
      onclose?.();
      if (this.#sessions.delete(id)) onChange?.("closed", "by the client");
    };
    onChange?.("opened", "initialize");
    return session;
  }

  async #within(session: Session, request: Request, body: unknown, auth: AuthInfo | undefined): Promise<Response> {
    const calls = requestsIn(body);
    const { maxCallsPerSession } = this.#options.limits;
    if (calls > 0 && session.calls + calls > maxCallsPerSession) {
      const message = `this session has ${session.calls} of ${maxCallsPerSession} requests under way; wait for some of them`;
      return refusal(429, REFUSED, message, { id: idOf(body), headers: { "retry-after": "1" } });
    }
    const leave = enter(session, calls);
    try {
      const response = await session.transport.handleRequest(request, {
        ...(body !== undefined && { parsedBody: body }),
        ...(auth !== undefined && { authInfo: auth }),
      });
      return onEnd(response, leave);
    } catch (error) {
      leave();
      throw error;
    }
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

/** Whether a 2025 request belongs to this leg: it names a session, or asks for one. Others are served on their own. */
export function isSessionRequest(request: Request, body: unknown): boolean {
  if (request.headers.has(SESSION_HEADER)) return true;
  return Array.isArray(body) ? body.some((message) => isInitializeRequest(message)) : isInitializeRequest(body);
}

export function requestsIn(body: unknown): number {
  return (Array.isArray(body) ? body : [body]).filter((message) => isJSONRPCRequest(message)).length;
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

/** Returns what notes, once, that the request is over. */
function enter(session: Session, calls: number): () => void {
  session.open += 1;
  session.calls += calls;
  session.lastUsed = performance.now();
  let left = false;
  return () => {
    if (left) return;
    left = true;
    session.open -= 1;
    session.calls -= calls;
    session.lastUsed = performance.now();
  };
}

/** The response; `done` is called when its body was sent, or the client went away. */
export function onEnd(response: Response, done: () => void): Response {
  if (response.body === null) {
    done();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done: ended, value } = await reader.read();
        if (!ended) return controller.enqueue(value);
        done();
        controller.close();
      } catch (error) {
        done();
        controller.error(error);
      }
    },
    async cancel(reason) {
      done();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
