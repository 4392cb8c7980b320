/** @file Concurrent work whose results do not depend on which piece finished first. */

export interface MapOptions {
  /** How many run at once. */
  readonly concurrency: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

/** Results in the order of the items. The first error (an abort as well) ends it, once what is running has settled. */
export async function mapInOrder<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  { concurrency, signal, onProgress }: MapOptions,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let finished = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      signal?.throwIfAborted();
      const index = next++;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
      onProgress?.(++finished, items.length);
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  const broken = settled.find((outcome) => outcome.status === "rejected");
  if (broken !== undefined) throw broken.reason;
  return results;
}
