/** @file The state that a client carries between the rounds of a call: signed by this process, so that nobody else can write one. */
import { randomBytes } from "node:crypto";
import {
  type CallToolResult,
  createRequestStateCodec,
  type InputRequiredResult,
  isInputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";

/** As long as a parked call waits for its client. */
const TTL_SECONDS = 10 * 60;

/** Of one process, as the calls are whose rounds it joins. Bound to the method and to who asks. */
export const requestStates = createRequestStateCodec<string>({
  key: randomBytes(32),
  ttlSeconds: TTL_SECONDS,
  bind: ({ mcpReq, http }) => `${mcpReq.method}\0${http?.authInfo?.clientId ?? ""}`,
});

/** The same result, with its state as the client may carry it; the server checks it before a tool sees it again. */
export async function withSignedState(
  result: CallToolResult | InputRequiredResult,
  request: ServerContext,
): Promise<CallToolResult | InputRequiredResult> {
  if (!isInputRequiredResult(result) || result.requestState === undefined) return result;
  return { ...result, requestState: await requestStates.mint(result.requestState, request) };
}
