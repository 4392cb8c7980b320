/** @file The client that called a tool: its model and its user may be asked, by requests to it, or in rounds where its protocol has none. */
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type ClientCapabilities,
  type CreateMessageRequestParams,
  type Implementation,
  type InputRequiredResult,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { SamplingClient, SamplingRequest } from "../agents/index.js";
import {
  ASK_TIMEOUT_MS,
  type AskClient,
  type ClientMethod,
  type ClientQuestions,
  type ClientReplies,
} from "./ask-client.js";
import { type AsksUser, userOf } from "./client-elicitation.js";
import { parkedCall } from "./parked-calls.js";
import { withSignedState } from "./request-state.js";
import { taskOf } from "./tasks/task-call.js";
import { callSignal, type ToolContext } from "./tool-context.js";

/** The client as a tool sees it. */
export interface CallingClient extends SamplingClient, AsksUser {}

type Work = (client: CallingClient, signal: AbortSignal) => Promise<CallToolResult>;

/** Runs a tool's work with the client at hand. Up to 2025-11-25 the client is asked while the call is open; since 2026-07-28 between its rounds. */
export async function withClient(
  { server, context, request }: { server: McpServer; context: ToolContext; request: ServerContext },
  work: Work,
): Promise<CallToolResult | InputRequiredResult> {
  const task = taskOf(request);
  if (task !== undefined) return work(clientOf(task.caller, task.ask), task.signal);
  const caller = callerOf(server, request);
  if (request.mcpReq.envelope === undefined) {
    return work(clientOf(caller, askWithin(request)), callSignal(context, request));
  }
  const result = await parkedCall(context, request, (ask, signal) => work(clientOf(caller, ask), signal));
  return withSignedState(result, request);
}

/** Who called, and what it offers. */
export interface Caller {
  readonly name: string;
  readonly capabilities: ClientCapabilities;
}

export function callerOf(server: McpServer, { mcpReq }: ServerContext): Caller {
  const envelope = mcpReq.envelope as Envelope | undefined;
  const capabilities = envelope ? envelope[CLIENT_CAPABILITIES_META_KEY] : server.server.getClientCapabilities();
  const info = envelope ? envelope[CLIENT_INFO_META_KEY] : server.server.getClientVersion();
  return { name: info === undefined ? "unnamed" : `${info.name} ${info.version}`, capabilities: capabilities ?? {} };
}

/** What a request of 2026-07-28 says about its client. */
interface Envelope {
  readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities;
  readonly [CLIENT_INFO_META_KEY]?: Implementation;
}

/** Asks on the stream of the open request: the client may listen to no other one. */
export function askWithin({ mcpReq }: ServerContext, meta?: Readonly<Record<string, unknown>>): AskClient {
  return async <M extends ClientMethod>(method: M, params: ClientQuestions[M], signal?: AbortSignal) => {
    const request = { method, params: { ...params, ...(meta && { _meta: meta }) } as Record<string, unknown> };
    const options = { timeout: ASK_TIMEOUT_MS, ...(signal && { signal }) };
    return (await mcpReq.send<ClientMethod>(request, options)) as ClientReplies[M];
  };
}

export function clientOf({ name, capabilities }: Caller, ask: AskClient): CallingClient {
  const { sampling } = capabilities;
  return {
    name,
    takesTools: sampling?.tools !== undefined,
    async sample(request: SamplingRequest, signal) {
      if (sampling === undefined) throw new Error(NO_SAMPLING);
      return ask("sampling/createMessage", request as CreateMessageRequestParams, signal);
    },
    ...userOf(capabilities, ask),
  };
}

const NO_SAMPLING =
  "it does not offer sampling. Set PREFLEXOR_TEACHER (or PREFLEXOR_CRITIC) to something else than client and start the server again: " +
  "builtin, extractive, self, preflexor:<directory>, or <provider>:<model>";
