/** @file Watches tools/call on a server, whoever handles it: a span and a record for each call, over every transport. */
import type { CallToolResult, McpServer, ServerContext } from "@modelcontextprotocol/server";
import { PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import { inCallSpan } from "./call-span.js";

export type CallOutcome = "ok" | "error" | "cancelled" | "refused" | "input_required" | "task";

/** A call that has ended. Neither its arguments nor its result: they may hold what nobody should log. */
export interface CallRecord {
  readonly tool: string;
  /** The protocol version that the client speaks. */
  readonly era: string;
  readonly transport: "stdio" | "http";
  readonly durationMs: number;
  readonly outcome: CallOutcome;
  /** JSON-RPC's, where the call was refused. */
  readonly code?: number;
}

export interface CallObserver {
  readonly transport: "stdio" | "http";
  onCall?(record: CallRecord): void;
}

/** What is known of a call before it runs. */
export interface Call {
  readonly tool: string;
  readonly era: string;
  readonly transport: "stdio" | "http";
  readonly request: ServerContext;
}

/** How it ended; `error` is what it was refused with. */
export interface CallEnd {
  readonly outcome: CallOutcome;
  readonly error?: Error & { readonly code?: unknown };
}

/** A client of 2025 that never initialized. */
const UNNEGOTIATED = "2025";

type Handler = (request: { params: { name: string } }, context: ServerContext) => Promise<object>;

/**
 * Watches every handler of tools/call that is set on the server from now on: also one that wraps another, in which
 * case the call is told of once.
 */
export function observeCalls(server: McpServer, observer: CallObserver): void {
  const low = server.server;
  // One that is there already would go unwatched.
  low.assertCanSetRequestHandler("tools/call");
  const set = low.setRequestHandler.bind(low) as (method: string, ...rest: unknown[]) => void;
  const seen = new WeakSet<ServerContext>();
  const watched =
    (handler: Handler): Handler =>
    async (request, context) => {
      if (seen.has(context)) return handler(request, context);
      seen.add(context);
      const envelope = context.mcpReq.envelope as { readonly [PROTOCOL_VERSION_META_KEY]?: string } | undefined;
      const era = envelope?.[PROTOCOL_VERSION_META_KEY] ?? low.getNegotiatedProtocolVersion() ?? UNNEGOTIATED;
      const call: Call = { tool: request.params.name, era, transport: observer.transport, request: context };
      return observed(call, observer, () => handler(request, context));
    };
  low.setRequestHandler = ((method: string, ...rest: unknown[]) => {
    const handler = rest.at(-1) as Handler;
    set(method, ...(method === "tools/call" ? [...rest.slice(0, -1), watched(handler)] : rest));
  }) as typeof low.setRequestHandler;
}

async function observed(call: Call, observer: CallObserver, run: () => Promise<object>): Promise<object> {
  const started = performance.now();
  const tell = ({ outcome, error }: CallEnd): void => {
    const { tool, era, transport } = call;
    const durationMs = Math.round((performance.now() - started) * 10) / 10;
    const code = typeof error?.code === "number" ? { code: error.code } : {};
    observer.onCall?.({ tool, era, transport, durationMs, outcome, ...code });
  };
  return inCallSpan(call, async (end) => {
    const both = (ending: CallEnd): void => {
      end(ending);
      tell(ending);
    };
    try {
      const result = await run();
      both({ outcome: call.request.mcpReq.signal.aborted ? "cancelled" : outcomeOf(result) });
      return result;
    } catch (error) {
      both({ outcome: call.request.mcpReq.signal.aborted ? "cancelled" : "refused", error: error as Error });
      throw error;
    }
  });
}

function outcomeOf(result: object): CallOutcome {
  const { isError, resultType, task } = result as CallToolResult & { readonly resultType?: string };
  if (resultType === "input_required") return "input_required";
  if (resultType === "task" || task !== undefined) return "task";
  return isError === true ? "error" : "ok";
}
