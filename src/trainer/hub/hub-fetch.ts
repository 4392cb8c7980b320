/** @file Requests to a hub: the token goes to the hub alone, and what passes by itself is tried again. */
import { setTimeout as sleep } from "node:timers/promises";
import { connectionReason, HubRequestError } from "./hub-errors.js";

/** Attempts where there is no answer, or one that says "not now". */
export const ATTEMPTS = 5;
/** Silence after which a request counts as lost. */
export const STALL_MS = 30_000;
/** Longest pause that a server may ask for. */
const MAX_PAUSE_MS = 60_000;
const NOT_NOW = new Set([408, 429, 500, 502, 503, 504]);

export interface FetchSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token?: string;
  readonly signal?: AbortSignal;
  /** The first pause; each further one is twice as long. */
  readonly pauseMs: number;
  readonly attempts?: number;
}

export type HubFetch = typeof fetch;

/** A fetch that answers with success or throws {@link HubRequestError}; aborts as its own `signal` says. */
export function hubFetch(settings: FetchSettings): HubFetch {
  const { endpoint, token, signal, pauseMs, attempts = ATTEMPTS } = settings;
  return async (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    // Redirects to storage elsewhere lose this header again: fetch drops it where the origin changes.
    if (token !== undefined && new URL(url).origin === new URL(endpoint).origin) {
      headers.set("Authorization", `Bearer ${token}`);
    }
    for (let attempt = 1; ; attempt++) {
      const outcome = await tryOnce(url, { ...init, headers }, endpoint, signal);
      if (outcome instanceof Response) return outcome;
      if (attempt >= attempts || !outcome.again) throw outcome.error;
      await sleep(outcome.pauseMs ?? pauseMs * 2 ** (attempt - 1), undefined, { ...(signal && { signal }) });
    }
  };
}

interface Failure {
  readonly error: HubRequestError;
  readonly again: boolean;
  readonly pauseMs?: number;
}

async function tryOnce(
  url: string,
  init: RequestInit,
  endpoint: string,
  signal?: AbortSignal,
): Promise<Response | Failure> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error(`no answer for ${STALL_MS / 1000} s`)), STALL_MS);
  const signals = [silence.signal, signal, init.signal].filter((one) => one !== undefined && one !== null);
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.any(signals) });
    if (response.ok) return response;
    await response.body?.cancel();
    return refusal(response, endpoint);
  } catch (error) {
    signal?.throwIfAborted();
    init.signal?.throwIfAborted();
    const message = `cannot reach ${endpoint} (${connectionReason(error)})`;
    return { error: new HubRequestError(message, undefined, undefined, { cause: error }), again: true };
  } finally {
    clearTimeout(timer);
  }
}

function refusal(response: Response, endpoint: string): Failure {
  const { status, headers } = response;
  const code = headers.get("x-error-code") ?? undefined;
  const error = new HubRequestError(`${endpoint} answered with status ${status}`, status, code);
  // Storage behind a redirect refuses links that have expired; the hub makes a new one each time.
  const expiredLink =
    status === 403 && response.redirected && new URL(response.url).origin !== new URL(endpoint).origin;
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return {
    error,
    again: NOT_NOW.has(status) || expiredLink,
    ...(seconds >= 0 && { pauseMs: Math.min(seconds * 1000, MAX_PAUSE_MS) }),
  };
}
