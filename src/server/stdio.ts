/** @file The MCP server over stdin and stdout; ends, with everything it started, when the client closes its side. */
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { readConfig } from "./config.js";
import { createContext } from "./create-context.js";
import { createServer } from "./create-server.js";
import { createLog } from "./log.js";

/** Longer than a clean stop of the engine and of Chroma takes; after it the process ends anyway. */
const CLOSE_TIMEOUT_MS = 5000;

export async function serve(): Promise<void> {
  const log = createLog();
  const config = readConfigOrExit(log);
  if (config === undefined) return;
  const context = createContext(config, (notice) => log.info(`preflexor: ${notice}`));
  const handle = serveStdio(({ era }) => createServer(context, { announce: era === "modern" }), {
    onerror: (error) => log.error(error),
  });
  let stopping = false;
  const stop = async (exitCode: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(exitCode), CLOSE_TIMEOUT_MS).unref();
    await Promise.allSettled([handle.close(), context.close()]);
    process.exit(exitCode);
  };
  process.stdin.once("end", () => void stop(0));
  process.stdin.once("close", () => void stop(0));
  process.once("SIGINT", () => void stop(130));
  process.once("SIGTERM", () => void stop(143));
  process.once("SIGHUP", () => void stop(129));
}

function readConfigOrExit(log: ReturnType<typeof createLog>): ReturnType<typeof readConfig> | undefined {
  try {
    return readConfig();
  } catch (error) {
    log.error(error);
    process.exitCode = 1;
    return undefined;
  }
}
