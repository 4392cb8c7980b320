/** @file The client that called a tool, as a model that the tool may ask: by requests to it, or in rounds where its protocol has none. */
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
import { parkedCall, type Sample } from "./parked-calls.js";
import { withSignedState } from "./request-state.js";
import { callSignal, type ToolContext } from "./tool-context.js";

/** A person may have to read and allow the request first. */
const SAMPLING_TIMEOUT_MS = 10 * 60_000;

type Work = (client: SamplingClient, signal: AbortSignal) => Promise<CallToolResult>;

/** Runs a tool's work with the client at hand. Up to 2025-11-25 the client is asked while the call is open; since 2026-07-28 between its rounds. */
export async function withClient(
  { server, context, request }: { server: McpServer; context: ToolContext; request: ServerContext },
  work: Work,
): Promise<CallToolResult | InputRequiredResult> {
  const envelope = request.mcpReq.envelope as Envelope | undefined;
  const capabilities = envelope ? envelope[CLIENT_CAPABILITIES_META_KEY] : server.server.getClientCapabilities();
  const info = envelope ? envelope[CLIENT_INFO_META_KEY] : server.server.getClientVersion();
  const name = info === undefined ? "unnamed" : `${info.name} ${info.version}`;
  if (envelope === undefined) {
    const sample: Sample = (params, signal) =>
      request.mcpReq.requestSampling(params, { timeout: SAMPLING_TIMEOUT_MS, ...(signal && { signal }) });
    return work(clientOf(name, capabilities, sample), callSignal(context, request));
  }
  const result = await parkedCall(context, request, (sample, signal) =>
    work(clientOf(name, capabilities, sample), signal),
  );
  return withSignedState(result, request);
}

/** What a request of 2026-07-28 says about its client. */
interface Envelope {
  readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities;
  readonly [CLIENT_INFO_META_KEY]?: Implementation;
}

function clientOf(name: string, capabilities: ClientCapabilities | undefined, sample: Sample): SamplingClient {
  const sampling = capabilities?.sampling;
  return {
    name,
    takesTools: sampling?.tools !== undefined,
    async sample(request: SamplingRequest, signal) {
      if (sampling === undefined) throw new Error(NO_SAMPLING);
      return sample(request as CreateMessageRequestParams, signal);
    },
  };
}

const NO_SAMPLING =
  "it does not offer sampling. Set PREFLEXOR_TEACHER (or PREFLEXOR_CRITIC) to something else than client and start the server again: " +
  "builtin, extractive, self, preflexor:<directory>, or <provider>:<model>";
