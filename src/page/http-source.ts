/** @file Data from the server that the page came from: /data routes, and /data/events for what changes. */
import { DataError, type DataSource, type Trouble } from "./data-source.js";
import { liveChanges } from "./live-changes.js";

export function httpSource(): DataSource {
  const run = (id: string): string => `runs/${encodeURIComponent(id)}`;
  return {
    runs: () => get("runs"),
    run: (id) => get(run(id)),
    metrics: (id, points) => get(`${run(id)}/metrics?points=${points}`),
    pairs: (id, after, limit) => get(`${run(id)}/pairs?after=${after}&limit=${limit}`),
    graph: (id) => get(`${run(id)}/graph`),
    reasoning: (id) => get(`${run(id)}/reasoning`),
    reportUrl: (id) => `data/${run(id)}/report`,
    subscribe: (listener) => liveChanges(() => new EventSource("data/events"), listener),
  };
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`data/${path}`).catch(() => {
    throw new DataError("other", "The server does not answer. Is “preflexor serve --http” still running?");
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

const TROUBLES: Readonly<Record<number, Trouble>> = { 404: "gone", 401: "token", 403: "token" };

/** The routes answer `{error}` as a text, the guard before them as JSON-RPC writes it. */
async function problemOf(response: Response): Promise<DataError> {
  const said = (await response.json().catch(() => undefined)) as { error?: string | { message?: string } } | undefined;
  const text = typeof said?.error === "string" ? said.error : said?.error?.message;
  const fallback = `The server answered ${response.status} ${response.statusText}.`;
  return new DataError(TROUBLES[response.status] ?? "other", text ?? fallback);
}
