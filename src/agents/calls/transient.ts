/** @file Which failures of a model call pass by themselves, and how long the server asks to wait. */
import { classifyRateLimitError, parseRetryAfterMs } from "@langchain/core/utils/async_caller";
import { AgentFailure, causesOf, codeOf, statusOf } from "./agent-failure.js";

const NETWORK_CODES =
  /^(?:ECONNRESET|ECONNREFUSED|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|UND_ERR_\w+)$/;
const NETWORK_NAMES = /^(?:TimeoutError|APIConnectionError|APIConnectionTimeoutError|FetchError)$/;

/** The network, 408, 409, 429, 5xx and timeouts. A quota that is used up (also 429) does not come back by waiting. */
export function isTransient(error: unknown): boolean {
  const causes = causesOf(error);
  if (causes.some((cause) => classifyRateLimitError(cause)?.action === "stop")) return false;
  return causes.some(passes);
}

function passes(error: unknown): boolean {
  if (error instanceof AgentFailure) return error.reason === "timeout";
  const status = statusOf(error);
  if (status !== undefined) return status === 408 || status === 409 || status === 429 || status >= 500;
  if (NETWORK_CODES.test(codeOf(error) ?? "")) return true;
  if (!(error instanceof Error)) return false;
  return (
    NETWORK_NAMES.test(error.name) ||
    NETWORK_NAMES.test(error.constructor.name) ||
    (error instanceof TypeError && error.message === "fetch failed")
  );
}

/** What the server's Retry-After asks for (seconds or a date; also `retry-after-ms`), in milliseconds. */
export function retryAfterMs(error: unknown): number | undefined {
  for (const cause of causesOf(error)) {
    const ms = Number(header(cause, "retry-after-ms") ?? "");
    if (ms > 0) return ms;
    const asked = parseRetryAfterMs(header(cause, "retry-after")) ?? classifyRateLimitError(cause)?.retryAfterMs;
    if (asked !== undefined) return asked;
  }
  return undefined;
}

interface WithHeaders {
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly response?: WithHeaders;
}

function header(error: unknown, name: string): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { headers, response } = error as WithHeaders;
  const found =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
  return found ?? header(response, name);
}
