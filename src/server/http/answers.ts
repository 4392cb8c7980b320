/** @file Refusals as the protocol writes them: a JSON-RPC error with the HTTP status that goes with it. */
import { ApiError } from "../openai/errors.js";

export interface RefusalOptions {
  /** Of the request that is refused, where it could be read. */
  readonly id?: string | number | null;
  readonly data?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** JSON-RPC: the text is no JSON. */
export const PARSE_ERROR = -32700;
/** JSON-RPC: the JSON is no request. */
export const INVALID_REQUEST = -32600;
/** JSON-RPC leaves -32000 to -32099 to servers; the SDK uses the first for what HTTP's status already says. */
export const REFUSED = -32000;
/** The SDK's code for a session that is not there. */
export const SESSION_NOT_FOUND = -32001;

export function refusal(status: number, code: number, message: string, options: RefusalOptions = {}): Response {
  const { id = null, data, headers = {} } = options;
  const error = { code, message, ...(data !== undefined && { data }) };
  return Response.json({ jsonrpc: "2.0", error, id }, { status, headers });
}

/** The id to answer with: a request's own, else null. */
export function idOf(message: unknown): string | number | null {
  if (typeof message !== "object" || message === null || Array.isArray(message)) return null;
  const { id, method } = message as { readonly id?: unknown; readonly method?: unknown };
  return typeof method === "string" && (typeof id === "string" || typeof id === "number") ? id : null;
}

/** What reading a body failed with. */
export function bodyRefusal(error: unknown): Response {
  if (!(error instanceof ApiError)) throw error;
  return refusal(error.status, error.status === 400 ? PARSE_ERROR : REFUSED, error.message);
}
