/** @file The log of a server: JSON lines on stderr, plain lines at a terminal, and no secret in either. */
import { type Logger, pino } from "pino";
import { redactor } from "./redact.js";
import type { LogLevel } from "./serve-options.js";

export type ServerLog = Logger;

export interface ServerLogOptions {
  readonly level?: LogLevel;
  /** Values that must never be written. */
  readonly secrets?: readonly string[];
  /** Lines for people instead of JSON; default: whether stderr is a terminal. */
  readonly human?: boolean;
  readonly write?: (text: string) => void;
}

export function createServerLog({
  level = "info",
  secrets = [],
  human = process.stderr.isTTY === true,
  // Written at once: the last lines before an end are the ones that matter.
  write = (text) => process.stderr.write(text),
}: ServerLogOptions = {}): ServerLog {
  const redact = redactor(secrets);
  const destination = { write: (line: string) => write(human ? humanLine(redact(line)) : redact(line)) };
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg?: string;
  readonly err?: { readonly message?: string };
}

/** `12:30:01 info tools/call tool=ingest-corpus durationMs=3` */
function humanLine(json: string): string {
  const { level, time, msg = "", err, ...rest } = JSON.parse(json) as Line;
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${[time.slice(11, 19), level, msg, ...(err?.message ? [err.message] : []), ...fields].join(" ")}\n`;
}
