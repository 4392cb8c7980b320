/** @file One OpenTelemetry server span for a tool call, by the semantic conventions for MCP (opentelemetry.io, gen-ai/mcp). */
import {
  type Attributes,
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Call, CallEnd } from "./observe-calls.js";
import { packageVersion } from "./version.js";

/** Runs the work within its span; the work says how the call ended. Where no SDK is installed it costs nothing. */
export function inCallSpan<T>(call: Call, work: (end: (ending: CallEnd) => void) => Promise<T>): Promise<T> {
  // Asked each time: a user's SDK may be installed after this module is loaded.
  const tracer = trace.getTracer("preflexor", packageVersion());
  const options = { kind: SpanKind.SERVER, attributes: attributesOf(call) };
  return tracer.startActiveSpan(`tools/call ${call.tool}`, options, parentOf(call), async (span) => {
    try {
      return await work((ending) => endSpan(span, ending));
    } finally {
      span.end();
    }
  });
}

function attributesOf({ tool, era, transport, request }: Call): Attributes {
  return {
    "mcp.method.name": "tools/call",
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": tool,
    "jsonrpc.request.id": String(request.mcpReq.id),
    "mcp.protocol.version": era,
    ...(request.sessionId !== undefined && { "mcp.session.id": request.sessionId }),
    "network.transport": transport === "stdio" ? "pipe" : "tcp",
    ...(transport === "http" && { "network.protocol.name": "http" }),
  };
}

function endSpan(span: Span, { outcome, error }: CallEnd): void {
  const code = typeof error?.code === "number" ? String(error.code) : undefined;
  if (code !== undefined) span.setAttribute("rpc.response.status_code", code);
  const type = { error: "tool_error", cancelled: "cancelled", refused: code ?? "_OTHER" }[outcome as string];
  if (type === undefined) return;
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(error !== undefined && { message: error.message }) });
}

/** The caller's span: `_meta` of the request says it in 2026 (SEP-414) and may before, else the HTTP header. */
function parentOf({ request }: Call): Context {
  const meta = request.mcpReq._meta;
  const headers = request.http?.req?.headers;
  const own = { parent: meta?.["traceparent"], state: meta?.["tracestate"] };
  const carried =
    typeof own.parent === "string" ? own : { parent: headers?.get("traceparent"), state: headers?.get("tracestate") };
  return withTraceparent(context.active(), carried.parent, carried.state);
}

/** W3C Trace Context: version, trace id, span id, flags. Read here, as a user's SDK may have no propagator for it. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

function withTraceparent(base: Context, parent: unknown, state: unknown): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(typeof parent === "string" ? parent : "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return base;
  const spanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(typeof state === "string" && state !== "" && { traceState: createTraceState(state) }),
  };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(base, spanContext) : base;
}
