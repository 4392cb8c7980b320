/** @file Who is told of changes: connections of 2025 by what they subscribed to, those of 2026 through their transport. */
import { type McpServer, ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { ToolContext } from "../tool-context.js";
import { RUNS_URI } from "../views/index.js";

/** So many addresses of one connection: more is a mistake or an attack. */
const MOST_SUBSCRIPTIONS = 1000;
const KNOWN = /^(?:preflexor:\/\/(?:runs|passages)(?:[/?]|$)|ui:\/\/preflexor\/)/;

/**
 * Handles `resources/subscribe` and `resources/unsubscribe`, and tells a connection of 2025 when runs come or go.
 * `known`: of the addresses that may be subscribed to.
 */
export function registerSubscriptions(server: McpServer, context: ToolContext, known = KNOWN): void {
  const subscribed = new Set<string>();
  let end: (() => void) | undefined;
  const listen = (): void => {
    end ??= context.changes.subscribe((uri) => {
      for (const wanted of subscribed) if (wanted === uri || wanted.startsWith(`${uri}?`)) send(server, wanted);
      if (uri === RUNS_URI) server.sendResourceListChanged();
    });
  };
  server.server.setRequestHandler("resources/subscribe", async ({ params: { uri } }) => {
    if (!known.test(uri))
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `${uri.slice(0, 80)} is no resource of this server: list resources and their templates for those that there are`,
      );
    if (!subscribed.has(uri) && subscribed.size >= MOST_SUBSCRIPTIONS)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `this connection has ${MOST_SUBSCRIPTIONS} subscriptions, the most that it may: unsubscribe from some`,
      );
    subscribed.add(uri);
    listen();
    await context.changes.ready();
    return {};
  });
  server.server.setRequestHandler("resources/unsubscribe", async ({ params: { uri } }) => {
    subscribed.delete(uri);
    return {};
  });
  whenever(server, "oninitialized", listen);
  whenever(server, "onclose", () => {
    end?.();
    end = undefined;
    subscribed.clear();
  });
}

/**
 * Sends every change over the connection. For a transport that holds the subscriptions of 2026-07-28 itself, and passes on
 * what was subscribed to: there is one server for each connection, and no request of it says what its client listens to.
 */
export function announceChanges(server: McpServer, context: ToolContext): void {
  const end = context.changes.subscribe((uri) => {
    send(server, uri);
    if (uri === RUNS_URI) server.sendResourceListChanged();
  });
  whenever(server, "onclose", end);
}

function send(server: McpServer, uri: string): void {
  // Its connection may be gone.
  if (server.isConnected()) server.server.sendResourceUpdated({ uri }).catch(() => undefined);
}

function whenever({ server }: McpServer, event: "oninitialized" | "onclose", act: () => void): void {
  const before = server[event];
  server[event] = () => {
    before?.();
    act();
  };
}
