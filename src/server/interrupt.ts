/** @file Ctrl-C at a terminal: the first one stops the work in order, the second one ends the process. */

/** Exit code of a command that was stopped by a signal, as shells have it for SIGINT. */
export const INTERRUPTED = 130;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Aborts `controller` at the first signal and calls `onStop`; children of the process end with it at the second. */
export function onInterrupt(controller: AbortController, onStop: () => void): { remove: () => void } {
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    onStop();
    controller.abort(new Error("interrupted"));
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    remove: () => {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
