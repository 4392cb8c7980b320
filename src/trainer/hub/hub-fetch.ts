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
/** The slowest line that an upload is waited for: an answer comes only behind the last byte. */
const SLOWEST_BYTES_PER_MS = 32;
/** An answer's explanation is a sentence; what is longer is a page. */
const DETAIL_LENGTH = 300;

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
      const outcome = await tryOnce(url, { ...init, headers }, settings);
      if (outcome instanceof Response) return outcome;
      if (attempt >= attempts || !outcome.again) throw outcome.error;
      await sleep(pauseBefore(outcome.error, attempt, pauseMs), undefined, { ...(signal && { signal }) });
    }
  };
}

/** What the hub asked for, else twice as long each time. */
export const pauseBefore = (error: HubRequestError, attempt: number, pauseMs: number): number =>
  error.pauseMs ?? pauseMs * 2 ** (attempt - 1);

/** Whether the same request may succeed a little later. */
export const mayPass = ({ status }: HubRequestError): boolean => status === undefined || NOT_NOW.has(status);

interface Failure {
  readonly error: HubRequestError;
  readonly again: boolean;
}

async function tryOnce(url: string, init: RequestInit, settings: FetchSettings): Promise<Response | Failure> {
  const { endpoint, signal } = settings;
  const silence = new AbortController();
  const patienceMs = STALL_MS + bodyBytes(init.body) / SLOWEST_BYTES_PER_MS;
  const timer = setTimeout(
    () => silence.abort(new Error(`no answer for ${Math.round(patienceMs / 1000)} s`)),
    patienceMs,
  );
  const signals = [silence.signal, signal, init.signal].filter((one) => one !== undefined && one !== null);
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.any(signals) });
    if (response.ok) return response;
    return await refusal(response, url, settings);
  } catch (error) {
    signal?.throwIfAborted();
    init.signal?.throwIfAborted();
    const { name, storage } = serverOf(url, endpoint);
    const message = `cannot reach ${name} (${connectionReason(error)})`;
    return { error: new HubRequestError(message, undefined, undefined, { cause: error, storage }), again: true };
  } finally {
    clearTimeout(timer);
  }
}

/** The hub by its endpoint; storage by its origin alone, because the links to it hold signatures. */
function serverOf(url: string, endpoint: string): { readonly name: string; readonly storage: boolean } {
  const { origin } = new URL(url);
  return origin === new URL(endpoint).origin ? { name: endpoint, storage: false } : { name: origin, storage: true };
}

async function refusal(response: Response, url: string, { endpoint, token }: FetchSettings): Promise<Failure> {
  const { status, headers } = response;
  const { name, storage } = serverOf(url, endpoint);
  const code = headers.get("x-error-code") ?? undefined;
  const detail = await detailOf(response, token);
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const error = new HubRequestError(`${name} answered with status ${status}`, status, code, {
    storage,
    ...(detail !== undefined && { detail }),
    ...(seconds >= 0 && { pauseMs: Math.min(seconds * 1000, MAX_PAUSE_MS) }),
  });
  // Storage behind a redirect refuses links that have expired; the hub makes a new one each time.
  const expiredLink =
    status === 403 && response.redirected && new URL(response.url).origin !== new URL(endpoint).origin;
  return { error, again: mayPass(error) || expiredLink };
}

/** The sentence in a refusal's JSON, without the token where it repeats it. */
async function detailOf(response: Response, token: string | undefined): Promise<string | undefined> {
  if (!response.headers.get("content-type")?.startsWith("application/json")) {
    await response.body?.cancel();
    return undefined;
  }
  const body: unknown = await response.json().catch(() => undefined);
  const { error, message } = (body ?? {}) as { readonly error?: unknown; readonly message?: unknown };
  const text = [error, message].find((each) => typeof each === "string");
  if (typeof text !== "string") return undefined;
  const shown = token === undefined ? text : text.replaceAll(token, "…");
  return shown.replace(/\s+/g, " ").trim().slice(0, DETAIL_LENGTH);
}

function bodyBytes(body: RequestInit["body"]): number {
  if (typeof body === "string") return body.length;
  return body instanceof Blob ? body.size : 0;
}
