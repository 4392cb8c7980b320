/** @file The MCP server over stdin and stdout; ends, with everything it started, when the client closes its side. */
import type { McpServerFactory } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { announceChanges } from "../tools/index.js";
import { type Config, environmentSecrets, readConfig } from "./config.js";
import { createContext } from "./create-context.js";
import { createServer } from "./create-server.js";
import { createLog } from "./log.js";
import type { LogLevel } from "./serve-options.js";
import { createServerLog } from "./server-log.js";
import { stopSignal } from "./stop-signal.js";

/** Longer than a clean stop of the engine and of Chroma takes; after it the process ends anyway. */
const CLOSE_TIMEOUT_MS = 5000;

/** Starts to serve; resolves to the exit code so far. The process ends itself when the client or a signal says so. */
export async function serve({ logLevel = "info" }: { readonly logLevel?: LogLevel } = {}): Promise<number> {
  const config = readConfigOrTell();
  if (config === undefined) return 1;
  const log = createServerLog({ level: logLevel, secrets: environmentSecrets() });
  const context = createContext(config, (notice) => log.warn(notice));
  const factory: McpServerFactory = ({ era }) => {
    const server = createServer(context, { transport: "stdio", onCall: (record) => log.info(record, "tools/call") });
    if (era === "modern") announceChanges(server, context);
    return server;
  };
  const handle = serveStdio(factory, { onerror: (error) => log.warn({ err: error }, "request failed") });
  let stopping = false;
  const stop = async (exitCode: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(exitCode), CLOSE_TIMEOUT_MS).unref();
    // First the work, whose cancelled calls are still answered, then the connection.
    await context.close().catch((error: unknown) => log.error({ err: error }, "stopping failed"));
    await handle.close().catch(() => undefined);
    process.exit(exitCode);
  };
  process.stdin.once("end", () => void stop(0));
  process.stdin.once("close", () => void stop(0));
  void stopSignal().then(({ exitCode }) => stop(exitCode));
  return 0;
}

function readConfigOrTell(): Config | undefined {
  try {
    return readConfig();
  } catch (error) {
    createLog().error(error);
    return undefined;
  }
}
