/** @file Lines for people, on stderr: stdout belongs to the protocol, or to the result that was asked for. */

export interface Log {
  info(text: string): void;
  /** A failure: one message, no stack unless `verbose`. */
  error(error: unknown): void;
}

/** An error's own message, and its cause's where that says more. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause =
    error.cause instanceof Error && !error.message.includes(error.cause.message) ? `: ${error.cause.message}` : "";
  return error.message + cause;
}

export function createLog(verbose = false, write: (text: string) => void = (text) => process.stderr.write(text)): Log {
  return {
    info: (text) => write(`${text}\n`),
    error: (error) => {
      write(`error: ${messageOf(error)}\n`);
      if (verbose && error instanceof Error && error.stack !== undefined) write(`${error.stack}\n`);
    },
  };
}
