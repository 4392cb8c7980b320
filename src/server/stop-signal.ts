/** @file What ends a server: the first signal ends it in order, the second at once. */

export interface Stop {
  readonly name: string;
  /** As shells have it: 128 and the number of the signal. */
  readonly exitCode: number;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Resolves at the first signal. */
export function stopSignal(): Promise<Stop> {
  return new Promise((resolve) => {
    let stopping = false;
    for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
      process.on(name, () => {
        if (stopping) process.exit(exitCode);
        stopping = true;
        resolve({ name, exitCode });
      });
    }
  });
}
