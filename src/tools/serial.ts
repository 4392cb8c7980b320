/** @file Work done one at a time, in order of asking. */

/** Returns a function that starts its work when all earlier work has ended; a wait ends early when its signal does. */
export function serialQueue(): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (signal, work) => {
    const turn = tail.then(() => {
      signal.throwIfAborted();
      return work();
    });
    tail = turn.catch(() => undefined);
    return turn;
  };
}
