/** @file `preflexor serve`: the MCP server over stdio or HTTP, its log, and an orderly end. */
import { readFile } from "node:fs/promises";
import { type Config, environmentSecrets, readConfig } from "./config.js";
import { createContext, type ServerContext } from "./create-context.js";
import { MCP_PATH, type RunningHttpServer, startHttpServer } from "./http/index.js";
import { createLog } from "./log.js";
import type { CallRecord } from "./observe-calls.js";
import { isLoopback } from "./openai/guard.js";
import { pageRoutes } from "./page/index.js";
import { DEFAULT_PORT, type ServeOptions } from "./serve-options.js";
import { createServerLog, type ServerLog } from "./server-log.js";
import { stopSignal } from "./stop-signal.js";

/** After a stop signal: requests under way may end, the engine and the store are closed, and then the process ends anyway. */
const GRACE_MS = 3000;
const END_MS = 8000;

/** Serves until a signal comes or, over stdio, the client closes its side; resolves to the exit code. */
export async function runServe(options: ServeOptions): Promise<number> {
  try {
    if (options.http === true) return await serveHttp(options, readConfig());
    checkStdioOptions(options);
    const { serve } = await import("./stdio.js");
    return await serve({ logLevel: options.logLevel });
  } catch (error) {
    createLog(options.verbose === true).error(error);
    return 1;
  }
}

/** Flags that would say nothing over stdio are a mistake. */
function checkStdioOptions({ logLevel: _, verbose: __, http: ___, ...rest }: ServeOptions): void {
  const [name] = Object.keys(rest);
  if (name === undefined) return;
  throw new Error(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} goes with --http`);
}

async function serveHttp(options: ServeOptions, config: Config): Promise<number> {
  const token = await readToken(options, config);
  const secrets = [...environmentSecrets(), ...(token === undefined ? [] : [token])];
  const log = createServerLog({ level: options.logLevel, secrets });
  const stop = stopSignal();
  const remote = options.host !== undefined && !isLoopback(options.host);
  const context = createContext(config, (notice) => log.warn(notice), { remote });
  try {
    const server = await start(options, { token, log, context });
    announce(server, options, log);
    const { name, exitCode } = await stop;
    log.info({ signal: name }, "stopping");
    setTimeout(() => process.exit(exitCode), END_MS).unref();
    await server.close({ graceMs: GRACE_MS, cancelWork: () => context.close() });
    log.info("stopped");
    return exitCode;
  } finally {
    await context.close();
  }
}

interface Parts {
  readonly token: string | undefined;
  readonly log: ServerLog;
  readonly context: ServerContext;
}

async function start(options: ServeOptions, { token, log, context }: Parts): Promise<RunningHttpServer> {
  const { host = "127.0.0.1", port = DEFAULT_PORT, allowedHost, publicUrl, maxSessions, maxCalls } = options;
  const oauth = await openIssuer(options, context.config);
  return startHttpServer({
    context,
    host,
    port,
    access: { ...(token !== undefined && { token }), ...(oauth !== undefined && { oauth }) },
    ...(allowedHost !== undefined && { allowedHosts: allowedHost }),
    ...(publicUrl !== undefined && { publicUrl }),
    limits: { ...(maxSessions !== undefined && { maxSessions }), ...(maxCalls !== undefined && { maxCalls }) },
    routes: [pageRoutes(context)],
    onCall: (record) => logCall(log, record),
    onError: (error) => log.warn({ err: error }, "request failed"),
    onSession: (what, why) => log.debug({ why }, `session ${what}`),
  });
}

/** A line for each call; what went wrong on the caller's side is no warning. */
export function logCall(log: ServerLog, record: CallRecord): void {
  log.info(record, "tools/call");
}

function announce(server: RunningHttpServer, options: ServeOptions, log: ServerLog): void {
  const url = `${server.url}${MCP_PATH}`;
  const page = `${server.url}/`;
  log.info({ url, page, ...(options.publicUrl !== undefined && { publicUrl: options.publicUrl.href }) }, "listening");
  if (options.json === true) process.stdout.write(`${JSON.stringify({ url })}\n`);
}

/** A header carries it, and nobody should find it by trying. */
const TOKEN_FORM = /^[\x21-\x7e]{16,}$/;

async function readToken({ tokenFile }: ServeOptions, config: Config): Promise<string | undefined> {
  const token = tokenFile === undefined ? config.token : (await readTokenFile(tokenFile)).trim();
  if (token === undefined || TOKEN_FORM.test(token)) return token;
  const source = tokenFile === undefined ? "PREFLEXOR_TOKEN" : `--token-file ${tokenFile}`;
  throw new Error(`${source}: expected 16 or more printable ASCII characters without spaces`);
}

async function readTokenFile(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: Error) => {
    throw new Error(`--token-file ${file}: expected a file with the token: ${cause.message}`, { cause });
  });
}

async function openIssuer({ oauthIssuer, oauthScope = ["mcp"], publicUrl }: ServeOptions, { offline }: Config) {
  if (oauthIssuer === undefined) return undefined;
  if (publicUrl === undefined)
    throw new Error("--oauth-issuer needs --public-url: its tokens must be made for this address");
  if (offline)
    throw new Error(
      "--oauth-issuer: its keys are fetched over the network. PREFLEXOR_OFFLINE forbids it: unset one of the two",
    );
  const resource = new URL(publicUrl.href.replace(/\/?$/, MCP_PATH));
  // Only where it is asked for: what checks tokens takes its time to load.
  const { openOAuth } = await import("./http/oauth.js");
  return openOAuth({ issuer: oauthIssuer, resource, scopes: oauthScope });
}
