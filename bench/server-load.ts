/** @file The clients of the MCP server bench, in a process of their own: each sends one tools/list a second, whatever the answers take. */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";

export interface LoadPlan {
  readonly url: string;
  readonly clients: number;
  readonly seconds: number;
}

export type Era = "2025-11-25" | "2026-07-28";

export interface LoadReport {
  readonly calls: readonly { readonly era: Era; readonly ms: number; readonly error?: string }[];
  /** What went wrong outside of calls. */
  readonly problems: readonly string[];
}

const PERIOD_MS = 1000;
const CALL_TIMEOUT_MS = 30_000;
/** Before the first call, so that all clients are connected. */
const LEAD_MS = 500;

interface Client {
  readonly era: Era;
  list(): Promise<void>;
  close(): Promise<void>;
}

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** One connection for each client, kept open, as a client of its own has it. */
function sender(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const send = (method: string, headers: Record<string, string>, body?: object): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(url, {
        method,
        agent,
        timeout: CALL_TIMEOUT_MS,
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
      });
      request.on("response", resolve).on("error", reject);
      request.on("timeout", () => request.destroy(new Error(`no answer within ${CALL_TIMEOUT_MS / 1000} s`)));
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return { send, close: () => agent.destroy() };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += String(chunk);
  return text;
}

function checkList(status: number | undefined, text: string): void {
  if (status !== 200) throw new Error(`status ${status}: ${text.slice(0, 200)}`);
  if (!text.includes('"train-iteration"') || text.includes('"error":{'))
    throw new Error(`no list: ${text.slice(0, 200)}`);
}

/** A session with its stream open, as SDK clients have it. */
async function sessionClient(url: string): Promise<Client> {
  const { send, close } = sender(url);
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } };
  const first = await send("POST", {}, { jsonrpc: "2.0", id: 0, method: "initialize", params });
  await textOf(first);
  const own = { "mcp-session-id": String(first.headers["mcp-session-id"]), "mcp-protocol-version": "2025-11-25" };
  await textOf(await send("POST", own, { jsonrpc: "2.0", method: "notifications/initialized" }));
  const stream = await send("GET", own);
  stream.on("error", () => undefined).resume();
  return {
    era: "2025-11-25",
    async list() {
      const response = await send("POST", own, LIST);
      checkList(response.statusCode, await textOf(response));
    },
    async close() {
      stream.destroy();
      await textOf(await send("DELETE", own));
      close();
    },
  };
}

function singleClient(url: string): Client {
  const { send, close } = sender(url);
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
  return {
    era: "2026-07-28",
    async list() {
      const response = await send("POST", headers, { ...LIST, params: { _meta: META } });
      checkList(response.statusCode, await textOf(response));
    },
    close: async () => close(),
  };
}

/** The even clients have sessions. Their calls are spread evenly over each second; time counts from when a call was due. */
async function runLoad({ url, clients, seconds }: LoadPlan): Promise<LoadReport> {
  const all = await Promise.all(
    Array.from({ length: clients }, (_, i) => (i % 2 === 0 ? sessionClient(url) : singleClient(url))),
  );
  const start = performance.now() + LEAD_MS;
  const calls: { era: Era; ms: number; error?: string }[] = [];
  const due = all.flatMap((client, i) =>
    Array.from({ length: seconds }, (_, second) => ({ client, at: start + (second + i / clients) * PERIOD_MS })),
  );
  await Promise.all(
    due.map(async ({ client, at }) => {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, at - performance.now())));
      const failure = await client.list().then(
        () => undefined,
        (error: Error) => error.message,
      );
      calls.push({ era: client.era, ms: performance.now() - at, ...(failure !== undefined && { error: failure }) });
    }),
  );
  const closed = await Promise.allSettled(all.map((client) => client.close()));
  const problems = closed.flatMap((each) => (each.status === "rejected" ? [`close: ${each.reason}`] : []));
  return { calls, problems };
}

if (process.send !== undefined) {
  process.once("message", async (plan: LoadPlan) => {
    const report = await runLoad(plan).catch((error: Error) => ({ calls: [], problems: [String(error)] }));
    process.send?.(report, () => process.exit(0));
  });
}
