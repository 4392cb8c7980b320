/** @file Changes with a watch over the runs behind them, as long as somebody listens. */
import { type Changes, createChanges } from "../changes.js";
import { type RunsWatch, type WatchOptions, watchRuns } from "./watch-runs.js";

/** The watch begins with the first listener, and ends with the last one or with `signal`. */
export function watchedChanges(home: string, signal: AbortSignal, options: WatchOptions = {}): Changes {
  const changes = createChanges();
  let listeners = 0;
  let watch: RunsWatch | undefined;
  const end = (): void => {
    watch?.stop();
    watch = undefined;
  };
  signal.addEventListener("abort", end, { once: true });
  return {
    publish: changes.publish,
    subscribe: (listener) => {
      const unsubscribe = changes.subscribe(listener);
      listeners += 1;
      if (!signal.aborted) watch ??= watchRuns(home, changes, options);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        unsubscribe();
        listeners -= 1;
        if (listeners === 0) end();
      };
    },
    ready: async () => watch?.ready,
  };
}
