/** @file A limit on what runs at once; who waits longest goes first. */

export interface Slots {
  /** Runs `work` when a slot is free. A wait ends with the signal's reason when it is aborted. */
  use<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting = new Set<() => void>();
  const take = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(begin);
        reject(signal?.reason);
      };
      if (free > 0) {
        free -= 1;
        begin();
        return;
      }
      waiting.add(begin);
      signal?.addEventListener("abort", leave, { once: true });
    });
  const giveBack = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      free += 1;
      return;
    }
    waiting.delete(next);
    next();
  };
  return {
    async use(work, signal) {
      signal?.throwIfAborted();
      await take(signal);
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
  };
}
