/** @file Data through an MCP host that renders this page as an MCP App: the host passes calls on to our server. */
import type { App } from "@modelcontextprotocol/ext-apps";
import type { PairsPage, RunDetail } from "../tools/views/types.js";
import { DataError, type DataSource, EVERYTHING } from "./data-source.js";

/** A host tells an app nothing of changed resources: it asks. */
const ASK_MS = 5000;

/** @param only the run that the host's tool call was about, where it was about one */
export function appSource(app: App, only: string | undefined): DataSource {
  const canRead = (): boolean => app.getHostCapabilities()?.serverResources !== undefined;
  const read = async <T>(uri: string): Promise<T> => {
    if (!canRead())
      throw new DataError("other", "This client passes on no resources of the server, which these data are.");
    const { contents } = await app.readServerResource({ uri }).catch((error: unknown) => {
      throw troubleOf(error);
    });
    const [content] = contents;
    if (content === undefined || !("text" in content)) throw new DataError("other", `${uri} has no text.`);
    return JSON.parse(content.text) as T;
  };
  const run = (id: string): string => `preflexor://runs/${encodeURIComponent(id)}`;
  return {
    ...(only !== undefined && { only }),
    runs: () => read("preflexor://runs"),
    run: (id) => (canRead() ? read(run(id)) : callGetRun(app, id)),
    metrics: (id) => read(`${run(id)}/metrics`),
    pairs: (id, after, limit) => read<PairsPage>(`${run(id)}/pairs?after=${after}&limit=${limit}`),
    graph: (id) => read(`${run(id)}/graph`),
    reasoning: (id) => read(`${run(id)}/reasoning`),
    subscribe: (listener) => {
      listener.link("polling");
      const timer = setInterval(() => document.visibilityState === "visible" && listener.changed(EVERYTHING), ASK_MS);
      return () => clearInterval(timer);
    },
  };
}

/** What the tool does not tell. */
const UNTOLD: Pick<RunDetail, "markers" | "table"> = {
  markers: { start: "<|thinking|>", end: "<|/thinking|>" },
  table: [],
};

/** What of a run a host without resources can still have. */
async function callGetRun(app: App, id: string): Promise<RunDetail> {
  const { structuredContent, isError, content } = await app.callServerTool({ name: "get-run", arguments: { run: id } });
  if (!isError && structuredContent !== undefined) return { ...UNTOLD, ...(structuredContent as unknown as RunDetail) };
  const [said] = content;
  throw new DataError("other", said?.type === "text" ? said.text : `get-run gave nothing for ${id}.`);
}

/** JSON-RPC's "invalid params" (-32602) and MCP's "resource not found" (-32002). */
const NOT_THERE = new Set([-32602, -32002]);

function troubleOf(error: unknown): DataError {
  const code = error !== null && typeof error === "object" && "code" in error ? error.code : undefined;
  const text = error instanceof Error ? error.message : String(error);
  return new DataError(typeof code === "number" && NOT_THERE.has(code) ? "gone" : "other", text);
}

/** The run that a tool's arguments or result name, or undefined. */
export function runNamed(value: unknown): string | undefined {
  if (value === null || typeof value !== "object") return undefined;
  const { run, id, runId } = value as Readonly<Record<string, unknown>>;
  return [run, id, runId].find((one): one is string => typeof one === "string" && one !== "");
}
